"""What is wrong with a model file, before the artifact's name is known."""

from collections.abc import Iterator
from contextlib import contextmanager

from scoring.errors import ArtifactRejectedError, ScoringError

REFIT = "fit it again with the pinned scikit-learn and publish it with `python -m training publish`"
ALLOW = "fit it again with supported types or add the exact name to TRUSTED_MODEL_TYPES"

# A name or message from a hostile file may be megabytes long or hold line breaks.
_LONGEST_SHOWN = 200


class ModelFaultError(ScoringError):
    """One fault in a model file; `open_model_file` and `check_structure` add the artifact.

    Parameters
    ----------
    found : str
        What is wrong, naming the class or the field.
    remedy : str
        What the artifact's owner can do.
    """

    def __init__(self, found: str, remedy: str = REFIT) -> None:
        self.found = found
        self.remedy = remedy
        super().__init__(f"{found}; {remedy}")


def shown(text: object) -> str:
    """Make text from a file fit for one line of a log."""
    line = "".join(sign if sign.isprintable() else "?" for sign in str(text)[:_LONGEST_SHOWN])
    return line or "an empty name"


@contextmanager
def refusing(artifact: str, unlike: str, remedy: str) -> Iterator[None]:
    """Refuse the artifact for whatever is raised within.

    Parameters
    ----------
    artifact : str
        What the error calls it.
    unlike : str
        What it cannot be, where an error of somebody else's is all there is to tell.
    remedy : str
        What its owner can do then.
    """
    try:
        yield
    except ModelFaultError as fault:
        raise ArtifactRejectedError(artifact, fault.found, fault.remedy) from fault
    except (ArtifactRejectedError, Warning):
        raise
    except Exception as error:  # a damaged file may raise anything from anywhere
        found = f"{unlike}: {type(error).__name__}: {shown(error)}"
        raise ArtifactRejectedError(artifact, found, remedy) from error


def not_allowed(name: str) -> ModelFaultError:
    """Build the fault for a name that stands on no list."""
    return ModelFaultError(f"holds {shown(name)}, which is not in the list of allowed types", ALLOW)
