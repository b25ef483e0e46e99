"""Reads the file that says which features a simulation has."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from replay.columns import NO_FEATURE_NAMES
from scoring.errors import ScoringError

DEFAULT_FILE = Path(__file__).with_name("features.toml")
Kind = Literal["spike", "level_shift", "drift", "stuck"]
KINDS: tuple[Kind, ...] = ("spike", "level_shift", "drift", "stuck")

T = TypeVar("T")
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class FeaturesFileError(ScoringError):
    """A features file is wrong; the message names the field."""

    def __init__(self, file: str, field: str, found: str) -> None:
        self.field = field
        super().__init__(
            f"features file {file}: {field}: {found}; replay/features.toml explains every field"
        )


class AnomalySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often one kind of anomaly happens, for how long and how strongly.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    rate : float
        Share of a station's readings, in [0, 1).
    duration_s : pair of float
        Shortest and longest.
    size : pair of float
        Smallest and largest, in standard deviations of the feature.
    """

    kind: Kind
    rate: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    duration_s: tuple[Positive, Positive]
    size: tuple[NotNegative, NotNegative] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, (low, high) in (("duration_s", self.duration_s), ("size", self.size)):
            if low > high:
                raise ValueError(f"{name}: the first value must not be above the second")
        if self.kind != "stuck" and self.size[1] == 0:
            raise ValueError("size: must be above 0")


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one feature behaves.

    Parameters
    ----------
    name, unit : str
        As in readings; as on plots.
    mean, spread : float
        Long-run mean and standard deviation of the random walk.
    return_time_s : float
        Time constant with which the walk returns to its mean.
    station_spread, noise : float or None
        Standard deviations of the stations' offsets and of the measurement noise.
    minimum, maximum : float or None
        Physical bounds.
    daily_amplitude, daily_peak_h : float
        Height of a daily cycle, and its hour (UTC).
    decimals : int or None
        Digits that the sensor gives.
    anomalies : tuple of AnomalySpec
        What is injected; ``rate`` is this feature's share alone.
    """

    name: str
    mean: float
    spread: Positive
    unit: str = ""
    return_time_s: Positive = 300.0
    station_spread: NotNegative | None = None
    noise: NotNegative | None = None
    minimum: float | None = None
    maximum: float | None = None
    daily_amplitude: NotNegative = 0.0
    daily_peak_h: Annotated[float, msgspec.Meta(ge=0, le=24)] = 14.0
    decimals: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    anomalies: tuple[AnomalySpec, ...] = ()

    def __post_init__(self) -> None:
        low = float("-inf") if self.minimum is None else self.minimum
        high = float("inf") if self.maximum is None else self.maximum
        if not low <= self.mean <= high or low == high:
            raise ValueError("mean: must lie between minimum and maximum")

    @property
    def station_sd(self) -> float:
        """Standard deviation of the stations' offsets."""
        return self.spread if self.station_spread is None else self.station_spread

    @property
    def noise_sd(self) -> float:
        """Standard deviation of the measurement noise."""
        return self.spread / 10 if self.noise is None else self.noise

    @property
    def sd(self) -> float:
        """Standard deviation of one station's readings, without the daily cycle."""
        return float((self.spread**2 + self.noise_sd**2) ** 0.5)


def load_features(path: Path | str | None = None) -> tuple[FeatureSpec, ...]:
    """Read a features file.

    Parameters
    ----------
    path : Path or str, optional
        TOML; its fields are explained in ``replay/features.toml``, the default. A file without
        an ``anomalies`` table takes the default's.

    Returns
    -------
    tuple of FeatureSpec
        In file order.

    Raises
    ------
    FeaturesFileError
        The file cannot be read, a field is wrong or unknown, or there is no feature.
    """
    file = Path(path) if path is not None else DEFAULT_FILE
    content = _content(file)
    unknown = sorted(content.keys() - {"features", "anomalies"})
    if unknown:
        raise FeaturesFileError(file.name, unknown[0], "there is no such table")
    features = _tables(file, content, "features")
    if not features:
        raise FeaturesFileError(file.name, "features", "it holds no table such as [features.x]")
    if "anomalies" not in content:
        content = _content(DEFAULT_FILE)
    anomalies = _anomalies(file, _tables(file, content, "anomalies"), len(features))
    return tuple(_feature(file, name, table, anomalies) for name, table in features.items())


def _content(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FeaturesFileError(str(file), "file", error.strerror or str(error)) from error
    except ValueError as error:
        raise FeaturesFileError(file.name, "file", f"it is no TOML: {error}") from error


def _tables(file: Path, content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return _convert(file, name, content.get(name, {}), dict[str, dict[str, Any]])


def _feature(
    file: Path, name: str, table: dict[str, Any], anomalies: tuple[AnomalySpec, ...]
) -> FeatureSpec:
    field = f"features.{name}"
    if name.lower() in NO_FEATURE_NAMES:
        raise FeaturesFileError(file.name, field, "this name is no feature's in a recording")
    if "anomalies" in table:
        raise FeaturesFileError(file.name, f"{field}.anomalies", "anomalies are for all features")
    spec = _convert(file, field, {**table, "name": name}, FeatureSpec)
    return msgspec.structs.replace(spec, anomalies=anomalies)


def _anomalies(
    file: Path, tables: dict[str, dict[str, Any]], n_features: int
) -> tuple[AnomalySpec, ...]:
    """Share each kind's rate out to the features evenly."""
    specs = [
        _convert(file, f"anomalies.{kind}", {**table, "kind": kind}, AnomalySpec)
        for kind, table in tables.items()
    ]
    if sum(spec.rate for spec in specs) >= 1:
        raise FeaturesFileError(file.name, "anomalies", "the sum of all rates must be below 1")
    return tuple(msgspec.structs.replace(spec, rate=spec.rate / n_features) for spec in specs)


def _convert(file: Path, field: str, value: object, to: type[T]) -> T:
    try:
        return msgspec.convert(value, to)
    except msgspec.ValidationError as error:
        text, _, at = str(error).partition(" - at `$")
        # msgspec hides the key of a mapping.
        where = field + at.rstrip("`").replace("[...]", "")
        raise FeaturesFileError(file.name, where, text) from error
