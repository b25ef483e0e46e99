"""Tests of the scoring.health: how each part of the system is told."""

from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import Mock

import msgspec
import pytest

from scoring import shared_looks
from scoring.errors import SinkUnavailableError, StorageUnavailableError
from scoring.ledger import BatchCounts, Ledger
from scoring.registry import CURRENT
from scoring.status import ModelStatus, StatusBoard
from scoring.storage import FolderStorage
from tests.deployments import Deployment, deployed, health
from tests.event_batches import body, event_batch
from tests.small_models import publish, publish_broken, small_model

pytest_plugins = ["tests.health_fixtures"]
# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0


def test_health_is_ok_with_models_before_the_first_batch(with_models: Deployment) -> None:
    """An idle system is a healthy one."""
    status, overall, parts = health(with_models)
    assert (status, overall) == (200, "ok")
    assert parts["scoring"] == {"state": "idle", "processes": 0}
    assert parts["model:default"]["version"] == small_model().manifest.version
    assert parts.keys() == {
        "settings",
        "storage",
        "model:kiln",
        "model:default",
        "scoring",
        "sink:sqlite",
        "spill",
        "dead_letters",
    }


def test_health_is_unavailable_while_a_model_is_missing(without_models: Deployment) -> None:
    """503; the part says which one."""
    publish(without_models.models, small_model())
    status, overall, parts = health(without_models)
    assert (status, overall) == (503, "unavailable")
    assert parts["model:default"]["state"] == "ok"
    assert (parts["model:kiln"]["state"], parts["model:kiln"]["found"]) == (
        "unavailable",
        "missing",
    )


def test_health_tells_what_the_scorers_did(with_models: Deployment) -> None:
    """From their records: counts, reasons, versions in use. Dead letters alone are ok."""
    with_models.app.delivery.deliver(event_batch([body(1), b"x"], hub=with_models.hub))
    status, overall, parts = health(with_models)
    assert (status, overall) == (200, "ok")
    scoring = parts["scoring"]
    assert (scoring["processes"], scoring["rejected"]) == (1, {"invalid_json": 1})
    assert (scoring["counts"]["received"], scoring["counts"]["scored"]) == (2, 1)
    assert parts["model:default"]["scorers_use"] == [small_model().manifest.version]


def other_process(deployment: Deployment, name: str) -> StatusBoard:
    """Return the board of another scorer process."""
    container = FolderStorage(deployment.data_dir).container("status")
    return StatusBoard(container, name, lambda: datetime.now(UTC))


def test_health_joins_the_records_of_all_processes(with_models: Deployment) -> None:
    """Counts are added up, and every version in use is named."""
    for name, version in (("a", "v1"), ("b", "v2")):
        ledger = Ledger()
        ledger.add(BatchCounts(3, 2, rejected={"not_utf8": 1}, lag_ms=[4.0]))
        models = {"default": ModelStatus(state="ready", version=version)}
        other_process(with_models, name).batch_ended(ledger, models, {"sqlite": "ok"})
    _, _, parts = health(with_models)
    assert parts["scoring"]["processes"] == 2
    assert parts["scoring"]["counts"]["received"] == 6
    assert parts["scoring"]["rejected"] == {"not_utf8": 2}
    assert parts["model:default"]["scorers_use"] == ["v1", "v2"]


def test_a_sink_that_fails_anywhere_degrades_health(with_models: Deployment) -> None:
    """200: scoring goes on where it can."""
    other_process(with_models, "a").batch_ended(Ledger(), {}, {"sqlite": "failing"})
    status, overall, parts = health(with_models)
    assert (status, overall, parts["sink:sqlite"]["state"]) == (200, "degraded", "degraded")


def test_a_reading_that_is_unaccounted_for_degrades_health(with_models: Deployment) -> None:
    """It must not be; so it must show."""
    ledger = Ledger()
    ledger.add(BatchCounts(received=2, scored=1))
    other_process(with_models, "a").batch_ended(ledger, {}, {})
    _, overall, parts = health(with_models)
    assert (overall, parts["scoring"]["counts"]["unaccounted"]) == ("degraded", 1)


