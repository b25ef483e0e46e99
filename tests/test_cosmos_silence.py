"""Tests of scoring.sinks.cosmos_silence: alone, and by writes at the same time on a real server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.cosmos import ContainerProxy

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.sinks import cosmos_account
from scoring.sinks.cosmos import CosmosSink
from scoring.sinks.cosmos_silence import Silence
from tests.cosmos_server import CosmosServer, FaultyProxy, documents, is_batch
from tests.cosmos_sinks import Waits, faulty, many_sensors, settings, sink_at
from tests.http_double import Answer, Request
from tests.scored_batches import scored_batch

pytest_plugins = ["tests.cosmos_fixtures"]
PATIENCE_S = 0.5
N_WRITES, N_SENSORS = 8, 40


class Clock:
    """Stands still until it is set."""

    seconds = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Give each test its own time."""
    return Clock()


def test_who_came_before_need_not_wait_again_and_who_comes_later_asks(clock: Clock) -> None:
    """Else a trial, or the drain, would never find out that the account is back."""
    silence = Silence(clock, 5)
    clock.seconds = 5
    silence.unanswered(0)
    assert silence.was_found_after(4.9)
    assert not silence.was_found_after(5)


def test_one_slow_request_is_no_silence_where_another_had_an_answer(clock: Clock) -> None:
    """The account is there."""
    silence = Silence(clock, 5)
    clock.seconds = 1
    silence.answered()
    clock.seconds = 5
    silence.unanswered(0)
    assert not silence.was_found_after(0)


def test_a_silence_begins_with_the_last_answer(clock: Clock) -> None:
    """An account that falls silent in the middle is found out as well."""
    silence = Silence(clock, 5)
    clock.seconds = 1
    silence.answered()
    clock.seconds = 6
    silence.unanswered(1)
    assert silence.was_found_after(0)


def test_a_request_that_fails_at_once_tells_nothing(clock: Clock) -> None:
    """Connections that are refused cost no time, and are tried again."""
    silence = Silence(clock, 5)
    clock.seconds = 4.9
    silence.unanswered(0)
    assert not silence.was_found_after(0)


def test_an_answer_ends_a_silence(clock: Clock) -> None:
    """Whatever it says, and whoever asked."""
    silence = Silence(clock, 5)
    clock.seconds = 5
    silence.unanswered(0)
    clock.seconds = 6
    silence.answered()
    assert not silence.was_found_after(0)


class Mute:
    """Takes some requests and says nothing, until it is ended."""

    def __init__(self, is_meant: Callable[[Request], bool]) -> None:
        self._is_meant = is_meant
        self.ended = threading.Event()

    def __call__(self, request: Request) -> Answer | None:
        """Wait, or pass on at once."""
        if self._is_meant(request):
            self.ended.wait(30)
        return None


@contextmanager
def muted(
    cosmos: CosmosServer, container_name: str, is_meant: Callable[[Request], bool]
) -> Iterator[tuple[CosmosSink, Mute, FaultyProxy]]:
    """Make a sink behind a proxy that is mute until the block, or the test, ends it."""
    mute = Mute(is_meant)
    with faulty(cosmos, container_name, mute) as (sink, proxy, _):
        try:
            yield sink, mute, proxy
        finally:
            mute.ended.set()


