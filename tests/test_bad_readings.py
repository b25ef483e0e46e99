"""Tests of a delivery of 1,000 events: every kind of bad reading is kept, every good one stored."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoring.json_bodies import TOO_DEEP
from scoring.ledger import BatchCounts
from scoring.letters import DeadLetter
from tests.deployments import Deployment, blob_settings, deployed
from tests.event_batches import body, body_without, event_batch
from tests.small_models import publish, small_model

ROUTES = "forest-*=forest,envelope-*=envelope,svm-*=svm"
FOREST, ENVELOPE, SVM = "forest-1", "envelope-1", "svm-1"


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that holds one bad reading, and what its dead letter says."""

    kind: str
    body: bytes
    reason: str
    raw: bytes | None = None  # the whole body, unless the reading stands among others
    field: str | None = None
    good: int = 0


GOOD = tuple(body(5_000 + i, FOREST) for i in range(4))
TEXT = body(5_009, FOREST, vibration="1.5")
HUGE = body(0, FOREST, pressure=12345).replace(b"12345", b"1e999")
KINDS = [
    Bad("no bytes", b"", "empty_body"),
    Bad("white space", b" \r\n", "empty_body"),
    Bad("bytes that are no text", b"\xff\xfe\x00", "not_utf8"),
    Bad("plain text", b"temperature 21", "invalid_json"),
    Bad("an object that breaks off", GOOD[0][:-7], "invalid_json"),
    Bad(
        "a line between good ones", b"%b\n{oops}\n%b" % GOOD[:2], "invalid_json", b"{oops}", good=2
    ),
    Bad("a tower of arrays", b"[" * 100_000, "too_deep"),
    Bad("a number", b"42", "not_an_object"),
    Bad("null", b"null", "not_an_object"),
    Bad("an array in an array", b"[[1]]", "not_an_object", b"[1]"),
    Bad("an empty array", b"[]", "no_readings"),
    Bad("a null as id", body(0, sensor_id=None), "bad_sensor_id", field="sensor_id"),
    Bad("an empty id", body(0, ""), "bad_sensor_id", field="sensor_id"),
    Bad("a line break in the id", body(0, "forest-1\nx"), "bad_sensor_id", field="sensor_id"),
    Bad("an id of 257 characters", body(0, "f" * 257), "bad_sensor_id", field="sensor_id"),
    Bad("a word as time", body(0, FOREST, timestamp="now"), "bad_event_time", field="timestamp"),
    Bad("a boolean as time", body(0, FOREST, timestamp=True), "bad_event_time", field="timestamp"),
    Bad(
        "a feature left out",
        body_without("pressure", 0, FOREST),
        "missing_feature",
        field="pressure",
    ),
    Bad(
        "text in an array",
        b"[%b,%b,%b]" % (GOOD[2], TEXT, GOOD[3]),
        "feature_not_a_number",
        TEXT,
        "vibration",
        good=2,
    ),
    Bad(
        "a boolean feature",
        body(0, FOREST, pressure=True),
        "feature_not_a_number",
        field="pressure",
    ),
    Bad("a null feature", body(0, FOREST, pressure=None), "feature_not_a_number", field="pressure"),
    Bad("NaN", body(0, FOREST, pressure=float("nan")), "feature_not_finite", field="pressure"),
    Bad(
        "Infinity", body(0, FOREST, pressure=float("-inf")), "feature_not_finite", field="pressure"
    ),
    Bad("a number beyond doubles", HUGE, "feature_not_finite", field="pressure"),
    Bad("a number beyond the scaler", body(0, SVM, pressure=1e308), "refused_by_model"),
    Bad("a number beyond distances", body(0, ENVELOPE, pressure=1e200), "score_not_finite"),
    Bad("a sensor without a route", body(0, "kiln-1"), "no_route"),
]
BAD = {17 + 33 * place: bad for place, bad in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Delivered:
    """A batch of 1,000 events after its delivery."""

    deployment: Deployment
    counts: BatchCounts
    letters: dict[int, list[DeadLetter]]


@pytest.fixture(scope="module", params=["folder", "azurite"])
def delivered(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Delivered]:
    """Deliver 1,000 events, all kinds of bad ones among them, on each kind of storage."""
    store = {}
    if request.param == "azurite":
        store = blob_settings(request.getfixturevalue("azurite").connection_string)
    folder = tmp_path_factory.mktemp("data")
    with deployed(folder, MODEL_ROUTES=ROUTES, **store) as deployment:
        publish(deployment.models, small_model("forest"))
        publish(deployment.models, small_model("envelope", model="elliptic_envelope"))
        svm = small_model("svm", model="one_class_svm", scaler="standard")
        publish(deployment.models, svm)
        bodies = [
            BAD[i].body if i in BAD else body(i, (FOREST, ENVELOPE, SVM)[i % 3])
            for i in range(1_000)
        ]
        counts = deployment.app.delivery.deliver(event_batch(bodies, hub=deployment.hub))
        letters: dict[int, list[DeadLetter]] = {}
        for letter in deployment.letters():
            letters.setdefault(letter.sequence_number, []).append(letter)
        yield Delivered(deployment, counts, letters)


def test_every_good_reading_of_a_batch_with_bad_ones_is_stored(delivered: Delivered) -> None:
    """One bad reading never costs its neighbours in the event or the batch."""
    rows = Counter(row["sequence_number"] for row in delivered.deployment.rows())
    expected = {i: BAD[i].good if i in BAD else 1 for i in range(1_000)}
    assert rows == Counter({i: n for i, n in expected.items() if n})


@pytest.mark.parametrize("place", BAD, ids=[bad.kind for bad in KINDS])
def test_a_bad_reading_is_kept_with_its_reason_and_its_bytes(
    delivered: Delivered, place: int
) -> None:
    """One dead letter a bad reading: where it was, why, the field at fault, the bytes as sent."""
    bad = BAD[place]
    (letter,) = delivered.letters[place]
    assert (letter.reason, letter.field) == (bad.reason, bad.field)
    assert letter.raw_bytes() == (bad.body if bad.raw is None else bad.raw)
    assert letter.index == (1 if bad.good else 0)


def test_received_readings_are_scored_or_rejected(delivered: Delivered) -> None:
    """The counts add up, and are those of the stores."""
    counts = delivered.counts
    n_good = 1_000 - len(KINDS) + sum(bad.good for bad in KINDS)
    assert counts.rejected == Counter(bad.reason for bad in KINDS)
    assert (counts.scored, counts.received) == (n_good, n_good + len(KINDS))
    assert (counts.unaccounted(), counts.held) == (0, 0)
    assert delivered.letters.keys() == BAD.keys()


def test_the_kinds_above_are_all_that_the_code_knows() -> None:
    """Every reason in the code has a bad reading that meets it; `internal` is no reading's."""
    code = "".join(
        path.read_text() for path in (Path(__file__).parents[1] / "scoring").rglob("*.py")
    )
    found = re.findall(r'ReadingRejectedError\(\s*"(\w+)"|_rejection\(\w+, "(\w+)"', code)
    # of 50,000 readings, so with tests of its own: test_json_bodies.py, test_any_bytes.py
    elsewhere = {"too_many_readings"}
    assert {a or b for a, b in found} | {TOO_DEEP} == {bad.reason for bad in KINDS} | elsewhere
    assert len(KINDS) >= 20
