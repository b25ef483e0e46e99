"""docs/contracts.md says what the app takes, gives and stores."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from local.http_message import Request
from local.ingest import BATCH_TYPE, MAX_EVENT_BYTES, MAX_REQUEST_BYTES, Ingest
from local.log import EventLog
from scoring import events, http_api, model_files, status
from scoring.app import SCORES_FILE, ScoringApp, build_app
from scoring.errors import ModelUnavailableError, SettingsError
from scoring.json_bodies import TOO_DEEP
from scoring.letters import INTERNAL, DeadLetter
from scoring.manifest import Manifest, read_manifest
from scoring.pipeline import Outcome, score_batch
from scoring.registry import Current, Registry
from scoring.scored import REFUSED_BY_STORE
from scoring.settings import load_settings
from scoring.sinks.line_protocol import lines
from scoring.sinks.sqlite import open_scores
from scoring.storage import FolderStorage, Stored
from tests.documents import (
    CONTRACTS,
    FENCE,
    calls,
    examples,
    names,
    section,
    table,
)
from training.estimators import FitOptions
from training.fitting import fit

FEATURES = ("vibration_rms_mm_s", "temperature_c", "speed_rpm")
ANOMALY = b"""{"sensor_id": "pump-01", "timestamp": "2026-05-01T12:00:00Z",
    "vibration_rms_mm_s": 9.8, "temperature_c": 74.0, "speed_rpm": 1480}"""
INCOMPLETE = b'{"sensor_id": "pump-02", "temperature_c": 61.0, "speed_rpm": 1480}'
ENQUEUED_NS = 1_777_636_801 * 10**9


def shape(value: Any) -> Any:
    """Reduce a document to its keys and kinds of values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if type(value) in {int, float} else type(value).__name__


@dataclass(frozen=True, slots=True)
class Deployment:
    """An app with a model that has scored one batch."""

    app: ScoringApp
    folder: Path

    def outcome(self, *bodies: bytes) -> Outcome:
        """Score bodies without storing anything."""
        cache, policy = self.app.delivery.cache, self.app.delivery.policy
        return score_batch(batch(*bodies), cache.snapshot(), policy)

    def stored(self, container: str) -> Any:
        """Decode the only document in a container."""
        files = FolderStorage(self.folder).container(container)
        (entry,) = files.list()
        found = files.get(entry.path)
        assert isinstance(found, Stored)
        return json.loads(found.data)


def batch(*bodies: bytes) -> events.EventBatch:
    """Make the batch that a trigger would deliver."""
    n = len(bodies)
    times, keys = [ENQUEUED_NS] * n, [f"pump-0{i + 1}" for i in range(n)]
    return events.EventBatch(
        "sensor-features", "0", bodies, range(41, 41 + n), times, keys, [None] * n
    )


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Publish a model and let the app score one batch with an anomaly and a bad reading."""
    folder = tmp_path_factory.mktemp("data")
    X = np.random.default_rng(0).normal([2.1, 61.0, 1480.0], [0.3, 2.5, 20.0], (500, 3))
    artifact = fit(X, FEATURES, FitOptions(contamination=0.02), name="default", source="train.csv")
    Registry(FolderStorage(folder).container("models")).publish(artifact.manifest, artifact.data)
    app = build_app(load_settings({"DATA_DIR": str(folder)}))
    app.delivery.deliver(batch(ANOMALY, INCOMPLETE))
    return Deployment(app, folder)


def test_every_reason_stands_in_the_table_and_no_other() -> None:
    """A dead letter's reason can be looked up."""
    found = {args[0] for args in calls("scoring", "ReadingRejectedError")}
    found |= {args[1] for args in calls("scoring", "_rejection")}
    found |= {INTERNAL, REFUSED_BY_STORE, TOO_DEEP}
    assert set(names(table(section("Reasons"), "Reason"))) == found - {None}


def test_every_json_example_parses() -> None:
    """An example can be copied."""
    found = [(kind, body) for kind, _, body in FENCE.findall(CONTRACTS) if "json" in kind]
    bodies = [one for kind, body in found for one in ([body], body.splitlines())[kind == "ndjson"]]
    assert len(bodies) > 10
    for body in bodies:
        json.loads(body)


def test_example_readings_are_scored(deployment: Deployment) -> None:
    """Every shape that the document shows is one that the app takes."""
    bodies = [body.encode() for body in examples("reading")]
    outcome = deployment.outcome(*bodies)
    assert (len(bodies), outcome.rejected) == (3, [])
    assert sum(map(len, outcome.scored)) == outcome.received == 5


def test_the_example_manifest_is_accepted() -> None:
    """A manifest written after the example can be published."""
    (text,) = examples("manifest")
    assert read_manifest(text.encode(), artifact="example").features == list(FEATURES)


def test_the_table_of_manifest_fields_is_complete() -> None:
    """Names, order and what is required are those of the code."""
    found = [(row[0].strip("`"), row[1]) for row in table(section("Manifest"), "Field")]
    expected = [
        (one.name, "yes" if one.required else "no") for one in msgspec.structs.fields(Manifest)
    ]
    assert found == expected


def test_the_example_pointer_is_accepted() -> None:
    """current.json is what the registry reads."""
    (text,) = examples("current")
    current = msgspec.json.decode(text, type=Current)
    assert shape(msgspec.to_builtins(current)) == shape(json.loads(text))


