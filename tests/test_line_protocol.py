"""Tests of scoring.sinks.line_protocol: what is written reads back as it was."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client.client.write import point as client_points

from fuzz.line_reader import read_line as read_as_a_server
from fuzz.line_reader import split_lines
from scoring.attribution import Share
from scoring.sinks.line_protocol import lines, reading_lines, spans
from tests.event_batches import ENQUEUED_NS
from tests.scored_batches import scored_batch


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """A point as a server reads it."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, object]
    time_ns: int


# A tag value ends at the first comma or space that no backslash stands before.
_TAG = re.compile(r",(\w+)=((?:[^,= ]|(?<=\\)[,= ])*)")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^," ]+)(,| )', re.DOTALL)


def read_line(text: str) -> ReadPoint:
    """Read one line, by the rules of InfluxDB's documentation."""
    measurement = text[: text.index(",")]
    place, tags, fields = len(measurement), {}, {}
    while found := _TAG.match(text, place):
        tags[found[1]] = re.sub(r"\\([,= ])", r"\1", found[2])
        place = found.end()
    assert text[place] == " ", text[place:]
    place += 1
    while found := _FIELD.match(text, place):
        fields[found[1]] = _value(found[2])
        place = found.end()
        if found[3] == " ":
            break
    return ReadPoint(measurement, tags, fields, int(text[place:]))


def _value(text: str) -> object:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return {"true": True, "false": False}[text] if text in {"true", "false"} else float(text)


def test_a_line_is_what_the_contract_shows() -> None:
    """Measurement, both tags, every field, and the event time in ns."""
    batch = scored_batch(
        1,
        score=np.array([-0.234]),
        anomaly_score=np.array([0.998]),
        causes={0: (Share("vibration_rms", 0.71),)},
    )
    assert lines([batch]) == (
        "anomaly_score,sensor_id=pump-1,model=default score=-0.234,anomaly_score=0.998,"
        f'is_anomaly=true,model_version="v1",cause="vibration_rms 71%" {ENQUEUED_NS}'
    )


def test_fields_that_are_null_are_left_out() -> None:
    """Without calibration, threshold and cause; a bare artifact has none of them."""
    (line,) = lines([scored_batch(1, anomaly_score=None, is_anomaly=None, causes={})]).split("\n")
    assert read_line(line).fields.keys() == {"score", "model_version"}


def test_every_reading_of_every_batch_has_a_line() -> None:
    """In order; only explained anomalies have a cause."""
    points = [
        read_line(line) for line in lines([scored_batch(2), scored_batch(1, first=7)]).split("\n")
    ]
    assert [point.time_ns - ENQUEUED_NS for point in points] == [0, 10**9, 7 * 10**9]
    assert ["cause" in point.fields for point in points] == [True, False, True]


def test_whole_numbers_stay_floats() -> None:
    """A field's type is fixed by its first point; one integer would make later floats fail."""
    batch = scored_batch(1, score=np.array([1.0]), anomaly_score=np.array([0.0]))
    assert "score=1.0,anomaly_score=0.0," in lines([batch])


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63) + 1, 2**63 - 1))
def test_scores_and_times_keep_their_full_precision(score: float, time_ns: int) -> None:
    """Existing dashboards read the same numbers as before."""
    batch = scored_batch(1, score=np.array([score]), event_time_ns=np.array([time_ns]))
    point = read_line(lines([batch]))
    assert (point.fields["score"], point.time_ns) == (score, time_ns)


# What events.py lets through as a sensor id; a backslash at its end is a case of its own.
SENSOR = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(
    lambda text: not text.endswith("\\")
)


@given(SENSOR)
def test_a_sensor_id_reads_back_as_it_was(sensor: str) -> None:
    """Commas, spaces, equals signs and backslashes included."""
    point = read_line(lines([scored_batch(1, sensor_ids=[sensor])]))
    assert point.tags == {"sensor_id": sensor, "model": "default"}


def test_a_backslash_at_the_end_of_a_sensor_id_swallows_nothing() -> None:
    """Line protocol cannot hold it: a space stands behind it, and the other parts are whole."""
    point = read_line(lines([scored_batch(1, sensor_ids=["pump\\"])]))
    assert point.tags == {"sensor_id": "pump\\ ", "model": "default"}


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=20))
def test_text_fields_read_back_as_they_were(text: str) -> None:
    """Quotes, backslashes and line breaks in a feature's name included."""
    batch = scored_batch(1, causes={0: (Share(text, 1.0),)})
    assert read_line(lines([batch])).fields["cause"] == f"{text} 100%"


@pytest.mark.parametrize(
    "sensor", ["pump-1", "pump 1", "a,b=c", "läuft", "a\\b", "10%"], ids=lambda text: text
)
def test_the_client_library_writes_the_same_points(sensor: str) -> None:
    """`Point` of influxdb-client sorts tags and fields, and says the same of them."""
    new_point: Any = client_points.Point  # untyped
    point = (
        new_point("anomaly_score")
        .tag("sensor_id", sensor)
        .tag("model", "default")
        .field("score", -0.4)
        .field("anomaly_score", 0.5)
        .field("is_anomaly", True)
        .field("model_version", 'v"1\\')
        .field("cause", "vibration 75%, temperature 25%")
        .time(ENQUEUED_NS)
    )
    batch = scored_batch(1, sensor_ids=[sensor], model_version='v"1\\')
    assert read_line(point.to_line_protocol()) == read_line(lines([batch]))


HIDING = '\\ \\="x'


def test_a_line_whose_end_a_server_would_miss_is_the_last_of_its_request() -> None:
    """Its backslash hides a space, and its quote then begins a text: the next line is no part."""
    text = reading_lines([scored_batch(4, sensor_ids=["a", HIDING, "b", HIDING])])
    assert len(split_lines("\n".join(text[1:3]))) == 1
    assert spans(text) == [(0, 2), (2, 4)]


@pytest.mark.parametrize("sensor", ["pump-1", "a b", 'a "b"', "a\\", "a\\b", "a\\ b", 'a"\\ b'])
def test_any_other_lines_are_one_request(sensor: str) -> None:
    """Spaces, quotes and backslashes hide no end by themselves."""
    text = reading_lines([scored_batch(3, sensor_ids=[sensor] * 3)])
    assert spans(text) == [(0, 3)]
    assert split_lines("\n".join(text)) == text


def test_no_lines_are_no_request() -> None:
    """Where every reading was rejected."""
    assert spans([]) == []


@example([HIDING, "b"])
@given(st.lists(st.text(st.sampled_from('a\\ ,="\u00e9'), min_size=1, max_size=12), min_size=1))
def test_a_server_finds_every_reading_of_a_request(sensors: list[str]) -> None:
    """No sensor id adds a line, takes one away, or forges a tag or a field."""
    text = reading_lines([scored_batch(len(sensors), sensor_ids=sensors)])
    found = [line for start, end in spans(text) for line in split_lines("\n".join(text[start:end]))]
    points = [read_as_a_server(line) for line in found]
    shown = [f"{sensor} " if sensor.endswith("\\") else sensor for sensor in sensors]
    assert [point.tags for point in points] == [
        {"sensor_id": sensor, "model": "default"} for sensor in shown
    ]
    assert all(point.fields["model_version"] == "v1" for point in points)
