"""Reads what Cosmos DB answers to one batch, document by document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.scored import Refused
from scoring.sinks.cosmos_documents import Group

# Bad document, broken unique key, too large: trying again cannot help, and no other is at fault.
_REFUSALS = frozenset({400, 409, 413})
# One sensor has all that a logical partition holds; the account takes those of other sensors.
_FORBIDDEN = 403
_PARTITION_FULL = 1014
_FULL_MESSAGE = (
    "answered 403 (sub-status 1014): the partition of this sensor is full (20 GB);"
    " shorten the container's time to live or delete old documents of the sensor, then replay"
)
# 410: a partition moves; 449: a concurrent write.
_RETRYABLE = frozenset({408, 410, 429, 449, 500, 502, 503, 504})
# In a batch that failed: stands for every operation that is not at fault.
_FAILED_DEPENDENCY = 424
_FIRST_SUCCESS = 200
_FIRST_REDIRECT = 300
_FIRST_ERROR = 400
_LONGEST_MESSAGE = 300
# Found by another write while this one waited for its turn.
WAITED_IN_VAIN = "did not answer others, which waited in vain"
# What the client raises over an answer that is not Cosmos DB's, besides its own errors.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of groups.

    Parameters
    ----------
    left : sequence of Group
        What is still to be sent.
    refused : sequence of Refused
        What the service will never take.
    has_progress : bool
        Whether anything was stored, refused or cut smaller.
    fault : str
        Why to wait before the next round; empty: no need to.
    asked_seconds : float
        How long the service says to wait.
    """

    left: Sequence[Group] = ()
    refused: Sequence[Refused] = ()
    has_progress: bool = True
    fault: str = ""
    asked_seconds: float = 0.0


class DeniedError(Exception):
    """The service answers, and will not take anything until a setting or a role is mended.

    Parameters
    ----------
    status : int or None
        None: there was no token to ask with.
    """

    def __init__(self, status: int | None) -> None:
        self.status = status
        super().__init__(status)


class OddAnswerError(Exception):
    """What answers is no Cosmos DB account: nothing is stored, and no document is at fault."""


def read_success(answers: Sequence[Mapping[str, Any]], group: Group) -> Outcome:
    """Take a batch for stored if each of its operations is said to be.

    Raises
    ------
    OddAnswerError
        The client takes an answer that is empty, or a page of another server, for a success.
    """
    statuses = [int(answer["statusCode"]) for answer in answers]
    if len(statuses) != len(group.items) or not all(map(_is_success, statuses)):
        raise OddAnswerError
    return Outcome()


def read_error(error: Any, group: Group) -> Outcome:
    """Decide what an error of one batch means for each of its documents.

    Parameters
    ----------
    error : AzureError
    group : Group
        What was sent.

    Raises
    ------
    DeniedError, OddAnswerError
    """
    answers = getattr(error, "operation_responses", None)
    if _is_partition_full(error, answers or ()):  # of its documents none would be taken
        places = range(len(group.items))
        return Outcome(refused=[_refused(group, place, _FULL_MESSAGE) for place in places])
    if answers and len(answers) == len(group.items):
        return _read_answers(error, answers, group)
    if getattr(error, "status_code", None) not in _REFUSALS:
        return read_fault(error, [group])
    if len(group.items) == 1:
        return Outcome(refused=[_refused(group, 0, f"answered {error.status_code}: {error}")])
    middle = len(group.items) // 2  # by halves, until what is refused stands alone
    halves = (group.items[:middle], group.items[middle:])
    return Outcome([Group(group.sensor_id, half) for half in halves])


def read_fault(error: Any, left: Sequence[Group]) -> Outcome:
    """Ask for another round after an error that is no document's fault.

    Raises
    ------
    DeniedError, OddAnswerError
        Where another round does not help.
    """
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415  # with the client

    status = getattr(error, "status_code", None)
    if status is None and not isinstance(error, ClientAuthenticationError):
        return Outcome(
            left, (), has_progress=False, fault=f"did not answer ({type(error).__name__})"
        )
    if status is not None and status < _FIRST_ERROR:  # a success, or elsewhere: an odd page
        raise OddAnswerError from error
    if status not in _RETRYABLE:
        raise DeniedError(status) from error
    asked = _asked_seconds(error)
    return Outcome(left, has_progress=False, fault=f"answered {status}", asked_seconds=asked)


def _is_partition_full(error: Any, answers: Sequence[Mapping[str, Any]]) -> bool:
    """Tell a full partition from a denied account: by the request, or by an operation in it."""
    headers = getattr(error, "headers", None) or {}
    sub_status = headers.get("x-ms-substatus")
    found = [(getattr(error, "status_code", None), sub_status)]
    found += [(one.get("statusCode"), one.get("subStatusCode", sub_status)) for one in answers]
    full = (str(_FORBIDDEN), str(_PARTITION_FULL))
    return any((str(status), str(sub)) == full for status, sub in found)


def _read_answers(error: Any, answers: Sequence[Mapping[str, Any]], group: Group) -> Outcome:
    """Take refused documents out of a batch. It is atomic, so its others are left."""
    statuses = [int(answer.get("statusCode", 0)) for answer in answers]
    refused = [
        _refused(group, place, f"answered {status}")
        for place, status in enumerate(statuses)
        if status in _REFUSALS
    ]
    kept = [
        item for item, status in zip(group.items, statuses, strict=True) if status not in _REFUSALS
    ]
    left = [Group(group.sensor_id, kept)] if kept else []
    faults = [place for place, status in enumerate(statuses) if _is_fault(status)]
    if not faults:  # a batch that fails and blames none would come again for ever
        fault = "" if refused else "failed a batch and named no operation"
        return Outcome(left, refused, bool(refused), fault)
    status, answer = statuses[faults[0]], answers[faults[0]]
    if status not in _RETRYABLE:
        raise DeniedError(status) from error
    asked = _seconds(answer.get("retryAfterMilliseconds")) or _asked_seconds(error)
    return Outcome(left, refused, bool(refused), f"answered {status}", asked)


def _is_success(status: int) -> bool:
    return _FIRST_SUCCESS <= status < _FIRST_REDIRECT


def _is_fault(status: int) -> bool:
    """Tell whether an operation made its batch fail without being refused for ever."""
    return status >= _FIRST_ERROR and status not in _REFUSALS | {_FAILED_DEPENDENCY}


def _refused(group: Group, place: int, found: str) -> Refused:
    item = group.items[place]
    return Refused(item.batch, item.row, f"cosmos {found}"[:_LONGEST_MESSAGE])


def _asked_seconds(error: Any) -> float:
    headers = getattr(error, "headers", None) or {}
    return _seconds(headers.get("x-ms-retry-after-ms"))


def _seconds(milliseconds: Any) -> float:
    """Read how long to wait; nonsense is no wish to."""
    try:
        return max(int(milliseconds), 0) / 1_000
    except (TypeError, ValueError, OverflowError):
        return 0.0
