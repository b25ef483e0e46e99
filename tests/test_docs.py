"""The documents say what the code does."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest
from azure.functions.decorators.http import HttpTrigger

from scoring.known_settings import HOST_SETTINGS
from scoring.settings import _OWN_CONTAINERS, SETTINGS
from tests.documents import (
    ROOT,
    anchors,
    defined_names,
    markdown_files,
    names,
    section,
    table,
)

NONE = "\N{EN DASH}"
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_every_setting_stands_in_the_table_with_its_default_place_and_meaning() -> None:
    """docs/settings.md and scoring.settings.SETTINGS are the same list."""
    expected = [
        [f"`{one.name}`", f"`{one.default}`" if one.default else NONE, one.where, one.meaning]
        for one in SETTINGS.values()
    ]
    assert table((ROOT / "docs" / "settings.md").read_text("utf-8"), "Setting") == expected


def test_every_container_has_the_role_that_is_deployed() -> None:
    """Each container of the app, as docs/deploy.md has them, which is held against Bicep."""
    deploy = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    deployed = {row[0]: row for row in table(deploy, "Assignment")}
    models, own = table((ROOT / "docs" / "settings.md").read_text("utf-8"), "Container")
    assert names([models]) == ["MODEL_CONTAINER_NAME"]
    assert set(names([own])) == _OWN_CONTAINERS == set(names([deployed["`appWritten`"]], 2))
    assert deployed["`appModels`"][1].startswith(models[1].partition(";")[0])
    assert deployed["`appWritten`"][1].startswith(own[1])


def test_every_setting_of_the_host_stands_in_its_table() -> None:
    """What Bicep and the example set besides is explained too."""
    expected = [[f"`{one.name}`", one.where, one.meaning] for one in HOST_SETTINGS.values()]
    assert table((ROOT / "docs" / "settings.md").read_text("utf-8"), "Host setting") == expected


def http_routes() -> list[str]:
    """Return method and path of each HTTP function, as the documents write them."""
    # a copy of its own: azure-functions lists the functions of an app once
    spec = importlib.util.spec_from_file_location("documented_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prefix = json.loads((ROOT / "host.json").read_text())["extensions"]["http"]["routePrefix"]
    triggers = [function.get_trigger() for function in module.app.get_functions()]
    return [
        f"{method.value} /{prefix}/{trigger.route}"
        for trigger in triggers
        if isinstance(trigger, HttpTrigger)
        for method in trigger.methods or ()
    ]


@pytest.mark.parametrize("document", ["docs/contracts.md", "README.md"])
def test_every_http_route_is_documented(document: str) -> None:
    """Whoever reads the document knows each method and route of the app."""
    routes = http_routes()
    text = (ROOT / document).read_text("utf-8")
    assert len(routes) > 1
    assert [route for route in routes if route not in text] == []


@pytest.mark.parametrize("target", ["run", "test", "check", "start", "package", "smoke"])
def test_the_readme_names_the_make_target(target: str) -> None:
    """A newcomer finds each command."""
    assert f"make {target}" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", markdown_files(), ids=str)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    """File and heading exist."""
    text = (ROOT / path).read_text("utf-8")
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / path).parent / file if file else ROOT / path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_no_name_uses_a_word_that_the_glossary_avoids() -> None:
    """One word for one idea, in the code as well."""
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    headings = ("Readings", "Scores", "Models", "The way of a reading")
    avoided = {word for one in headings for word in names(table(section(one, text), "Word"), 2)}
    assert len(avoided) > 5
    for folder in ("scoring", "training", "replay", "local", "bicep_checks"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in defined_names(ast.parse(path.read_text("utf-8"))):
                words = {word.lower() for word in re.findall("[A-Z]?[a-z]+", name)}
                assert not words & avoided, f"{path.relative_to(ROOT)}: {name}"
