"""Finds and publishes model versions: names, versions, and the pointer to the current one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec

from scoring.artifacts import LoadedModel, load_bare, load_published, version_of
from scoring.errors import ArtifactRejectedError
from scoring.manifest import Manifest, read_manifest
from scoring.names import is_model_name
from scoring.storage import ConditionNotMetError, Container, NotRead, Stored

CURRENT = "current.json"
MANIFEST = "manifest.json"
_NO_ETAG = "-"
# Two publishers seldom meet; this many in a row never do.
_MOST_CONFLICTS = 5


class Current(msgspec.Struct, frozen=True):
    """Which version of a model is in use, and which one was before it."""

    version: Annotated[str, msgspec.Meta(max_length=64)]
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version that is not in use yet.

    Parameters
    ----------
    tag : str
        Tells later whether anything has changed since.
    version : str
        As far as it is known before loading.
    load : callable
        Opens and checks it; raises `ArtifactRejectedError` or `StorageUnavailableError`.
    """

    tag: str
    version: str
    load: Callable[[], LoadedModel]


class ModelSource(Protocol):
    """Where the cache looks for models; every method may be called from any thread."""

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Look for a version that differs from the one with `known_tag`.

        Raises `ArtifactRejectedError` where what is there cannot be used, and
        `StorageUnavailableError` where storage does not answer.
        """


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Settings that bear on how a model file is read."""

    trusted: frozenset[str] = frozenset()
    feature_keys: Sequence[str] | None = None
    needs_medians: bool = False


class Registry:
    """The registry layout in one container.

    A version is written once and never replaced. `current.json` is written last and whole, so a
    reader sees the version before or the version after, and never half of one.
    """

    def __init__(self, container: Container, options: LoadOptions | None = None) -> None:
        self._container = container
        self._options = options or LoadOptions()

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Look where `current.json` points to; see `ModelSource.fetch`."""
        found = self._container.get(f"{name}/{CURRENT}", known_etag=known_tag)
        if isinstance(found, NotRead):
            return found
        version = _decode_current(found.data, name).version
        return Fetched(found.etag, version, lambda: self.load(name, version))

    def current(self, name: str) -> Current | None:
        """Return what `current.json` says; None before the first publication."""
        found = self._container.get(f"{name}/{CURRENT}")
        return None if isinstance(found, NotRead) else _decode_current(found.data, name)

    def load(self, name: str, version: str) -> LoadedModel:
        """Open one version.

        Raises
        ------
        ArtifactRejectedError
            If it is incomplete, altered, or anything but a plain model.
        """
        artifact = f"{name}/{version}"
        manifest = read_manifest(self._read(artifact, MANIFEST), artifact=artifact)
        if (manifest.name, manifest.version) != (name, version):
            raise ArtifactRejectedError(
                artifact,
                f"its manifest is that of {manifest.name}/{manifest.version}",
                "publish it under its own name",
            )
        data = self._read(artifact, manifest.file)
        return load_published(
            data,
            manifest,
            trusted=self._options.trusted,
            feature_keys=self._options.feature_keys,
            needs_medians=self._options.needs_medians,
        )

    def _read(self, artifact: str, file: str) -> bytes:
        found = self._container.get(f"{artifact}/{file}")
        if isinstance(found, Stored):
            return found.data
        raise ArtifactRejectedError(artifact, f"{file} is missing", "publish the version again")

    def publish(self, manifest: Manifest, data: bytes) -> None:
        """Write a version and make it the current one.

        Raises
        ------
        ArtifactRejectedError
            If the name or the version cannot be one, the file is not the manifest's, the model
            does not load, or another model already has this version.
        """
        name, version = manifest.name, manifest.version
        artifact = f"{name}/{version}"
        if not is_model_name(name) or not is_model_name(version) or version == CURRENT:
            raise ArtifactRejectedError(
                artifact, "its name is not usable", "use 1 to 64 letters, digits, . _ and -"
            )
        load_published(data, manifest, trusted=self._options.trusted, feature_keys=None)
        self._write_once(artifact, manifest.file, data)
        self._write_once(artifact, MANIFEST, msgspec.json.encode(manifest))
        self.point(name, version)

    def _write_once(self, artifact: str, file: str, data: bytes) -> None:
        path = f"{artifact}/{file}"
        try:
            self._container.put(path, data, only_if_absent=True)
        except ConditionNotMetError as error:
            found = self._container.get(path)
            if not isinstance(found, Stored) or found.data != data:
                raise ArtifactRejectedError(
                    artifact, "another model already has this version", "choose a new version"
                ) from error

    def point(self, name: str, version: str) -> None:
        """Make a published version the current one, in one atomic write."""
        path = f"{name}/{CURRENT}"
        for _ in range(_MOST_CONFLICTS):
            found = self._container.get(path)
            before = found if isinstance(found, Stored) else None
            previous = _decode_current(before.data, name) if before else None
            if previous is not None and previous.version == version:
                return
            pointer = Current(version, previous.version if previous else None)
            try:
                self._container.put(
                    path,
                    msgspec.json.encode(pointer),
                    only_if_absent=before is None,
                    if_etag=before.etag if before else None,
                )
            except ConditionNotMetError:
                continue
            return
        raise ConditionNotMetError("models", path)


def _decode_current(data: bytes, name: str) -> Current:
    try:
        current = msgspec.json.decode(data, type=Current)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ArtifactRejectedError(
            f"{name}/{CURRENT}", str(error), "publish the model again"
        ) from error
    if not is_model_name(current.version):
        raise ArtifactRejectedError(
            f"{name}/{CURRENT}", "its version is no plain name", "publish the model again"
        )
    return current


class BareFile:
    """One bare artifact in a container, and the manifest that may stand beside it."""

    def __init__(self, container: Container, path: str, options: LoadOptions | None = None) -> None:
        self._container = container
        self._path = path
        self._options = options or LoadOptions()

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Look whether the file or the manifest beside it changed; see `ModelSource.fetch`."""
        known_file, _, known_beside = (known_tag or "").partition("|")
        known = None if known_beside in {"", _NO_ETAG} else known_beside
        beside = self._container.get(beside_path(self._path), known_etag=known)
        if beside is NotRead.UNCHANGED or (beside is NotRead.MISSING and known_beside == _NO_ETAG):
            file = self._container.get(self._path, known_etag=known_file or None)
            if isinstance(file, NotRead):
                return file
            if beside is NotRead.UNCHANGED:
                beside = self._container.get(beside_path(self._path))
        else:
            file = self._container.get(self._path)
        if not isinstance(file, Stored):
            return NotRead.MISSING
        return self._fetched(name, file, beside if isinstance(beside, Stored) else None)

    def _fetched(self, name: str, file: Stored, beside: Stored | None) -> Fetched:
        tag = f"{file.etag}|{beside.etag if beside else _NO_ETAG}"

        def load() -> LoadedModel:
            manifest = (
                read_manifest(beside.data, artifact=beside_path(self._path)) if beside else None
            )
            return load_bare(
                file.data,
                self._path,
                name=name,
                trusted=self._options.trusted,
                feature_keys=self._options.feature_keys,
                needs_medians=self._options.needs_medians,
                beside=manifest,
            )

        return Fetched(tag, version_of(file.data), load)


def beside_path(path: str) -> str:
    """Where the manifest of a bare artifact stands."""
    return f"{path}.{MANIFEST}"
