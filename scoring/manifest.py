"""The description that stands beside a published model file."""

from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from scoring.errors import ArtifactRejectedError
from scoring.thresholds import Calibration

# Raised when a reader of the old form could misread the new one; a reader refuses newer forms.
FORMAT = 1

_Finite = Annotated[float, msgspec.Meta(ge=-1e308, le=1e308)]


class CalibrationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A `Calibration` as JSON."""

    points: Annotated[list[_Finite], msgspec.Meta(min_length=1, max_length=10_000)]
    tail_scale: Annotated[float, msgspec.Meta(ge=0, le=1e308)]
    n_readings: Annotated[int, msgspec.Meta(ge=1)]

    @classmethod
    def of(cls, calibration: Calibration) -> "CalibrationRecord":
        """Record a calibration."""
        return cls(
            points=calibration.points.tolist(),
            tail_scale=calibration.tail_scale,
            n_readings=calibration.n_readings,
        )

    def calibration(self) -> Calibration:
        """Return it for use; points are ascending."""
        return Calibration(np.array(self.points), self.tail_scale, self.n_readings)


class GoldenRows(msgspec.Struct, frozen=True, kw_only=True):
    """A few rows and the scores they had where the model was made."""

    rows: Annotated[list[list[_Finite]], msgspec.Meta(min_length=1, max_length=100)]
    scores: list[_Finite]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the publisher says of one version of a model.

    `threshold` is on the scale of `score`; `medians` are in the order of `features`.
    """

    format: int = FORMAT
    name: str
    version: str
    created_at: str
    file: Literal["model.joblib", "model.skops"]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    estimator: str
    features: Annotated[list[str], msgspec.Meta(min_length=1)]
    threshold: _Finite | None = None
    anomalous: Literal["below", "above"] | None = None
    anomaly_class: int | str | bool | None = None
    medians: list[_Finite] | None = None
    calibration: CalibrationRecord | None = None
    golden: GoldenRows | None = None
    library_versions: dict[str, str] = {}
    training: dict[str, Any] = {}


def read_manifest(data: bytes, *, artifact: str) -> Manifest:
    """Decode and check a manifest.

    Raises
    ------
    ArtifactRejectedError
        Naming the field that is wrong.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _refused(artifact, f"manifest.json: {error}") from error
    if manifest.format > FORMAT:
        raise _refused(artifact, f"manifest.json: format {manifest.format} is newer than {FORMAT}")
    if len(set(manifest.features)) < len(manifest.features):
        raise _refused(artifact, "manifest.json: a feature is named twice")
    _check_lengths(manifest, artifact)
    return manifest


def _check_lengths(manifest: Manifest, artifact: str) -> None:
    n = len(manifest.features)
    if manifest.medians is not None and len(manifest.medians) != n:
        raise _refused(artifact, f"manifest.json: {len(manifest.medians)} medians, {n} features")
    golden = manifest.golden
    if golden is not None and (
        len(golden.rows) != len(golden.scores) or any(len(row) != n for row in golden.rows)
    ):
        raise _refused(artifact, "manifest.json: golden rows and scores do not fit together")
    points = manifest.calibration.points if manifest.calibration else []
    if any(later < earlier for earlier, later in pairwise(points)):
        raise _refused(artifact, "manifest.json: calibration points are not ascending")


def _refused(artifact: str, found: str) -> ArtifactRejectedError:
    return ArtifactRejectedError(
        artifact, found, "publish it again with python -m training publish"
    )
