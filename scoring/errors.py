"""The one tree of errors: whose fault it is, and whether trying again helps."""

from collections.abc import Sequence

# Of one part of a message: names in a hostile file may be megabytes long, or break a log.
_LONGEST_PART = 500


class ScoringError(Exception):
    """Root of every error that this project raises on purpose."""


class ReadingRejectedError(ScoringError):
    """The data of one reading is wrong; trying again cannot help.

    Parameters
    ----------
    reason : str
        Short code such as ``missing_feature``; a dead letter is counted under it.
    message : str
        What was expected and what was found.
    field : str or None
        The key in the reading that is at fault.
    """

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        self.reason = reason
        self.field = field
        super().__init__(message)


class SinkUnavailableError(ScoringError):
    """A store took nothing; it may heal, so the same write is tried again.

    Parameters
    ----------
    sink : str
    found : str
        What happened; for the log.
    remedy : str
        What to look at. Never an address or a value, because health shows it to anyone.

    Attributes
    ----------
    is_begun : bool
        Whether this write got further, and the sink remembers how far: the next one of the same
        readings goes on there.
    """

    def __init__(self, sink: str, found: str, remedy: str) -> None:
        self.sink = sink
        self.is_begun = False
        self.remedy = remedy
        super().__init__(f"sink {sink}: {found}; {remedy}")


class SinkThrottledError(SinkUnavailableError):
    """A store is there, but asks for patience: the batch waits, and nothing is spilled."""


class SpillFullError(ScoringError):
    """A store has been down for so long that no more may be kept for it."""

    def __init__(self, max_mb: float) -> None:
        super().__init__(
            f"spill: {max_mb:g} MB wait for a store that is down; mend the store, or raise"
            " SPILL_MAX_MB; until then batches are kept on the event hub"
        )


class StorageUnavailableError(ScoringError):
    """Blob Storage or the folder did not answer; it may heal."""

    def __init__(self, container: str, path: str, found: str) -> None:
        self.container = container
        super().__init__(
            f"storage {container}/{path}: {found}; check the storage account, its network rules"
            " and the roles of this app's identity, or the rights and the free space of the folder"
        )


class ModelUnavailableError(ScoringError):
    """No model is ready yet; the batch is kept until one is."""

    def __init__(self, model: str, found: str) -> None:
        self.model = model
        super().__init__(f"model {model} is not ready: {found}")


class ArtifactRejectedError(ScoringError):
    """A version of a model is bad; the one before it is kept.

    Parameters
    ----------
    artifact : str
        The file or version that was refused.
    found : str
        What is wrong with it, naming the class or the field.
    remedy : str
        What its owner can do.
    """

    def __init__(self, artifact: str, found: str, remedy: str) -> None:
        self.artifact = _one_line(artifact)
        self.found = _one_line(found)
        self.remedy = _one_line(remedy)
        super().__init__(f"model artifact {self.artifact} refused: {self.found}; {self.remedy}")


class FeatureMismatchError(ScoringError):
    """A matrix has another number of columns than the model was fitted on."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(
            f"the model expects {expected} features, the matrix has {found} columns;"
            " build it with scoring.features"
        )


class SettingsError(ScoringError):
    """The settings are wrong; holds every problem at once.

    Parameters
    ----------
    problems : sequence of str
        One sentence a problem: the setting's name and what to set. Never a value,
        because health shows them to anyone.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("settings: " + " | ".join(self.problems))


def _one_line(text: str) -> str:
    """Make text from a file fit for one line of a log."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_PART])
