"""Tests of local.routes: which function answers a path."""

from collections.abc import Iterable

import pytest

from local.functions import HttpFunction, Target
from local.routes import Router
from scoring.errors import SettingsError


def function(route: str, methods: Iterable[str] | None = None) -> HttpFunction:
    """Return a function with a route."""
    target = Target(route, print, "req")
    return HttpFunction(target, route, frozenset(methods) if methods else None)


def find(
    path: str, *routes: str, method: str = "GET", prefix: str = "api"
) -> tuple[str, dict[str, str]] | None:
    """Return the route that answers and its parameters."""
    found = Router([function(route) for route in routes], prefix).find(method, path)
    return None if found is None else (found[0].route, found[1])


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("health", "/api/health", {}),
        ("Health", "/API/hEalth/", {}),
        ("sensors/{id}/scores", "/api/sensors/pump-01/scores", {"id": "pump-01"}),
        ("a/{n:int}", "/api/a/-12", {"n": "-12"}),
        ("a/{b:bool}", "/api/a/True", {"b": "True"}),
        ("a/{id?}", "/api/a", {}),
        ("a/{id?}", "/api/a/x", {"id": "x"}),
        ("a/{id=five}", "/api/a", {"id": "five"}),
        ("files/{*path}", "/api/files/a/b.txt", {"path": "a/b.txt"}),
        ("files/{*path}", "/api/files", {}),
        ("{name}.{ext}", "/api/page.html", {"name": "page", "ext": "html"}),
        ("a/{id}", "/api/a/x%20%C3%A4", {"id": "x ä"}),
        ("a/{id}", "/api/a/x%2fy", {"id": "x%2Fy"}),
    ],
)
def test_a_template_fits_a_path(route: str, path: str, parameters: dict[str, str]) -> None:
    """Templates read as on Azure: case counts for values only, %2F stays encoded."""
    assert find(path, route) == (route, parameters)


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("health", "/health"),
        ("health", "/api/health/x"),
        ("a/{id}", "/api/a"),
        ("a/{id}", "/api/a/b/c"),
        ("a/{n:int}", "/api/a/x"),
        ("a/{n:int}", "/api/a/1x"),
        ("a.b", "/api/axb"),
    ],
)
def test_a_template_does_not_fit_other_paths(route: str, path: str) -> None:
    """Segments count, and constraints hold."""
    assert find(path, route) is None


def test_the_most_literal_route_answers() -> None:
    """A literal beats a constrained parameter, that a parameter, that a catch-all."""
    routes = ["a/{*rest}", "a/{id}", "a/{n:int}", "a/count"]
    paths = ["/api/a/count", "/api/a/7", "/api/a/x", "/api/a/x/y"]
    found = [find(path, *routes) for path in paths]
    assert [route for route, _ in found] == ["a/count", "a/{n:int}", "a/{id}", "a/{*rest}"]


def test_methods_choose_between_functions_of_one_route() -> None:
    """Each method has its function; another is not answered."""
    router = Router([function("x", {"GET"}), function("x", {"POST"})], "api")
    found = [router.find(method, "/api/x") for method in ("GET", "POST", "PUT")]
    assert [f and f[0].methods for f in found] == [{"GET"}, {"POST"}, None]


def test_the_prefix_may_be_empty() -> None:
    """``routePrefix`` of host.json."""
    assert find("/health", "health", prefix="") == ("health", {})


@pytest.mark.parametrize("route", ["a/{id:range(1,2)}", "a/{id:nothing}", "a/{id"])
def test_a_template_that_cannot_be_read_is_refused(route: str) -> None:
    """The message names the route."""
    with pytest.raises(SettingsError, match="route a/"):
        find("/", route)
