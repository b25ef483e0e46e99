"""Tests of the parts of replay.smoke that need no running app."""

import json
from dataclasses import replace

import pytest

from replay.sending import SendError
from replay.smoke import command
from replay.smoke.app_client import AppAddressError, AppClient
from replay.smoke.checks import Check, is_passed, table
from replay.smoke.comparison import HealthCounts, count_checks, store_checks
from replay.smoke.expectation import Expected, NotScoredError, learn_features
from replay.smoke.known_events import known_events
from replay.smoke.stores import StoredScore
from tests.http_double import Answer, HttpDouble, Request, answering

EXPECTED = {f"s-{k}": Expected("default", "v1", 0.25 * k, k == 0) for k in range(4)}
STORED = [
    StoredScore(name, one.model, one.model_version, one.score, one.is_anomaly)
    for name, one in EXPECTED.items()
]


@pytest.mark.parametrize("url", ["http://plant.example", "ftp://127.0.0.1", "plant.example"])
def test_a_key_is_never_sent_in_the_clear_to_another_machine(url: str) -> None:
    """Nor to anything that is no http address; the key is not in the message."""
    with pytest.raises(AppAddressError) as caught:
        AppClient(url, "very-secret")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://plant.example", "http://127.0.0.1:7071"])
def test_a_key_may_go_over_tls_or_stay_on_this_machine(url: str) -> None:
    """Both are sound."""
    assert AppClient(url, "key").is_here == url.startswith("http://127")


def test_an_app_that_is_being_started_is_asked_again() -> None:
    """A front end answers for it meanwhile."""
    ok = Answer(200, body=b'{"status": "ok", "parts": {}}')
    waits: list[float] = []
    with answering(Answer(503, body=b"starting"), Answer(502), ok).running() as app:
        found = AppClient(app.url, sleep=waits.append).health()
    assert (found.status, len(waits)) == (200, 2)


def test_the_apps_own_503_is_an_answer() -> None:
    """It says what is wrong; waiting would not help."""
    waits: list[float] = []
    unavailable = Answer(503, body=b'{"status": "unavailable", "parts": {}}')
    with answering(unavailable).running() as app:
        assert AppClient(app.url, sleep=waits.append).health().status == 503
    assert waits == []


def test_features_are_learned_one_by_one() -> None:
    """What is missing is named, and given the next time."""

    def respond(request: Request) -> Answer:
        given = json.loads(request.body)["features"]
        missing = [name for name in ("b", "a") if name not in given]
        rejected = [{"reason": "missing_feature", "field": name} for name in missing[:1]]
        body = json.dumps({"rejected": rejected}).encode()
        return Answer(422 if missing else 200, body=body)

    with HttpDouble(respond).running() as app:
        assert learn_features(AppClient(app.url), "s", 0) == ("b", "a")


def test_an_app_that_never_has_enough_ends_the_questions() -> None:
    """It names another feature each time."""
    body = {"rejected": [{"reason": "missing_feature", "field": "x"}]}
    numbers = iter(range(10_000))

    def respond(_: Request) -> Answer:
        body["rejected"][0]["field"] = f"f{next(numbers)}"
        return Answer(422, body=json.dumps(body).encode())

    with (
        HttpDouble(respond).running() as app,
        pytest.raises(NotScoredError, match="FEATURES"),
    ):
        learn_features(AppClient(app.url), "s", 0)


def test_the_known_events_are_97_good_and_3_bad_of_three_kinds() -> None:
    """All under the name of the run, at times and of sensors of their own; some are far off."""
    events = known_events("ab12", ["a", "b"], 1_800_000_000_000_000_000)
    messages = events.messages()
    assert (len(events.good), len(events.bad), len(messages)) == (97, 3, 100)
    assert len({message.key for message in messages}) == 100
    assert len({one["timestamp"] for one in events.good}) == 97
    assert all(message.key.startswith("smoke-ab12-") for message in messages)
    assert len({one.reason for one in events.bad}) == 3
    assert sum(one["features"]["a"] > 1e5 for one in events.good) == 7
    places = [messages.index(one.message) for one in events.bad]
    assert min(places) > 0
    assert max(places) < 99


