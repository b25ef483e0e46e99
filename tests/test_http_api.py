"""Tests of scoring.http_api: requests in, documents out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from scoring import http_api
from scoring.errors import SettingsError, SinkUnavailableError, StorageUnavailableError
from scoring.http_api import HttpApi, Response, failure_response, settings_response
from scoring.scored import Refused, ScoredBatch
from tests.deployments import Deployment, deployed
from tests.documents import examples
from tests.event_batches import body, reading
from tests.small_models import publish, small_model

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Deployment]:
    """Build an app of two models, of which none is published."""
    with deployed(tmp_path, MODEL_ROUTES="kiln-*=kiln,*=default") as deployment:
        yield deployment


@pytest.fixture
def ready(empty: Deployment) -> Deployment:
    """Publish both models."""
    publish(empty.models, small_model())
    publish(empty.models, small_model("kiln", seed=1))
    return empty


@pytest.fixture
def api(ready: Deployment) -> HttpApi:
    """Return the routes, at a known time."""
    return replace(ready.app.http, clock=lambda: NOW)


def document(response: Response) -> Any:
    """Read a response as a client does."""
    return json.loads(response.body())


def error_of(response: Response) -> dict[str, Any]:
    """Return the error in a response, which has nothing else and the one shape."""
    found = document(response)
    assert found.keys() == {"error"}
    assert found["error"].keys() == {"code", "message", "details"}
    error: dict[str, Any] = found["error"]
    return error


def without_identity(number: int) -> dict[str, Any]:
    """Make a reading that has neither id nor time."""
    return {k: v for k, v in reading(number).items() if k not in {"sensor_id", "timestamp"}}


def test_one_reading_is_answered_with_its_score(api: HttpApi) -> None:
    """By the model that made it, of which name and version are told."""
    response = api.score(body(1), {})
    found = document(response)
    (scored,) = found["scored"]
    version = small_model().manifest.version
    assert (response.status, found["model"], found["model_version"]) == (200, "default", version)
    assert scored["score"] > 0
    assert (scored["sensor_id"], scored["is_anomaly"], scored["cause"]) == ("pump-1", False, None)
    assert 0 <= scored["anomaly_score"] <= 1
    assert found["rejected"] == []


def test_a_reading_without_id_and_time_is_ad_hoc_and_now(api: HttpApi) -> None:
    """So that a person can ask with features alone."""
    (scored,) = document(api.score(json.dumps(without_identity(1)).encode(), {}))["scored"]
    assert (scored["sensor_id"], scored["event_time"]) == ("adhoc", "2026-05-01T12:00:00.25Z")


def test_an_anomaly_is_answered_with_its_cause(api: HttpApi) -> None:
    """The feature that is off, first."""
    (scored,) = document(api.score(body(1, vibration=9.0), {}))["scored"]
    assert scored["is_anomaly"] is True
    assert scored["cause"][0]["feature"] == "vibration"


@pytest.mark.parametrize("form", [b"[%b,%b,%b]", b"%b\n%b\n%b\n"], ids=["array", "lines"])
def test_several_readings_are_answered_by_their_index(api: HttpApi, form: bytes) -> None:
    """Scored and rejected apart, each with its place in the request."""
    bad = body(2, vibration="high")
    response = api.score(form % (body(1), bad, body(3)), {})
    found = document(response)
    assert response.status == 200
    assert [one["index"] for one in found["scored"]] == [0, 2]
    (rejected,) = found["rejected"]
    assert rejected.pop("message")
    assert rejected == {"index": 1, "reason": "feature_not_a_number", "field": "vibration"}


@pytest.mark.parametrize("request_body", [b"", b"[]", b"nonsense", b"[1,2]", b'{"a": 1}'])
def test_a_request_without_a_good_reading_cannot_be_processed(
    api: HttpApi, request_body: bytes
) -> None:
    """422, and why, for each."""
    response = api.score(request_body, {})
    found = document(response)
    assert (response.status, found["scored"]) == (422, [])
    assert all(one["reason"] for one in found["rejected"])
    assert found["rejected"]


def test_readings_go_to_the_models_of_their_sensors(api: HttpApi) -> None:
    """Then each names its own, and the request as a whole none."""
    found = document(api.score(b"[%b,%b]" % (body(1, "kiln-7"), body(2)), {}))
    assert [one["model"] for one in found["scored"]] == ["kiln", "default"]
    assert (found["model"], found["model_version"]) == (None, None)


def test_a_model_can_be_asked_for(api: HttpApi) -> None:
    """`?model=` stands above the routes."""
    found = document(api.score(body(1), {"model": "kiln"}))
    assert found["model"] == "kiln"
    assert found["model_version"] == small_model("kiln", seed=1).manifest.version


@pytest.mark.parametrize("name", ["other", "", "../default"])
def test_a_model_that_is_not_routed_to_is_not_found(api: HttpApi, name: str) -> None:
    """404, with the names there are; a name chooses no path."""
    response = api.score(body(1), {"model": name})
    assert response.status == 404
    assert error_of(response)["code"] == "unknown_model"
    assert "kiln, default" in error_of(response)["message"]


def test_nothing_is_stored_unless_asked(ready: Deployment, api: HttpApi) -> None:
    """A question leaves no trace; `?store=true` writes what was scored, and only once."""
    api.score(body(1), {})
    api.score(body(1), {"store": "false"})
    assert not (ready.data_dir / "scores.sqlite").exists()
    for _ in range(2):
        assert api.score(body(1) + b"\nx", {"store": "true"}).status == 200
    assert [row["sensor_id"] for row in ready.rows()] == ["pump-1"]
    assert ready.letters() == []


class Keeping:
    """A store that keeps one result an identity, unless it is down."""

    def __init__(self, name: str, fault: Exception | None = None) -> None:
        self.name = name
        self.fault = fault
        self.kept: set[tuple[str, int]] = set()

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep everything."""
        if self.fault is not None:
            raise self.fault
        for one in batches:
            self.kept.update(zip(one.sensor_ids, one.event_time_ns.tolist(), strict=True))
        return ()


