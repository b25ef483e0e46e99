"""Writes scored readings as InfluxDB line protocol, straight from columns."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from scoring.scored import ScoredBatch, cause_text

MEASUREMENT = "anomaly_score"
# Sensors whose tags are remembered; escaping them costs ten times as much as looking them up.
_MOST_HEADS = 100_000
# Of one request: what InfluxDB's own guide advises, a megabyte before it is packed, and some tenths
# of a second for the server. A request that times out is sent again whole, so it has to be small.
MOST_LINES = 5_000
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
_BOOLEANS = {True: "true", False: "false"}


def lines(batches: Sequence[ScoredBatch]) -> str:
    """Write all readings as one text."""
    return "\n".join(reading_lines(batches))


def reading_lines(batches: Sequence[ScoredBatch]) -> list[str]:
    """Write one line a reading; the point's time is the event time in ns.

    References
    ----------
    InfluxDB documentation, "Line protocol": order, escapes and types.
    """
    return [line for batch in batches for line in _batch_lines(batch)]


def _batch_lines(batch: ScoredBatch) -> Iterator[str]:
    model = batch.model
    version = f',model_version="{escape_text(batch.model_version)}"'
    unknown = [None] * len(batch)
    anomaly_scores = unknown if batch.anomaly_score is None else batch.anomaly_score.tolist()
    decisions = unknown if batch.is_anomaly is None else batch.is_anomaly.tolist()
    rows = zip(
        batch.sensor_ids,
        batch.score.tolist(),
        anomaly_scores,
        decisions,
        batch.event_time_ns.tolist(),
        strict=True,
    )
    for row, (sensor, score, anomaly_score, decision, time_ns) in enumerate(rows):
        fields = f"score={score!r}"
        if anomaly_score is not None:
            fields += f",anomaly_score={anomaly_score!r}"
        if decision is not None:
            fields += f",is_anomaly={_BOOLEANS[decision]}"
        fields += version
        if row in batch.causes:
            fields += f',cause="{escape_text(cause_text(batch.causes[row]))}"'
        yield f"{_head(sensor, model)}{fields} {time_ns}"


def spans(text: Sequence[str]) -> list[tuple[int, int]]:
    """Part lines into requests: of `MOST_LINES`, and ended by lines that must be the last of one.

    A server looks for the end of a line before it reads the line, and there takes a backslash to
    hide whatever follows it. A sensor id with a backslash before a space, and a quote after
    that, looks like the beginning of a text that the next line goes on with.
    """
    open_ends = {place + 1 for place, line in enumerate(text) if "\\\\ " in line and _is_open(line)}
    ends = sorted(open_ends.union(range(MOST_LINES, len(text), MOST_LINES)))
    starts = [0, *ends]
    return [
        (start, end) for start, end in zip(starts, [*ends, len(text)], strict=True) if start < end
    ]


def _is_open(line: str) -> bool:
    head = line.partition(",model=")[0]  # in the sensor id itself these signs are escaped
    return '"' in head.partition("\\\\ ")[2]


@lru_cache(maxsize=_MOST_HEADS)
def _head(sensor_id: str, model: str) -> str:
    """Write what all lines of one sensor and model begin with."""
    return f"{MEASUREMENT},sensor_id={escape_tag(sensor_id)},model={escape_tag(model)} "


def escape_tag(value: str) -> str:
    """Escape a tag value; it has no line breaks (events.py rejects them).

    A backslash at the end would escape what follows it: an escaped space stands behind it.
    """
    escaped = value.translate(_TAG_ESCAPES)
    return escaped + "\\ " if escaped.endswith("\\") else escaped


def escape_text(value: str) -> str:
    """Escape the text of a string field."""
    return value.translate(_TEXT_ESCAPES)