def test_a_store_as_expected_is_ok() -> None:
    """Three lines, nothing to say; the last digit may differ."""
    stored = [replace(one, score=one.score * (1 + 1e-12)) for one in STORED]
    checks = store_checks("x", EXPECTED, stored)
    assert [check.verdict for check in checks] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        pytest.param(STORED[1:], "stored in x", id="missing"),
        pytest.param([*STORED, replace(STORED[0], sensor_id="bad-1")], "nothing else", id="other"),
        pytest.param([*STORED, STORED[0]], "nothing else", id="twice"),
        pytest.param([*STORED[1:], replace(STORED[0], score=1e-6)], "scores in x", id="score"),
        pytest.param([*STORED[1:], replace(STORED[0], is_anomaly=None)], "scores", id="decision"),
    ],
)
def test_each_fault_of_a_store_has_a_line_of_its_own(stored: list[StoredScore], wrong: str) -> None:
    """And only that one."""
    checks = store_checks("x", EXPECTED, stored)
    (found,) = (check for check in checks if check.verdict != "ok")
    assert found.name.startswith(wrong)
    assert found.verdict == "WRONG"


def test_a_model_published_meanwhile_is_no_fault() -> None:
    """Its scores are not compared, and that is said."""
    stored = [*STORED[1:], replace(STORED[0], score=9.0, model_version="v2")]
    checks = store_checks("x", EXPECTED, stored)
    assert is_passed(checks)
    (note,) = (check for check in checks if check.verdict == "note")
    assert "1 by v2" in note.found
    assert "run it again" in note.look_at


@pytest.mark.parametrize("change", ["model", "version"])
def test_a_store_of_which_nothing_was_compared_is_wrong(change: str) -> None:
    """Whatever the scores are: nothing is known of them."""
    other = {"model": {"model": "other"}, "version": {"model_version": "v2"}}[change]
    stored = [replace(one, score=999.0, is_anomaly=not one.is_anomaly, **other) for one in STORED]
    checks = {one.name: one for one in store_checks("x", EXPECTED, stored)}
    assert checks["scores in x"].verdict == "WRONG"
    assert "none was compared" in checks["scores in x"].look_at


def test_another_model_is_wrong_even_for_one_reading() -> None:
    """Publishing gives a new version, and never another model."""
    stored = [*STORED[1:], replace(STORED[0], model="other", model_version="v2")]
    (found,) = (one for one in store_checks("x", EXPECTED, stored) if one.verdict != "ok")
    assert (found.name, found.found, found.verdict) == ("model in x", "1 by other", "WRONG")


def test_a_store_that_must_hold_nothing_proves_nothing() -> None:
    """It is a note, and the run does not say that a store was read."""
    checks = store_checks("cosmos", {}, [])
    assert [check.verdict for check in checks] == ["note", "ok"]
    assert command._verdict(checks) == "nothing wrong is seen, but no store was read from here"


def test_counts_count_only_what_could_not_be_read() -> None:
    """Those that rise enough are a note, for they prove little."""
    before = HealthCounts(100, 90, {"bad": 1})
    after = HealthCounts(103, 93, {"bad": 2})
    checks = {check.name: check.verdict for check in count_checks(before, after, 3, ["bad"])}
    assert checks == {
        "health: received": "WRONG",
        "health: scored": "note",
        "health: rejected bad": "note",
    }
    assert [one.name for one in count_checks(before, after, 0, ["bad"])] == [
        "health: received",
        "health: rejected bad",
    ]


def test_the_table_says_the_same_advice_once() -> None:
    """With the names of all checks that it is about."""
    said = table([Check(name, "1", "0", "WRONG", "look there") for name in ("a", "b")])
    assert said.count("look there") == 1
    assert "WRONG: a, b: look there" in said


@pytest.mark.parametrize(
    ("namespace", "address"),
    [("plant", "plant.servicebus.windows.net"), ("p.servicebus.azure.cn", "p.servicebus.azure.cn")],
)
def test_a_namespace_is_entered_with_the_users_identity(namespace: str, address: str) -> None:
    """By its bare name, or by the whole one."""
    app = AppClient("https://plant.example")
    sender = command._sender(namespace, "hub", app, {"EventHubConnection": "not this one"})()
    assert sender._client._address.hostname == address  # type: ignore[attr-defined]  # EventHubsSender
    sender.close()


def test_an_app_elsewhere_needs_a_namespace() -> None:
    """There is no hub of its own to send to."""
    with pytest.raises(SendError, match="NAMESPACE="):
        command._sender("", "hub", AppClient("https://plant.example"), {})
