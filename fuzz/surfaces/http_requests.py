"""HTTP requests: a query string, a line break, and a body."""

import json
from urllib.parse import parse_qsl

from fuzz.doubles import KeptSink, artifact, bench
from fuzz.findings import expect
from fuzz.scored_checks import check_lines, check_values
from fuzz.tokens import JSON, KEYS, LINES, TEXT
from scoring.events import ReadingKeys
from scoring.pipeline import Policy
from scoring.routing import Routes

_STATUSES = {200, 404, 413, 422}
_READING = b'{"sensor_id": "pump-1", "time": 1777636800, "temperature": 20, "vibration": 1}'


class HttpRequests:
    """Every request gets an answer of the contract, as JSON."""

    tokens = (*JSON, *TEXT, *LINES, *KEYS, b"model=", b"store=true", b"&", b"%00", b"%ff", b"+")

    def __init__(self) -> None:
        routes = Routes((("pump-*", "default"), ("valve-*", "other")), "default")
        self._kept = KeptSink()
        policy = Policy(ReadingKeys(("sensor_id", "id")), routes)
        self._http = bench(policy, [self._kept], artifact()).http

    def seeds(self) -> list[bytes]:
        """Make readings with and without a model, stored or not."""
        queries = [b"", b"model=other", b"model=..%2f&store=true", b"store=TRUE&model=default"]
        bodies = [_READING, b"[%b,%b]" % (_READING, _READING), b"%b\n{}" % _READING, b"[]", b"\xff"]
        return [query + b"\n" + body for query in queries for body in bodies]

    def run(self, data: bytes) -> None:
        """Ask, and hold the answer against the contract."""
        query, _, body = data.partition(b"\n")
        pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True)
        response = self._http.score(body, dict(pairs))
        expect(response.status in _STATUSES, f"status {response.status}: {response.document}")
        document = json.loads(response.body())
        batches = self._kept.taken()
        if "error" in document:
            expect(document["error"].keys() == {"code", "message", "details"}, "an error's shape")
            return
        scored, rejected = document["scored"], document["rejected"]
        expect(scored or rejected, "neither a reading nor a rejection")
        expect(response.status == (200 if scored else 422), "the status contradicts the answer")
        indexes = sorted(one["index"] for one in [*scored, *rejected])
        expect(indexes == list(range(len(indexes))), f"indexes {indexes[:20]}")
        check_values(batches)
        check_lines(batches)
        expect(sum(map(len, batches)) in {0, len(scored)}, "stored others than were scored")


def make() -> HttpRequests:
    """Make the surface."""
    return HttpRequests()