def test_a_refused_version_reads_refused_while_the_old_one_goes_on(with_models: Deployment) -> None:
    """Health looks before it answers, and names both."""
    health(with_models)
    broken = publish_broken(with_models.models)
    status, overall, parts = health(with_models)
    part = parts["model:default"]
    assert (status, overall) == (200, "degraded")
    assert (part["state"], part["refused_version"]) == ("refused", broken)
    assert part["version"] == small_model().manifest.version


def test_a_version_that_another_process_refused_shows_too(with_models: Deployment) -> None:
    """It may lack what that process needs."""
    refused = ModelStatus(state="refused", version="v1", refused_version="v2")
    other_process(with_models, "a").batch_ended(Ledger(), {"default": refused}, {})
    _, _, parts = health(with_models)
    assert parts["model:default"]["state"] == "refused"
    assert parts["model:default"]["refused_version"] == "v2"


def test_storage_that_is_away_degrades_health_while_there_are_models(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go on scoring; without any the system is unavailable."""
    with_models.app.delivery.cache.refresh()

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailableError("models", "x", "secret-host")

    for method in ("get", "list"):
        monkeypatch.setattr(f"scoring.storage.folder.FolderContainer.{method}", away)
    status, overall, parts = health(with_models)
    assert (status, overall, parts["storage"]["state"]) == (200, "degraded", "unreachable")
    with deployed(with_models.data_dir) as fresh:
        assert health(fresh)[:2] == (503, "unavailable")


def test_health_says_how_to_get_decisions_from_a_model_without_threshold(
    with_models: Deployment,
) -> None:
    """`is_anomaly` is null then, and the part says what to set."""
    artifact = small_model("default", model="k_means")
    manifest = msgspec.structs.replace(artifact.manifest, threshold=None)
    publish(with_models.models, replace(artifact, manifest=manifest))
    _, _, parts = health(with_models)
    assert "set a threshold" in parts["model:default"]["is_anomaly"]


def test_health_holds_no_address_and_no_error_text(with_models: Deployment) -> None:
    """Anyone may ask for it."""
    health(with_models)
    publish_broken(with_models.models)
    with_models.models.put(f"kiln/{CURRENT}", b"no JSON: secret")
    with_models.app.delivery.deliver(event_batch([body(1), b"secret"], hub="secret-hub"))
    text = with_models.app.http.health().body().decode()
    assert str(with_models.data_dir) not in text
    assert "secret" not in text
    assert "SHA-256" not in text
    assert "Error" not in text


def test_health_asks_storage_at_most_once_a_second(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anyone may ask for it, as often as they like."""
    monkeypatch.setattr(shared_looks, "GOOD_FOR_S", 3_600.0)
    health(with_models)
    publish_broken(with_models.models)
    _, overall, _ = health(with_models)
    assert overall == "ok"


def test_what_waits_and_what_was_rejected_is_told(with_models: Deployment) -> None:
    """A spill degrades health and names its age; dead letters alone do not."""
    sink = with_models.app.http.sinks[0]
    down = SinkUnavailableError("sqlite", "down", "start it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(sink), "write", Mock(side_effect=down))
        with_models.app.delivery.deliver(event_batch([body(0), b"not JSON"], hub=with_models.hub))
    _, overall, parts = health(with_models)
    assert overall == "degraded"
    assert (parts["spill"]["state"], parts["spill"]["batches"]) == ("degraded", 1)
    assert parts["spill"]["oldest_age_s"] >= -5  # another clock may date files
    assert (parts["dead_letters"]["state"], parts["dead_letters"]["files"]) == ("ok", 1)
    assert (parts["sink:sqlite"]["breaker"], parts["sink:sqlite"]["spilled"]) == ("open", 1)
