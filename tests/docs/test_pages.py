"""The documentation is complete and its links lead somewhere."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from bowerbird import errors

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def pages(repository):
    """Every page written by hand, by its path below docs/; README and friends stand at the top."""
    docs = repository / "docs"
    return {
        path.relative_to(docs).as_posix(): path.read_text(encoding="utf-8") for path in docs.rglob("*.md")
    }


def navigated(nav):
    """The paths in mkdocs' nav."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [path for part in parts for path in navigated(part)]


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def test_the_navigation_lists_every_page_and_no_other(repository, pages):
    nav = yaml.safe_load((repository / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(navigated(nav)) == sorted(pages)


def test_every_link_between_pages_leads_to_a_file(repository, pages):
    broken = []
    for page, text in pages.items():
        for target in LINK.findall(without_code(text)):
            path = target.partition("#")[0]
            if (
                path
                and "://" not in target
                and not (repository / "docs" / page).parent.joinpath(path).exists()
            ):
                broken.append((page, target))
    assert broken == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_the_top_pages_leads_to_a_file(repository, name):
    page = repository / name
    targets = [t.partition("#")[0] for t in LINK.findall(without_code(page.read_text(encoding="utf-8")))]
    assert [t for t in targets if t and ":" not in t and not (repository / t).exists()] == []


def test_the_readme_shows_the_two_commands_and_the_flow(repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert [
        part for part in ("make demo", "make test", "retrieval -> ranking -> slate") if part not in readme
    ] == []


def test_every_layer_of_the_contract_is_in_the_map_of_modules(repository, pages):
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    layers = " ".join(settings["tool"]["importlinter"]["contracts"][0]["layers"])
    rows = re.findall(r"^\| (`.*?) \|", pages["explanation/architecture.md"], flags=re.MULTILINE)
    described = re.findall(r"`(\w+)`", " ".join(rows))
    assert [name for name in re.findall(r"\w+", layers) if name not in described] == []


def test_every_package_and_module_of_the_root_is_in_the_map_of_modules(repository, pages):
    package = repository / "src" / "bowerbird"
    names = {path.stem for path in package.iterdir() if not path.name.startswith("_")}
    assert [name for name in sorted(names) if f"`{name}`" not in pages["explanation/architecture.md"]] == []


def test_every_error_is_in_the_tree_of_its_module():
    names = [
        name
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, Exception)
    ]
    assert "BowerbirdError" in names
    assert [name for name in names if name not in (errors.__doc__ or "")] == []


def test_every_decision_is_in_the_list_of_decisions(pages):
    decisions = [path.removeprefix("decisions/") for path in pages if path.startswith("decisions/")]
    assert [d for d in decisions if d != "README.md" and f"({d})" not in pages["decisions/README.md"]] == []
