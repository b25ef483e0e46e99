"""Tests of local.run_source: what a recording is fitted on, and what is streamed."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from local.run_source import RunSource, recorded_source
from replay.recordings import RecordingError


def source(tmp_path: Path, *columns: list[Any], **options: Any) -> RunSource:
    """Read a recording of one sensor with the columns a, b, and so on."""
    path = tmp_path / "pump.csv"
    header = ["sensor_id", *"abc"[: len(columns)]]
    rows = [["p", *row] for row in zip(*columns, strict=True)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]))
    defaults = {"features": None, "time_column": None, "sensor": None, "label": None}
    return recorded_source(path, **{**defaults, **options})


LIVELY = list(range(20))
LATE = [7] * 6 + list(range(14))


@pytest.mark.parametrize("features", [None, ["a", "b"]])
def test_a_feature_that_is_constant_at_first_is_left_out_with_the_reason(
    tmp_path: Path, features: list[str] | None
) -> None:
    """The model would not see its changes; that is said, and the others are fitted."""
    found = source(tmp_path, LIVELY, LATE, features=features)
    assert found.features == ("a",)
    assert found.fit_on.tolist() == [[float(i)] for i in range(6)]
    assert "b (constant in the first 30 %)" in found.said
    assert set(msgspec.json.decode(next(found.messages).body)) == {"sensor_id", "timestamp", "a"}


def test_what_is_constant_in_the_readings_without_gaps_is_constant(tmp_path: Path) -> None:
    """Readings with gaps are not fitted on, so their values do not count."""
    gaps = ["", "", *range(18)]
    found = source(tmp_path, LIVELY, [1, 2, *LATE[2:]], gaps)
    assert found.features == ("a", "c")


def test_a_recording_that_is_all_constant_at_first_is_refused(tmp_path: Path) -> None:
    """Nothing could be learned from it."""
    with pytest.raises(RecordingError, match=r"pump\.csv: no feature changes in the first 30 %"):
        source(tmp_path, LATE)


def test_a_column_that_is_empty_at_first_is_not_called_constant(tmp_path: Path) -> None:
    """Fitting tells that there are gaps, and where."""
    found = source(tmp_path, LIVELY, [""] * 6 + list(range(14)))
    assert found.features == ("a", "b")
    assert np.isnan(found.fit_on[:, 1]).all()
    assert found.fit_source == "pump.csv, first 30 % of its readings"


def test_one_sensor_is_not_many(tmp_path: Path) -> None:
    """The title reads as a sentence."""
    assert "20 readings of 1 sensor;" in source(tmp_path, LIVELY).title
