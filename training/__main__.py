"""Commands that fit, calibrate and publish models: `python -m training --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from replay.columns import UnknownColumnError, column_names
from replay.recordings import Recording, describe, read_recording
from scoring.errors import ScoringError
from scoring.known_settings import STORAGE_SETTINGS
from scoring.manifest import Manifest, read_manifest
from scoring.registry import LoadOptions, Registry, beside_path
from scoring.settings import Settings, load_settings
from scoring.storage import Container, Stored, open_storage
from training.calibration import artifact_features, calibrate_artifact
from training.estimators import MODELS, SCALERS, FitError, FitOptions
from training.fitting import Artifact, fit

_console = Console(stderr=True)
_MANIFEST = "manifest.json"
# What a command does not use it does not refuse either: a store's token may be elsewhere.
_IN_MODELS = STORAGE_SETTINGS | {"MODEL_CONTAINER_NAME"}
_TO_PUBLISH = _IN_MODELS | {"TRUSTED_MODEL_TYPES", "MODEL_REFRESH_SECONDS"}
_TO_CALIBRATE = frozenset({"TRUSTED_MODEL_TYPES", "FEATURE_KEYS", "MODEL_NAME"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options))
    except (ScoringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands.add_parser("fit", help="fit a model on a recording"))
    publish = commands.add_parser("publish", help="make a fitted model the current version")
    publish.add_argument("folder", type=Path, help="what `fit --out` wrote")
    publish.add_argument("--name", help="model name, instead of the one it was fitted under")
    publish.set_defaults(run=_publish)
    calibrate = commands.add_parser("calibrate", help="add calibration to a bare artifact")
    calibrate.add_argument("artifact", help="a local file, or with --in-storage a path there")
    calibrate.add_argument("--data", type=Path, required=True, help="readings it was trained on")
    calibrate.add_argument(
        "--in-storage", action="store_true", help="the artifact is in the model container"
    )
    _add_columns(calibrate)
    calibrate.set_defaults(run=_calibrate)
    return parser


def _add_fit(parser: argparse.ArgumentParser) -> None:
    defaults = FitOptions()
    parser.add_argument("recording", type=Path, help="CSV or Parquet; one row a reading")
    parser.add_argument("--model", choices=sorted(MODELS), default=defaults.model)
    parser.add_argument("--scaler", choices=sorted(SCALERS), default=defaults.scaler)
    parser.add_argument(
        "--contamination",
        type=float,
        default=defaults.contamination,
        help="share of training readings beyond the threshold (default %(default)s)",
    )
    parser.add_argument("--n-estimators", type=int, default=defaults.n_estimators)
    parser.add_argument("--max-samples", type=int, default=defaults.max_samples)
    parser.add_argument("--n-clusters", type=int, default=defaults.n_clusters)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--name", default="default", help="model name (default %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for model.joblib and manifest.json")
    parser.add_argument("--publish", action="store_true", help="publish it where settings say")
    _add_columns(parser)
    parser.set_defaults(run=_fit)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--features",
        help="columns to use, by comma, for an artifact in its order"
        " (default: what the artifact names, else chosen, printed)",
    )
    parser.add_argument("--time", help="column of event times")
    parser.add_argument("--sensor", help="column of sensor ids")
    parser.add_argument("--label", help="column of labels, which is no feature")


def _features(options: argparse.Namespace) -> list[str] | None:
    return column_names(options.features)


def _read(path: Path, options: argparse.Namespace, features: Sequence[str] | None) -> Recording:
    with _console.status(f"reading {path.name}"):
        recording = read_recording(
            path, features=features, time=options.time, sensor=options.sensor, label=options.label
        )
    _console.print(describe(recording.choice), highlight=False)
    return recording


def _fit(options: argparse.Namespace) -> str:
    recording = _read(options.recording, options, _features(options))
    chosen = FitOptions(
        model=options.model,
        scaler=options.scaler,
        contamination=options.contamination,
        n_estimators=options.n_estimators,
        max_samples=options.max_samples,
        n_clusters=options.n_clusters,
        seed=options.seed,
    )
    features = recording.choice.features
    with _console.status(f"fitting {chosen.model} on {len(recording.X)} readings"):
        artifact = fit(
            recording.X, features, chosen, name=options.name, source=options.recording.name
        )
    if options.out is None and not options.publish:
        return f"fitted {artifact.manifest.version}; nothing kept: give --out or --publish"
    said = []
    if options.out is not None:
        _write(artifact, options.out)
        said.append(f"wrote {options.out / artifact.manifest.file} and {_MANIFEST}")
    if options.publish:
        said.append(_publish_artifact(artifact))
    return "\n".join(said)


def _write(artifact: Artifact, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / artifact.manifest.file).write_bytes(artifact.data)
    text = msgspec.json.format(msgspec.json.encode(artifact.manifest), indent=2)
    (folder / _MANIFEST).write_bytes(text)


def _publish(options: argparse.Namespace) -> str:
    folder: Path = options.folder
    manifest = read_manifest((folder / _MANIFEST).read_bytes(), artifact=str(folder))
    if options.name:
        manifest = msgspec.structs.replace(manifest, name=options.name)
    return _publish_artifact(Artifact(manifest, (folder / manifest.file).read_bytes()))


def _publish_artifact(artifact: Artifact) -> str:
    settings = load_settings(only=_TO_PUBLISH)
    manifest = artifact.manifest
    registry = Registry(_models(settings), LoadOptions(settings.trusted_model_types))
    with _console.status(f"publishing {manifest.name}/{manifest.version}"):
        registry.publish(manifest, artifact.data)
    return (
        f"published {manifest.name}/{manifest.version}; scorers use it within"
        f" {settings.model_refresh_seconds:g} s"
    )


def _calibrate(options: argparse.Namespace) -> str:
    in_models = _IN_MODELS if options.in_storage else frozenset[str]()
    settings = load_settings(only=_TO_CALIBRATE | in_models)
    models = _models(settings)
    data = _artifact_bytes(models, options)
    load = LoadOptions(settings.trusted_model_types, _features(options) or settings.feature_keys)
    # all that the model needs, even what would be no choice for a new one, such as a constant
    needed = artifact_features(data, options.artifact, load)
    try:
        recording = _read(options.data, options, needed)
    except UnknownColumnError as error:
        hint = "name the model's features in its order with --features a,b,c or FEATURE_KEYS"
        raise FitError(f"{error}; {hint}") from error
    manifest = calibrate_artifact(
        data,
        options.artifact,
        recording.X,
        recording.choice.features,
        source=options.data.name,
        name=settings.model_name,
        options=load,
    )
    return _keep_beside(models, manifest, options)


def _artifact_bytes(models: Container, options: argparse.Namespace) -> bytes:
    if not options.in_storage:
        return Path(options.artifact).read_bytes()
    found = models.get(options.artifact)
    if isinstance(found, Stored):
        return found.data
    raise FileNotFoundError(f"{options.artifact} is not in container {models.name}")


def _keep_beside(models: Container, manifest: Manifest, options: argparse.Namespace) -> str:
    path = beside_path(options.artifact)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    if options.in_storage:
        models.put(path, text)
        return f"wrote {path} in container {models.name}"
    Path(path).write_bytes(text)
    return f"wrote {path}; keep it beside the artifact in the model container"


def _models(settings: Settings) -> Container:
    return open_storage(settings).container(settings.model_container_name)


if __name__ == "__main__":
    sys.exit(main())
