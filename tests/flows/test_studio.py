"""The studio: shells that say what they show, and one walk through it in a real browser."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time

import pyarrow.parquet as pq
import pytest
import uvicorn
from starlette.testclient import TestClient

from bowerbird.serving import ServingSettings, make_app
from bowerbird.studio import About, add_studio
from bowerbird.workspace.importing import ImportOptions

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def studio_app(workspace, settings=None):
    app = make_app(workspace, settings)
    about = workspace.settings
    add_studio(app, About(about.name, simulated=about.simulated, credit=about.credit))
    return app


@pytest.fixture(scope="module")
def client(tiny_workspace):
    with TestClient(studio_app(tiny_workspace)) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["people", "search", "shopping", "ads", "growth", "signals", "api", "people/u3", "items/i3"]
)
def test_every_page_says_that_people_are_simulated_and_whose_pictures_these_are(client, path):
    page = client.get(f"/studio/{path}")
    assert page.status_code == 200
    assert "Simulated people" in page.text
    assert "drawn by the tests" in page.text


def test_the_way_in_leads_to_the_people(client):
    assert client.get("/").url.path == client.get("/studio/").url.path == "/studio/people"
    assert client.get("/studio/nothing").url.path == "/studio/people"


def test_pages_load_nothing_from_elsewhere_and_run_no_inline_script(client):
    page = client.get("/studio/people")
    assert "http" not in page.text.replace('href="http', "", 0).split("<footer>")[0]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("studio.js", "parts.js", "slates.js", "studio.css", "mark.svg"):
        asset = client.get(f"/studio/static/{name}")
        assert asset.status_code == 200
        assert "//cdn" not in asset.text
        assert (
            asset.headers["cache-control"] == "no-cache"
        )  # or an upgrade leaves old modules beside new ones


def test_an_id_with_markup_is_shown_as_text(client):
    page = client.get("/studio/people/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_scripts_put_nothing_in_place_as_markup(repository):
    for script in (repository / "src" / "bowerbird" / "studio" / "static").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert [
            word
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
            if word in text
        ] == []


def test_a_workspace_of_real_people_is_not_called_simulated(tiny_workspace):
    app = make_app(tiny_workspace)
    add_studio(app, About("shop"))
    with TestClient(app) as client:
        assert "imulated" not in client.get("/studio/people").text


# --- in a browser ----------------------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("CHROMIUM ABSENT: install chromium and chromium-driver to walk through the studio")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-background-networking",
    ):
        options.add_argument(f"--{flag}")
    options.add_argument("--window-size=1400,1800")
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture
def served():
    """Serves a workspace on a free port; stopped when the test ends."""
    running = []

    def serve(workspace):
        app = studio_app(workspace, ServingSettings())
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # from now on a caller waits for the server to start instead of being refused
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((server, thread, listening))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    for server, thread, listening in running:
        server.should_exit = True
        thread.join()
        listening.close()


def wait_until(condition, seconds=30.0):
    """What the condition gives as soon as it is true."""
    for _ in range(int(seconds / 0.1)):
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("the page did not get there")


LOADED = (
    "return [...document.querySelectorAll('.slate .card .picture img')].map(i => [i.naturalWidth, i.alt])"
)


@pytest.mark.browser
def test_a_person_is_found_and_their_homefeed_shown_with_pictures_and_reasons(
    browser, served, tiny_workspace
):
    from selenium.webdriver.common.by import By

    address = served(tiny_workspace)
    browser.get(f"{address}/studio/")
    assert browser.find_element(By.ID, "simulated").is_displayed()
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "td a"))[0].click()
    wait_until(lambda: "/studio/people/" in browser.current_url)
    cards = wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".slate .card"))
    assert len(cards) == 24
    browser.execute_script("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    wait_until(lambda: all(width > 0 for width, _ in browser.execute_script(LOADED)))
    assert all(alt for _, alt in browser.execute_script(LOADED))
    assert all(card.find_elements(By.CSS_SELECTOR, ".why .source") for card in cards)
    assert browser.find_element(By.ID, "simulated").is_displayed()
    assert re.search(r"up to [\d,]+ events? a bar", browser.find_element(By.CSS_SELECTOR, ".timeline").text)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    assert (
        browser.execute_script("return getComputedStyle(document.querySelector('.timeline p')).fontSize")
        == "13px"
    )
    assert not browser.find_elements(By.CSS_SELECTOR, "svg text")  # it would shrink with its drawing
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []


@pytest.mark.browser
def test_a_title_with_markup_is_shown_as_text_and_runs_nothing(browser, served, own_workspace, tmp_path):
    from selenium.webdriver.common.by import By

    raw = tmp_path / "hostile.parquet"
    table = own_workspace.workbench().items.table.slice(0, 1).select(["item_id", "category"])
    pq.write_table(table.append_column("title", [[HOSTILE]]), raw)
    own_workspace.import_files("items", [raw], ImportOptions())
    own_workspace.build()
    browser.get(f"{served(own_workspace)}/studio/items/i0")
    heading = wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "h1"))[0]
    assert heading.text == HOSTILE
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".slate"))
    assert browser.title.startswith("i0")


@pytest.mark.browser
def test_pages_with_nothing_to_show_say_why_and_what_to_do(browser, served, tiny_workspace):
    from selenium.webdriver.common.by import By

    address = served(tiny_workspace)

    def said(page, selector):
        browser.get(f"{address}/studio/{page}")
        if page in ("search", "growth"):
            wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "form button"))[0].click()
        return wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, selector))[0].text

    assert said("people?query=zzz", "p.panel") == 'Nobody\'s id has "zzz" in it.'
    assert "user 'nobody' is not known" in said("people/nobody", ".failure")
    assert browser.find_element(By.CSS_SELECTOR, "main a[href='/studio/people']").text == "All people"
    assert "item 'nothing' is not in the catalogue" in said("items/nothing", ".failure")
    assert browser.find_element(By.CSS_SELECTOR, "main a[href='/studio/search']").is_displayed()
    assert "type some words, choose a picture" in said("search", ".failure")
    browser.execute_script("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    browser.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("red")
    browser.find_element(By.CSS_SELECTOR, "form button").click()
    wait_until(lambda: "The server did not answer" in browser.find_element(By.CSS_SELECTOR, ".failure").text)
