"""Tests of scoring.sinks.sqlite: one row an identity, whoever writes."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import SinkUnavailableError
from scoring.sinks.sqlite import SqliteSink, open_scores
from tests.event_batches import ENQUEUED_NS
from tests.scored_batches import scored_batch

ROOT = Path(__file__).parents[1]


def count_scores(path: Path) -> int:
    """Count stored identities."""
    with closing(open_scores(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM scores").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the scores will be; the folder is not there yet."""
    return tmp_path / "data" / "scores.sqlite"


@pytest.fixture
def sink(path: Path) -> Iterator[SqliteSink]:
    """Return a sink on an empty file."""
    sink = SqliteSink(path)
    yield sink
    sink.close()


def rows(path: Path) -> list[dict[str, Any]]:
    """Read every row, by time."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM scores ORDER BY event_time, model")
        return [dict(row) for row in found]


def test_a_row_holds_the_whole_result_of_a_reading(sink: SqliteSink, path: Path) -> None:
    """Identity, scores in full precision, cause, features and where the reading came from."""
    sink.write([scored_batch(1)])
    (row,) = rows(path)
    assert json.loads(row.pop("cause"))[0] == {"feature": "vibration", "share": 0.75}
    assert json.loads(row.pop("features")) == {"temperature": 0.5, "vibration": 0.25}
    assert row == {
        "model": "default",
        "sensor_id": "pump-1",
        "event_time": ENQUEUED_NS,
        "model_version": "v1",
        "score": 0.1 - 0.5,
        "anomaly_score": 0.5,
        "is_anomaly": 1,
        "filled": 0,
        "partition": "0",
        "sequence_number": 0,
        "reading_index": 0,
    }


def test_what_is_not_known_is_null(sink: SqliteSink, path: Path) -> None:
    """Without calibration and threshold there is a score alone."""
    sink.write([scored_batch(1, anomaly_score=None, is_anomaly=None, causes={})])
    (row,) = rows(path)
    assert (row["anomaly_score"], row["is_anomaly"], row["cause"]) == (None, None, None)


def test_a_batch_written_again_adds_nothing(sink: SqliteSink, path: Path) -> None:
    """Even in parts, and in another order."""
    sink.write([scored_batch(5)])
    before = rows(path)
    sink.write([scored_batch(2, first=3, causes={}, is_anomaly=None), scored_batch(3)])
    sink.write([scored_batch(5)])
    assert rows(path) == before


def test_the_version_that_scored_last_replaces_the_one_before(sink: SqliteSink, path: Path) -> None:
    """A reading has one stored result a model."""
    sink.write([scored_batch(2)])
    sink.write([scored_batch(1, model_version="v2")])
    assert [row["model_version"] for row in rows(path)] == ["v2", "v1"]


def test_two_models_keep_a_result_each(sink: SqliteSink, path: Path) -> None:
    """The model is part of the identity."""
    sink.write([scored_batch(1), scored_batch(1, model="other")])
    assert [row["model"] for row in rows(path)] == ["default", "other"]


def test_a_fault_in_one_of_two_batches_stores_neither(sink: SqliteSink, path: Path) -> None:
    """One transaction: whole or not at all."""
    unfit = scored_batch(1, sensor_ids=[object()])
    with pytest.raises(SinkUnavailableError):
        sink.write([scored_batch(3), unfit])
    assert count_scores(path) == 0
    sink.write([scored_batch(3)])
    assert count_scores(path) == 3


def test_threads_of_a_process_may_write_at_once(sink: SqliteSink, path: Path) -> None:
    """Partitions end their batches at the same time."""
    threads = [
        threading.Thread(target=sink.write, args=([scored_batch(50, first=50 * i)],))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_scores(path) == 400


WRITER = """
import sys
from pathlib import Path
from scoring.sinks.sqlite import SqliteSink
from tests.scored_batches import scored_batch
sink = SqliteSink(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
first = int(sys.argv[2])
for i in range(20):
    sink.write([scored_batch(20, first=first + 20 * i), scored_batch(20, model="shared")])
sink.close()
"""


def test_processes_may_write_at_once_from_the_first_row_on(path: Path) -> None:
    """They make the file together, and none of them fails or loses a row."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(400 * i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
        )
        for i in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in ended] == [""] * 4
    assert count_scores(path) == 4 * 400 + 20


def test_a_reader_sees_scores_while_a_process_writes(sink: SqliteSink, path: Path) -> None:
    """A long look sees one moment, and does not keep the process from writing."""
    sink.write([scored_batch(1)])
    with closing(open_scores(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM scores").fetchone() == (1,)
        sink.write([scored_batch(1, first=1)])
        assert reader.execute("SELECT count(*) FROM scores").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM scores").fetchone() == (2,)


def test_a_folder_that_cannot_be_made_is_an_unavailable_sink(tmp_path: Path) -> None:
    """The batch is kept; the message says what to check. A file stands where the folder should."""
    (tmp_path / "data").write_text("a file")
    sink = SqliteSink(tmp_path / "data" / "scores.sqlite")
    with pytest.raises(SinkUnavailableError, match="the rights and the free space of DATA_DIR"):
        sink.write([scored_batch(1)])


def test_a_full_disk_is_an_unavailable_sink_until_there_is_room(
    sink: SqliteSink, path: Path
) -> None:
    """SQLite is told that it may have no more pages, then that it may."""
    sink.write([scored_batch(1)])
    assert sink._connection is not None
    pages = sink._connection.execute("PRAGMA page_count").fetchone()[0]
    sink._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SinkUnavailableError, match="full"):
        sink.write([scored_batch(2_000)])
    assert count_scores(path) == 1
    sink.write([scored_batch(2_000)])
    assert count_scores(path) == 2_000


def test_a_file_that_is_no_database_is_an_unavailable_sink(path: Path) -> None:
    """It is left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(SinkUnavailableError, match="not a database"):
        SqliteSink(path).write([scored_batch(1)])
    assert path.read_bytes() == b"no database" * 1_000