DOWN = SinkUnavailableError("cosmos", "http://secret-host refused", "start it")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(DOWN, 503, "not_stored"), (TypeError("secret-host"), 500, "internal")],
    ids=["down", "bug"],
)
def test_what_befalls_a_store_keeps_no_other_from_its_part(
    api: HttpApi, fault: Exception, status: int, code: str
) -> None:
    """Those before it and after it are written, and the answer says which have the readings."""
    sinks = (Keeping("influxdb"), Keeping("cosmos", fault), Keeping("sqlite"))
    response = replace(api, sinks=sinks).score(body(1), {"store": "true"})  # type: ignore[arg-type]  # only written to
    error = error_of(response)
    assert (response.status, error["code"]) == (status, code)
    assert "stored by: influxdb, sqlite; not stored, or in part, by: cosmos;" in error["message"]
    assert [len(sink.kept) for sink in sinks] == [1, 0, 1]
    assert b"secret-host" not in response.body()


def test_no_store_has_it_where_all_are_down(api: HttpApi) -> None:
    """Then the answer does not say that one had."""
    sinks = (Keeping("influxdb", DOWN), Keeping("cosmos", DOWN))
    response = replace(api, sinks=sinks).score(body(1), {"store": "true"})  # type: ignore[arg-type]  # only written to
    assert "stored by: none;" in error_of(response)["message"]


def test_the_example_of_a_request_that_is_not_stored_is_what_the_app_gives(api: HttpApi) -> None:
    """A client written after the contracts can repeat it."""
    (text,) = examples("not-stored")
    sinks = (Keeping("influxdb"), Keeping("cosmos", DOWN))
    request = json.dumps(without_identity(1)).encode()
    response = replace(api, sinks=sinks).score(request, {"store": "true"})  # type: ignore[arg-type]  # only written to
    assert document(response) == json.loads(text)


