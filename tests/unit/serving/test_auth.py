from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bowerbird.errors import SettingsError
from bowerbird.serving.auth import ApiKey, KeyRing, SameSite, keys_of, needed_scope, presented_key

KEY = "a-key-of-enough-length"


def scope(**headers):
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def test_the_environments_key_wins_and_no_file_is_made(tmp_path):
    ring, made = keys_of({"BOWERBIRD_API_KEY": KEY}, tmp_path / "keys.toml")
    assert (ring.find(KEY).name, made) == ("environment", None)
    assert not (tmp_path / "keys.toml").exists()


def test_the_first_start_makes_a_key_shows_it_once_and_keeps_only_its_hash(tmp_path):
    path = tmp_path / "keys.toml"
    ring, made = keys_of({}, path)
    assert ring.find(made).scopes == {"read", "ingest", "admin"}
    assert made not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    again, second = keys_of({}, path)
    assert (again.find(made).name, second) == ("first", None)


def test_a_short_key_and_an_unknown_scope_are_refused():
    with pytest.raises(SettingsError, match="has 5 characters; expected at least 16"):
        ApiKey.of("x", "short")
    with pytest.raises(SettingsError, match="unknown scope 'write'"):
        ApiKey.of("x", KEY, frozenset({"write"}))


@pytest.mark.parametrize("text", ["", "nonsense", "[a]\n", "a = 1\n", "\udcff"])
def test_a_damaged_key_file_is_an_error_not_an_open_door(tmp_path, text):
    path = tmp_path / "keys.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match="remove it to have a new"):
        keys_of({}, path)


def test_a_key_without_scopes_in_the_file_may_only_read(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(f'[shop]\nsha256 = "{ApiKey.of("shop", KEY).digest}"\n')
    key = keys_of({}, path)[0].find(KEY)
    assert (key.may("read"), key.may("ingest"), key.may("admin")) == (True, False, False)


def test_an_empty_ring_opens_nothing():
    assert KeyRing(()).find("") is None


def test_a_key_comes_as_bearer_or_in_its_own_header():
    assert presented_key(scope(authorization=f"Bearer {KEY}")) == KEY
    assert presented_key(scope(authorization=f"bearer  {KEY} ")) == KEY
    assert presented_key(scope(x_api_key=KEY)) == KEY
    assert presented_key(scope(authorization="Basic abc")) == ""
    assert presented_key(scope()) == ""


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/studio", None),
        ("/studio/people", None),
        ("/studiox", "read"),
        ("/v1/eventsx", "read"),
        ("/V1/events", "read"),
        ("/anything", "read"),
        ("/v1/reload", "admin"),
    ],
)
def test_a_path_that_is_not_named_open_needs_a_key(path, needed):
    assert needed_scope(path) == needed


def test_another_web_site_cannot_make_a_browser_ask():
    async def answered(request):
        return PlainTextResponse("here")

    app = Starlette(
        routes=[Route("/v1/reload", answered, methods=["POST"])], middleware=[Middleware(SameSite)]
    )
    client = TestClient(app)
    assert client.post("/v1/reload").status_code == 200
    assert client.post("/v1/reload", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    refused = client.post("/v1/reload", headers={"sec-fetch-site": "cross-site"})
    assert (refused.status_code, refused.json()["error"]) == (403, "cross_site")
