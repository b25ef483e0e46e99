"""What must hold when any model file is loaded: a model that scores, or one clear refusal."""

import math
import re
import sys
import warnings
from collections.abc import Callable

import numpy as np

from fuzz.findings import FindingError, expect
from fuzz.watching import Watch, is_harmless
from scoring.artifacts import LoadedModel
from scoring.errors import ArtifactRejectedError, FeatureMismatchError

_LONGEST_MESSAGE = 2_000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Parts of these are imported late, by the estimators that need them.
_IMPORTS = ("sklearn", "numpy", "scipy", "joblib", "threadpoolctl", "encodings", "scoring", "_")
# NumPy reads the head of an array as a literal of Python, which is parsed and never run.
_AS_LITERAL = "<unknown>"
_ROWS = np.array([[20.0, 1.0, 5.0], [0.0, 0.0, 0.0], [-1e30, 1e30, 1e9]])
_watch = Watch()


def check_load(load: Callable[[], LoadedModel]) -> None:
    """Load a model while nothing but reading is allowed, and score with it if it is taken."""
    try:
        with _watch.allowing(_is_allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_scores(load())
    except ArtifactRejectedError as error:
        _check_message(str(error))
    except Warning as warning:
        raise FindingError(f"a warning goes through: {warning}") from warning
    expect(not _watch.seen, f"a model file makes this happen: {_watch.seen[:5]}")


def _is_allowed(event: str, args: tuple[object, ...]) -> bool:
    if event == "compile" and args[1] == _AS_LITERAL:
        return True
    if event in {"exec", "compile", "open", "os.listdir"} or event.startswith(("marshal", "code.")):
        return _is_import(event, args)
    return is_harmless(event, args, imports=_IMPORTS)


def _is_import(event: str, args: tuple[object, ...]) -> bool:
    """Tell whether Python itself does this because it imports a module of an allowed package."""
    frame = sys._getframe(1)  # noqa: SLF001  # no other way to see who asks
    while frame is not None:
        if "importlib._bootstrap" in frame.f_code.co_filename:
            return event != "open" or (
                isinstance(args[1], str | None) and "w" not in (args[1] or "r")
            )
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _check_scores(model: LoadedModel) -> None:
    expect(model.features and all(type(name) is str for name in model.features), "its features")
    expect(model.threshold is None or math.isfinite(model.threshold), "its threshold")
    n = len(model.features)
    X = np.resize(_ROWS, (len(_ROWS), n)) if n <= 1_000 else np.zeros((1, n))  # noqa: PLR2004  # far more than any model here
    try:
        with np.errstate(all="ignore"):
            score = model.score(X)
    except (ValueError, FeatureMismatchError):
        return  # told apart by the pipeline
    expect(score.shape == (len(X),), f"scores of the shape {score.shape}")


def _check_message(text: str) -> None:
    expect(len(text) <= _LONGEST_MESSAGE, f"a message of {len(text)} characters")
    expect(not _CONTROL.search(text), f"a message that breaks a log: {text[:200]!r}")
