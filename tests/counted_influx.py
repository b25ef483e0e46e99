"""An InfluxDB that answers as a test says, and counts what it is sent and what it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scoring.errors import SinkUnavailableError
from scoring.scored import Refused, ScoredBatch
from scoring.settings import InfluxSettings
from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.line_protocol import lines
from tests.http_double import Answer, HttpDouble, Request

Respond = Callable[[list[str]], Answer]


class Plant:
    """A sink, its server and its clock; each request takes `request_s`."""

    def __init__(self, respond: Respond, request_s: float) -> None:
        self.respond = respond
        self.request_s = request_s
        self.now = 0.0
        self.taken: list[list[str]] = []
        self.n_requests = 0
        self.n_lines = 0
        self.sink = InfluxSink(InfluxSettings("", "plant", "scores", "token"))

    def __call__(self, request: Request) -> Answer:
        """Answer, and keep what was stored."""
        self.n_requests += 1
        self.now += self.request_s
        sent = request.text.split("\n")
        self.n_lines += len(sent)
        answer = self.respond(sent)
        if answer.status == 204:
            self.taken.append(sent)
        return answer

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def stored(self) -> dict[tuple[str, str], str]:
        """Return the last line of each identity."""
        return {
            (line.split(" ")[0], line.rpartition(" ")[2]): line
            for sent in self.taken
            for line in sent
        }

    def write_until_done(self, batch: ScoredBatch, most: int = 100) -> tuple[list[Refused], int]:
        """Write again and again; gives what is refused, and how many writes that took."""
        for number in range(1, most + 1):
            try:
                return list(self.sink.write([batch])), number
            except SinkUnavailableError:
                self.now += 60.0
        raise AssertionError("the batch never ends")


@contextmanager
def plant(respond: Respond, request_s: float = 0.0) -> Iterator[Plant]:
    """Run a server, and a sink that writes to it."""
    found = Plant(respond, request_s)
    with HttpDouble(found).running() as server:
        settings = InfluxSettings(server.url, "plant", "scores", "token")
        found.sink = InfluxSink(settings, found.sleep, lambda: found.now)
        yield found


def takes(_: list[str]) -> Answer:
    """Take everything."""
    return Answer()


def refuses_all(_: list[str]) -> Answer:
    """Say no more than that."""
    return Answer(400, body=b"no")


def throttled(n: int, respond: Respond = takes) -> Respond:
    """Answer so many requests; then ask for patience three times, as a write does, and so on."""
    turns = iter(range(10**9))

    def answer(sent: list[str]) -> Answer:
        return respond(sent) if next(turns) % (n + 3) < n else Answer(429)

    return answer


def bad_lines(batch: ScoredBatch, rows: list[int]) -> set[str]:
    """Return the lines of some rows."""
    text = lines([batch]).split("\n")
    return {text[row] for row in rows}