@pytest.mark.parametrize("tie_break", ["none", "sequence"])
def test_a_request_can_be_repeated_as_the_same_readings(
    api: HttpApi, tie_break: Literal["none", "sequence"]
) -> None:
    """With the ids and times in `details` each store has each reading once, later as well."""
    cosmos = Keeping("cosmos", DOWN)
    sinks = (Keeping("influxdb"), cosmos)
    keys = replace(api.policy.keys, time_tie_break=tie_break)
    policy = replace(api.policy, keys=keys)
    api = replace(api, sinks=sinks, policy=policy)  # type: ignore[arg-type]  # only written to
    bare: list[Any] = [without_identity(1), "no reading", reading(2), without_identity(3)]
    details = error_of(api.score(json.dumps(bare).encode(), {"store": "true"}))["details"]
    again, cosmos.fault = bare.copy(), None
    for one in map(json.loads, details):
        place = one.pop("index")
        again[place] = {k: v for k, v in bare[place].items() if k != "timestamp"} | one
    later = replace(api, clock=lambda: NOW + timedelta(seconds=9))
    assert later.score(json.dumps(again).encode(), {"store": "true"}).status == 200
    assert len(cosmos.kept) == 3
    assert sinks[0].kept == cosmos.kept


def test_a_reading_that_a_store_refuses_is_said(api: HttpApi) -> None:
    """It is scored, and the caller learns by its place that it is not stored."""

    class Choosy:
        name = "choosy"

        def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
            return [Refused(batches[0], 1, "too old")]

    request = b"[%b,%b]" % (body(1), body(2))
    response = replace(api, sinks=(Choosy(),)).score(request, {"store": "true"})
    assert (response.status, len(response.document["scored"])) == (200, 2)
    (one,) = response.document["rejected"]
    assert (one["index"], one["reason"], one["message"]) == (1, "refused_by_store", "too old")


def test_a_request_before_the_first_model_is_unavailable(empty: Deployment) -> None:
    """503, and what helps."""
    response = empty.app.http.score(body(1), {})
    assert (response.status, error_of(response)["code"]) == (503, "no_model")
    assert "python -m training publish" in error_of(response)["message"]


def test_a_request_beyond_10_mb_is_too_large(api: HttpApi) -> None:
    """413; what is larger belongs on the hub."""
    assert api.score(b" " * 10_000_000, {}).status == 422
    response = api.score(b" " * 10_000_001, {})
    assert (response.status, error_of(response)["code"]) == (413, "body_too_large")


def test_a_bug_is_answered_in_the_shape_of_all_errors(
    api: HttpApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500; what went wrong is in the log alone."""

    def broken(*_: object) -> None:
        raise TypeError("a bug in line 7")

    monkeypatch.setattr(http_api, "score_batch", broken)
    response = api.score(body(1), {})
    assert (response.status, error_of(response)["code"]) == (500, "internal")
    assert b"line 7" not in response.body()
    assert "a bug in line 7" in caplog.text


def test_bad_settings_are_listed_on_every_route() -> None:
    """Health as a part, any other route as the details of its error."""
    error = SettingsError(["A: set a", "B: set b"])
    health = settings_response(error)
    assert (health.status, document(health)) == (
        503,
        {
            "status": "unavailable",
            "parts": {"settings": {"state": "unavailable", "problems": ["A: set a", "B: set b"]}},
        },
    )
    failure = failure_response(error)
    assert (failure.status, error_of(failure)["code"]) == (503, "bad_settings")
    assert error_of(failure)["details"] == ["A: set a", "B: set b"]


def test_other_failures_to_start_keep_their_text_to_themselves() -> None:
    """The one shape; the text may hold an address."""
    failure = failure_response(StorageUnavailableError("models", "x", "secret-host"))
    assert (failure.status, error_of(failure)["code"]) == (503, "unavailable")
    assert b"secret-host" not in failure.body()
