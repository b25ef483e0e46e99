"""Tests of local.trigger and local.batch: the habits of the real Event Hubs trigger."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.batch import decode_batch, enqueued_time_text
from local.functions import EventHubFunction, Target
from local.invocation import Invoker
from local.log import EventLog, LogEvent
from local.retry import RetryPolicy
from local.trigger import PartitionFeed

NOW_NS = 1_777_636_800_120_456_789
Batch = list[func.EventHubEvent]
MakeFeed = Callable[..., PartitionFeed]
AT_ONCE = RetryPolicy("fixed_delay", -1, 0.0, 0.0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """Open an empty log of one partition."""
    with EventLog(tmp_path / "hub.sqlite", partitions=1, clock=lambda: NOW_NS) as log:
        yield log


@pytest.fixture
def stopping() -> threading.Event:
    """Return what ends the feed."""
    return threading.Event()


@pytest.fixture
def feed(log: EventLog, stopping: threading.Event) -> MakeFeed:
    """Return a maker of feeds to a function."""

    def make(
        call: Callable[..., Any], retry: RetryPolicy | None = None, **options: Any
    ) -> PartitionFeed:
        function = eh_function(call, retry=retry, data_type=options.pop("data_type", "BINARY"))
        usual = {"max_batch_size": 3, "from_end": False}
        return PartitionFeed(function, log, 0, Invoker(), stopping=stopping, **(usual | options))

    return make


def eh_function(call: Callable[..., Any], **options: Any) -> EventHubFunction:
    """Return an Event Hubs function as `find_functions` would."""
    usual = {"hub": "hub", "consumer_group": "g", "data_type": "BINARY", "retry": None}
    return EventHubFunction(Target("score_events", call, "events"), **(usual | options))


def bodies(batch: Batch) -> list[bytes]:
    """Return the bodies of a batch."""
    return [event.get_body() for event in batch]


def fill(log: EventLog, *texts: bytes) -> None:
    """Append events."""
    log.append([LogEvent(text) for text in texts])


def test_batches_come_in_order_up_to_the_limit(feed: MakeFeed, log: EventLog) -> None:
    """The maxEventBatchSize of host.json bounds a batch."""
    seen: list[list[bytes]] = []
    one = feed(lambda events: seen.append(bodies(events)))
    fill(log, b"a", b"b", b"c", b"d", b"e")
    assert [one.deliver_next() for _ in range(3)] == [3, 2, 0]
    assert seen == [[b"a", b"b", b"c"], [b"d", b"e"]]


def test_the_checkpoint_moves_after_each_batch(feed: MakeFeed, log: EventLog) -> None:
    """While the function runs its batch is not checkpointed."""
    during: list[int | None] = []

    def take(events: Batch) -> None:
        during.append(log.checkpoint("g", 0))

    one = feed(take)
    fill(log, b"a", b"b", b"c", b"d")
    one.deliver_next()
    one.deliver_next()
    assert (during, log.checkpoint("g", 0)) == ([-1, 2], 3)


def test_without_a_policy_a_batch_that_raises_is_gone(feed: MakeFeed, log: EventLog) -> None:
    """The checkpoint moves although the function raised, as on Azure."""

    def fail(events: Batch) -> None:
        raise RuntimeError

    fill(log, b"a")
    assert feed(fail).deliver_next() == 1
    assert log.checkpoint("g", 0) == 0


def test_a_batch_is_gone_after_the_last_retry(feed: MakeFeed, log: EventLog) -> None:
    """max_retry_count counts retries; the context tells where it stands and what happened."""
    seen = []

    def fail(events: Batch, context: func.Context) -> None:
        retry = context.retry_context
        seen.append((retry.retry_count, retry.max_retry_count, retry.exception))
        raise RuntimeError("full")

    fill(log, b"a")
    assert feed(fail, RetryPolicy("fixed_delay", 2, 0.0, 0.0)).deliver_next() == 1
    assert [(count, most) for count, most, _ in seen] == [(0, 2), (1, 2), (2, 2)]
    assert [error and error.message for *_, error in seen] == [None, "full", "full"]


def test_retry_for_ever_keeps_the_batch_until_it_works(feed: MakeFeed, log: EventLog) -> None:
    """Nothing overtakes the batch."""
    seen = []

    def fail_often(events: Batch) -> None:
        seen.append(bodies(events))
        if len(seen) < 20:
            raise RuntimeError

    fill(log, b"a", b"b", b"c", b"d")
    assert feed(fail_often, AT_ONCE).deliver_next() == 3
    assert seen == [[b"a", b"b", b"c"]] * 20


def test_a_batch_in_its_retries_is_not_checkpointed_at_the_end(
    feed: MakeFeed, log: EventLog, stopping: threading.Event
) -> None:
    """Stopping ends the wait; the batch comes again."""

    def fail(events: Batch) -> None:
        stopping.set()
        raise RuntimeError

    fill(log, b"a")
    assert feed(fail, RetryPolicy("fixed_delay", -1, 3_600.0, 3_600.0)).deliver_next() == 0
    assert log.checkpoint("g", 0) == -1


def test_a_new_group_may_begin_at_the_end(feed: MakeFeed, log: EventLog) -> None:
    """The initial offset fromEnd leaves out what is there already, only at first."""
    seen: list[list[bytes]] = []
    one = feed(lambda events: seen.append(bodies(events)), from_end=True)
    fill(log, b"before")
    one.deliver_next()
    fill(log, b"after")
    one.deliver_next()
    assert seen == [[b"after"]]


def test_a_coroutine_function_is_awaited(feed: MakeFeed, log: EventLog) -> None:
    """All calls share one event loop, so that clients may live between them."""
    import asyncio

    loops = []

    async def take(events: Batch) -> None:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())

    fill(log, b"a", b"b", b"c", b"d")
    one = feed(take)
    one.deliver_next()
    one.deliver_next()
    one.invoker.close()
    assert len(loops) == 2
    assert loops[0] is loops[1]


@pytest.mark.parametrize("data_type", ["STRING", "UNDEFINED"])
def test_a_batch_that_azure_cannot_convert_fails_here_too(
    feed: MakeFeed, log: EventLog, data_type: str
) -> None:
    """An empty body breaks text, and any that is no JSON breaks a batch without data type."""
    seen: list[list[bytes]] = []
    fill(log, b'{"a": 1}', b"")
    one = feed(lambda events: seen.append(bodies(events)), data_type=data_type)
    assert one.deliver_next() == 2
    assert seen == []


@pytest.mark.parametrize("data_type", ["BINARY", "STRING", "UNDEFINED"])
def test_a_body_arrives_in_every_data_type(log: EventLog, data_type: str) -> None:
    """The same bytes come out, apart from spaces in what is read as JSON."""
    fill(log, b'{"a": 1}')
    batch = decode_batch(eh_function(print, data_type=data_type), 0, log.read(0, -1, 9))
    assert [body.replace(b" ", b"") for body in bodies(batch)] == [b'{"a":1}']


def test_an_event_carries_what_azure_sends(log: EventLog) -> None:
    """Numbers, key, naive time in milliseconds; properties and partition in the metadata."""
    log.append([LogEvent(b"\xff", "pump-01", {"site": "north"}), LogEvent(b"")])
    first, second = decode_batch(eh_function(print), 0, log.read(0, -1, 9))
    assert (first.sequence_number, first.offset, first.partition_key) == (0, 0, "pump-01")
    assert first.enqueued_time == datetime(2026, 5, 1, 12, 0, 0, 120_000)  # noqa: DTZ001  as sent
    assert (second.sequence_number, second.partition_key) == (1, None)
    assert first.metadata["PartitionContext"]["PartitionId"] == "0"
    assert first.metadata["PropertiesArray"] == [{"site": "north"}, {}]
    assert first.metadata["SequenceNumberArray"] == [0, 1]
    assert first.metadata["SystemPropertiesArray"][0]["x-opt-sequence-number"] == 0


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (1_777_636_800_123, "2026-05-01T12:00:00.123"),
        (1_777_636_800_120, "2026-05-01T12:00:00.12"),
        (1_777_636_800_000, "2026-05-01T12:00:00"),
    ],
)
def test_times_are_written_as_the_host_does(time_ms: int, text: str) -> None:
    """No zone, and no zeros at the end."""
    assert enqueued_time_text(time_ms) == text


def test_a_converter_that_the_app_replaces_is_used(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's own decoding runs here as it does on Azure."""
    from azure.functions import meta

    fill(log, b"a")
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001  as sent
    monkeypatch.setattr(meta._BaseConverter, "_parse_datetime", lambda _text: epoch)
    (event,) = decode_batch(eh_function(print), 0, log.read(0, -1, 9))
    assert event.enqueued_time == epoch
