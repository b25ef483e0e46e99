"""Tests of scoring.routing: each sensor's readings go to one model."""

from scoring.routing import Routes

ROUTES = Routes((("pump-*", "vibration"), ("pump-9", "special"), ("oven-?", "heat")), "default")


def test_without_routes_everything_goes_to_the_default() -> None:
    """One group, whatever the sensors."""
    routes = Routes((), "default")
    assert routes.models == ("default",)
    assert {name: list(rows) for name, rows in routes.by_model(["a", "b"]).items()} == {
        "default": [0, 1]
    }


def test_the_first_pattern_that_matches_counts() -> None:
    """Readings are grouped by model, in their order."""
    groups = ROUTES.by_model(["pump-9", "oven-1", "fan", "pump-1", "oven-11"])
    assert groups == {"vibration": [0, 3], "heat": [1], None: [2, 4]}


def test_what_no_pattern_matches_has_no_model() -> None:
    """The default is a route only where there are no routes."""
    assert ROUTES.model_for("fan") is None
    assert Routes((*[("pump-*", "vibration")], ("*", "default")), "x").model_for("fan") == "default"


def test_patterns_mind_their_case() -> None:
    """Sensor ids do, on every machine."""
    assert ROUTES.model_for("PUMP-1") is None


def test_every_model_is_named_once() -> None:
    """The cache loads each of them."""
    assert Routes((("a", "m"), ("b", "n"), ("c", "m")), "default").models == ("m", "n")


def test_a_pattern_for_everything_needs_no_look_at_the_sensors() -> None:
    """It takes all of them where it comes first."""
    assert Routes((("*", "m"), ("a", "n")), "default").only_model == "m"
    assert ROUTES.only_model is None
    assert Routes((("*", "m"), ("a", "n")), "default").model_for("a") == "m"


def test_no_reading_is_no_group_of_readings() -> None:
    """An empty batch scores nothing."""
    assert not any(ROUTES.by_model([]).values())
    assert not any(Routes((), "default").by_model([]).values())