def test_the_example_dead_letter_is_what_the_app_writes(deployment: Deployment) -> None:
    """A program that reads the example reads real dead letters."""
    (text,) = examples("dead-letter")
    letter = msgspec.json.decode(text, type=DeadLetter, strict=True)
    assert json.loads(letter.raw_bytes())["sensor_id"] == "pump-02"
    assert shape(json.loads(text)) == shape(deployment.stored("dead-letter"))


def test_the_table_of_dead_letter_fields_is_complete() -> None:
    """Names, order and what is always there are those of the code."""
    found = [(row[0].strip("`"), row[1]) for row in table(section("Dead letters"), "Field")]
    expected = [
        (one.name, "yes" if one.required else "no") for one in msgspec.structs.fields(DeadLetter)
    ]
    assert found == expected


def test_the_example_status_record_is_what_the_app_writes(deployment: Deployment) -> None:
    """A program that reads the example reads real records."""
    (text,) = examples("status")
    assert shape(json.loads(text)) == shape(deployment.stored(status.CONTAINER))


def test_the_table_of_status_fields_is_complete() -> None:
    """Every field of a record is explained, in order."""
    found = names(table(section("Status record"), "Field"))
    assert tuple(found) == status.StatusRecord.__struct_fields__


def test_the_example_answer_of_score_is_what_the_app_gives(deployment: Deployment) -> None:
    """A client written after the example understands the app."""
    (text,) = examples("score")
    answer = deployment.app.http.score(b"[" + ANOMALY + b"," + INCOMPLETE + b"]", {})
    document = json.loads(answer.body())
    document["scored"][0]["cause"] = document["scored"][0]["cause"][:2]
    assert (answer.status, shape(document)) == (200, shape(json.loads(text)))


def test_the_example_of_health_is_what_the_app_gives(deployment: Deployment) -> None:
    """A monitor written after the example understands the app."""
    (text,) = examples("health")
    answer = deployment.app.http.health()
    assert (answer.status, shape(json.loads(answer.body()))) == (200, shape(json.loads(text)))


@pytest.mark.parametrize(
    ("role", "answer"),
    [("error", http_api.failure_response), ("bad-settings", http_api.settings_response)],
)
def test_the_example_of_bad_settings_is_what_the_app_gives(
    role: str, answer: Callable[[SettingsError], http_api.Response]
) -> None:
    """Text and form of both answers are the real ones."""
    environ = {"INFLUXDB_URL": "http://x", "INFLUXDB_ORG": "o", "INFLUXDB_BUCKET": "b"}
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    (text,) = examples(role)
    assert json.loads(text) == json.loads(answer(caught.value).body())


def test_every_error_code_of_http_stands_in_the_table() -> None:
    """A client can look up what it was told."""
    found = {(args[1], str(args[0])) for args in calls("scoring", "error_response") if args[1]}
    for error in (SettingsError([]), ModelUnavailableError("default", "none")):
        answer = http_api.failure_response(error)
        found.add((answer.document["error"]["code"], str(answer.status)))
    rows = table(section("HTTP"), "Code")
    assert {(row[0].strip("`"), row[1]) for row in rows} == found


def test_every_error_code_of_the_local_app_stands_in_the_table() -> None:
    """A sender can look up what it was told."""
    answers = [*calls("local", "BadRequestError"), *calls("local", "error_answer")]
    found = {(args[1], str(args[0])) for args in answers if args[0]}
    rows = table(section("The local event hub"), "Code")
    assert {(row[0].strip("`"), row[1]) for row in rows} == found


def test_the_example_batch_is_taken_by_the_local_event_hub(tmp_path: Path) -> None:
    """Both kinds of body arrive, each under its key."""
    (text,) = examples("batch")
    with EventLog(tmp_path / "hub.sqlite", 1) as log:
        headers = {"Content-Type": BATCH_TYPE}
        request = Request("POST", "http://x", "/hub/messages", "", headers, text.encode())
        answer = Ingest({"hub": log}).answer(request)
        stored = log.read(0, -1, 9)
    assert answer is not None
    assert (answer.status, [one.partition_key for one in stored]) == (201, ["pump-01", "pump-02"])
    assert (json.loads(stored[0].body)["sensor_id"], stored[1].body) == ("pump-01", b"\x00\xff")


def test_the_columns_of_sqlite_stand_in_the_table(tmp_path: Path) -> None:
    """A query written after the document works."""
    connection = open_scores(tmp_path / SCORES_FILE)
    columns = [
        (name, kind) for _, name, kind, *_ in connection.execute("PRAGMA table_info(scores)")
    ]
    connection.close()
    rows = table(section("SQLite"), "Column")
    assert [(row[0].strip("`"), row[1]) for row in rows] == columns


def test_the_example_point_is_what_the_sink_writes(deployment: Deployment) -> None:
    """Measurement, tags and fields are those of the real line, in order."""
    key = re.compile(r"^\w+|(?<=[, ])\w+(?==)")
    (example,) = (line for line in CONTRACTS.splitlines() if line.startswith("anomaly_score,"))
    assert key.findall(example) == key.findall(lines(deployment.outcome(ANOMALY).scored))


@pytest.mark.parametrize(
    "words",
    [
        f"More than {http_api._LARGEST_BODY:,} bytes",
        f"At most {model_files.MAX_MODEL_BYTES // 2**20} MiB",
        f"text of 1 to {events.LONGEST_SENSOR_ID} characters",
        f"may have {MAX_EVENT_BYTES // 2**20} MiB; the request {MAX_REQUEST_BYTES // 2**20} MiB",
    ],
)
def test_a_limit_stands_in_the_document(words: str) -> None:
    """Numbers in the text are those of the code."""
    assert words in " ".join(CONTRACTS.split())
