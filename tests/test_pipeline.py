"""Tests of scoring.pipeline: one batch, from bodies to scored and rejected readings."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.artifacts import LoadedModel
from scoring.cache import Snapshot
from scoring.errors import ModelUnavailableError
from scoring.events import ReadingKeys
from scoring.features import FloatArray
from scoring.json_bodies import TOO_DEEP
from scoring.ledger import BatchCounts
from scoring.letters import DeadLetter
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.registry import Registry
from scoring.routing import Routes
from scoring.storage import FolderStorage
from tests.deployments import Deployment, blob_settings, deployed
from tests.event_batches import body, event_batch, reading
from tests.small_models import FEATURES, publish, small_model
from training.fitting import Artifact

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


def _without(key: str) -> bytes:
    return json.dumps({k: v for k, v in reading(0, FOREST).items() if k != key}).encode()


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
    Bad("a feature left out", _without("pressure"), "missing_feature", field="pressure"),
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


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Return a registry in a folder of its own."""
    return Registry(FolderStorage(tmp_path_factory.mktemp("models")).container("models"))


def loaded(registry: Registry, artifact: Artifact) -> LoadedModel:
    """Publish a model and load it."""
    registry.publish(artifact.manifest, artifact.data)
    return registry.load(artifact.manifest.name, artifact.manifest.version)


@pytest.fixture(scope="module")
def forest(models: Registry) -> LoadedModel:
    """Load a small isolation forest."""
    return loaded(models, small_model())


@pytest.fixture(scope="module")
def svm(models: Registry) -> LoadedModel:
    """Load a support vector machine behind a scaler, which turns huge values into infinity."""
    return loaded(models, small_model(model="one_class_svm", scaler="standard"))


def score(bodies: list[bytes], model: LoadedModel, **policy: Any) -> Outcome:
    """Score a batch with one model."""
    keys = ReadingKeys(("sensor_id",))
    chosen = replace(Policy(keys, Routes((), model.name)), **policy)
    return score_batch(event_batch(bodies), Snapshot({model.name: model}), chosen)


def test_scores_are_those_of_the_estimator(forest: LoadedModel) -> None:
    """Row by row, whatever the order of the features in the JSON."""
    bodies = [json.dumps(dict(reversed(reading(i).items()))).encode() for i in range(50)]
    (scored,) = score(bodies, forest).scored
    X = np.array([[reading(i)[name] for name in FEATURES] for i in range(50)])
    np.testing.assert_array_equal(scored.X, X)
    np.testing.assert_array_equal(scored.score, forest.estimator.decision_function(X))


def test_an_anomaly_names_its_cause(forest: LoadedModel) -> None:
    """The feature that is off comes first; a normal reading has no cause."""
    (scored,) = score([body(1), body(2, vibration=9.0)], forest).scored
    assert scored.is_anomaly is not None
    assert scored.is_anomaly.tolist() == [False, True]
    assert list(scored.causes) == [1]
    assert scored.causes[1][0].feature == "vibration"


def test_no_more_anomalies_are_explained_than_asked_for(forest: LoadedModel) -> None:
    """`ATTRIBUTION_MAX_READINGS` of 0 explains none."""
    (scored,) = score([body(2, vibration=9.0)], forest, attribution_max_readings=0).scored
    assert scored.causes == {}


def test_missing_features_are_filled_and_counted_where_that_is_set(forest: LoadedModel) -> None:
    """`MISSING_FEATURES=median` takes the training median."""
    (scored,) = score([_without("pressure"), body(1)], forest, missing_features="median").scored
    assert forest.medians is not None
    assert scored.X[0, 2] == forest.medians[2]
    assert scored.filled.tolist() == [1, 0]


def test_a_batch_of_nothing_but_values_that_the_model_refuses_is_rejected(svm: LoadedModel) -> None:
    """The model scores its own medians, so the fault is in the readings."""
    outcome = score([body(1, pressure=1e308), body(2, pressure=-1e308)], svm)
    assert outcome.scored == []
    assert [one.reason for one in outcome.rejected] == ["refused_by_model"] * 2


def test_a_refused_reading_is_told_from_one_that_had_no_row(svm: LoadedModel) -> None:
    """Rows of the matrix are fewer than readings where a feature was missing."""
    bodies = [_without("pressure"), body(1), body(2, pressure=1e308), body(3)]
    outcome = score(bodies, svm)
    assert [(one.event, one.raw) for one in outcome.rejected] == [(0, bodies[0]), (2, bodies[2])]
    assert outcome.scored[0].sequence_numbers.tolist() == [1, 3]


def test_a_model_that_refuses_its_own_medians_is_at_fault(forest: LoadedModel) -> None:
    """Then no reading is to blame, and the error goes on to the batch boundary."""

    def refuse(X: FloatArray) -> FloatArray:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        score([body(1), body(2)], replace(forest, score=refuse))


def test_bad_rows_among_many_are_found_with_few_calls(svm: LoadedModel) -> None:
    """By halves: two bad rows of 512 cost tens of calls, and every neighbour is scored alike."""
    calls: list[int] = []

    def counted(X: FloatArray) -> FloatArray:
        calls.append(len(X))
        return svm.score(X)

    bodies = [body(i, pressure=1e308) if i in {7, 300} else body(i) for i in range(512)]
    outcome = score(bodies, replace(svm, score=counted), attribution_max_readings=0)
    assert [one.event for one in outcome.rejected] == [7, 300]
    (scored,) = outcome.scored
    np.testing.assert_allclose(scored.score, svm.score(scored.X), rtol=1e-12)
    assert len(calls) < 50


def test_a_partition_key_that_is_no_sensor_id_is_rejected(forest: LoadedModel) -> None:
    """It stands in for a missing id, and a line break in it would forge a line of a store."""
    batch = event_batch([_without("sensor_id")], partition_key="pump\nforged x=1")
    policy = Policy(ReadingKeys(("sensor_id",)), Routes((), "default"))
    outcome = score_batch(batch, Snapshot({"default": forest}), policy)
    assert [(one.reason, one.field) for one in outcome.rejected] == [
        ("bad_sensor_id", "partition_key")
    ]


def test_a_model_that_is_not_ready_raises(forest: LoadedModel) -> None:
    """The batch is kept: readings of its sensors cannot be scored by another model."""
    routes = Routes((("pump-*", "default"), ("*", "other")), "default")
    with pytest.raises(ModelUnavailableError, match="other"):
        score([body(1), body(2, "kiln-1")], forest, routes=routes)


def test_readings_come_back_in_the_order_of_arrival(forest: LoadedModel) -> None:
    """Rejected ones too: by event, then by their place in it."""
    bodies = [b"[1,2]", body(1), b"", body(2)]
    outcome = score(bodies, forest)
    assert [(one.event, one.index) for one in outcome.rejected] == [(0, 0), (0, 1), (2, 0)]
    assert outcome.scored[0].sequence_numbers.tolist() == [1, 3]
