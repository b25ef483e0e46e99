"""Tests of scoring.pipeline: one batch, from bodies to scored and rejected readings."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scoring.artifacts import LoadedModel
from scoring.cache import Snapshot
from scoring.errors import ModelUnavailableError
from scoring.events import ReadingKeys
from scoring.features import FloatArray
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.registry import Registry
from scoring.routing import Routes
from scoring.storage import FolderStorage
from tests.event_batches import body, body_without, event_batch, reading
from tests.small_models import FEATURES, small_model
from training.fitting import Artifact


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
    (scored,) = score([body_without("pressure"), body(1)], forest, missing_features="median").scored
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
    bodies = [body_without("pressure"), body(1), body(2, pressure=1e308), body(3)]
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
    batch = event_batch([body_without("sensor_id")], partition_key="pump\nforged x=1")
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