def write_at_once(sink: CosmosSink) -> list[tuple[BaseException | None, float]]:
    """Write from many threads; return what each met, and after how many seconds."""
    met: list[tuple[BaseException | None, float]] = []
    together = threading.Barrier(N_WRITES)

    def write(place: int) -> None:
        batch = many_sensors(N_SENSORS, first=place * N_SENSORS)
        together.wait()
        started, error = time.monotonic(), None
        try:
            sink.write([batch])
        except BaseException as caught:  # noqa: BLE001  # the test looks at it
            error = caught
        met.append((error, time.monotonic() - started))

    threads = [threading.Thread(target=write, args=(i,)) for i in range(N_WRITES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return met


@pytest.mark.parametrize(
    "is_meant", [is_batch, lambda one: "/dbs" in one.path], ids=["once open", "from the start"]
)
def test_writes_at_the_same_time_wait_for_a_silent_account_once(
    cosmos: CosmosServer,
    container_name: str,
    container: ContainerProxy,
    monkeypatch: pytest.MonkeyPatch,
    is_meant: Callable[[Request], bool],
) -> None:
    """Not in turn, by requests or by its opening; and the same sink writes once it answers."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", PATIENCE_S)
    with muted(cosmos, container_name, is_meant) as (sink, mute, proxy):
        met = write_at_once(sink)
        assert len(proxy.batches) <= 10  # those at once, once
        mute.ended.set()
        for _ in range(20):  # on a busy machine an answer may take longer than the shortened wait
            met_later = [error for error, _ in write_at_once(sink)]
            if met_later == [None] * N_WRITES:
                break
        assert met_later == [None] * N_WRITES
    errors = [error for error, _ in met]
    assert {type(error) for error in errors} == {SinkUnavailableError}
    assert all("did not answer" in str(error) for error in errors)
    assert all("COSMOS_CONNECTION_STRING is reachable" in str(error) for error in errors)
    # in turn the last one would wait eight times as long; the machine is shared
    assert max(seconds for _, seconds in met) < 6 * PATIENCE_S
    assert len(documents(container)) == N_WRITES * N_SENSORS


def test_an_account_that_falls_silent_in_a_batch_is_given_up_after_one_wait(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took before is no reason to wait a second time."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", PATIENCE_S)
    n_asked = iter(range(10_000))
    waits = Waits()
    mute = Mute(lambda one: is_batch(one) and next(n_asked) >= N_SENSORS)
    with FaultyProxy(cosmos, mute).running() as proxy:
        found = settings(proxy.url, container_name)
        with closing(CosmosSink(found, ("sensor_id",), waits)) as sink:
            try:
                with pytest.raises(SinkUnavailableError, match="did not answer") as caught:
                    sink.write([many_sensors(3 * N_SENSORS)])
            finally:
                mute.ended.set()
    assert not isinstance(caught.value, SinkThrottledError)
    assert waits.seconds == []


def test_a_write_between_two_tries_learns_what_another_found_out(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next try would wait as long as the other has."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", PATIENCE_S)
    ended = threading.Event()
    n_slept: list[float] = []

    def respond(request: Request) -> Answer | None:
        if is_batch(request) and b"cut-off" in request.body:
            raise ConnectionError
        if is_batch(request):
            ended.wait(30)
        return None

    def sleep(seconds: float) -> None:
        n_slept.append(seconds)
        with pytest.raises(SinkUnavailableError, match="did not answer"):
            sink.write([scored_batch(1)])
        n_slept.append(seconds)

    with FaultyProxy(cosmos, respond).running() as proxy:
        found = settings(proxy.url, container_name)
        with closing(CosmosSink(found, ("sensor_id",), sleep)) as sink:
            try:
                with pytest.raises(SinkUnavailableError, match="did not answer"):
                    sink.write([scored_batch(1, sensor_ids=["cut-off"])])
            finally:
                ended.set()
    assert len(n_slept) == 2  # one wait, whole
    assert len(proxy.batches) == 2


def test_a_slow_request_costs_no_other_write_anything(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others have answers the account is there: none waits, and none is given up."""
    # long enough for several writes, on a machine that does something else as well
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 4 * PATIENCE_S)
    waits = Waits()
    mute = Mute(lambda one: is_batch(one) and b"slow-sensor" in one.body)
    slow: list[Exception] = []
    with FaultyProxy(cosmos, mute).running() as proxy:
        found = settings(proxy.url, container_name)
        with closing(CosmosSink(found, ("sensor_id",), waits)) as sink:
            sink.write([scored_batch(1)])

            def write_slowly() -> None:
                try:
                    sink.write([scored_batch(1, sensor_ids=["slow-sensor"])])
                except SinkUnavailableError as error:
                    slow.append(error)

            thread = threading.Thread(target=write_slowly)
            thread.start()
            n_written = 0
            while thread.is_alive():
                assert sink.write([many_sensors(N_SENSORS)]) == []
                n_written += 1
            thread.join()
            mute.ended.set()
    assert n_written > 1
    assert len(slow) == 1
    assert waits.seconds == []


def test_a_token_that_is_refused_slowly_is_no_silence(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked the account: what health says to look at stays the identity."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.1)

    def refused(*_: object, **__: object) -> None:
        time.sleep(0.2)
        raise ClientAuthenticationError("no identity")

    with sink_at(cosmos.url, container_name) as (sink, _):
        sink.write([scored_batch(1)])
        monkeypatch.setattr(ContainerProxy, "execute_item_batch", refused)
        began = time.monotonic()
        with pytest.raises(SinkUnavailableError, match="no token"):
            sink.write([scored_batch(1, first=1)])
        assert not sink._account.silence.was_found_after(began)
