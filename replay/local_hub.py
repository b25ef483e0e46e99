"""Sends readings to the Event Hubs REST endpoint of the app on this machine."""

import http.client
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import msgspec

from replay.sending import Message, SendError

BATCH_TYPE = "application/vnd.microsoft.servicebus.json"
# An app that is being started again answers within a few seconds; half a minute is enough.
WAITS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0)
TIMEOUT_S = 30.0  # for one answer; the log commits in milliseconds


class LocalSender:
    """Sender to ``POST <url>/<hub>/messages``.

    Delivery: at least once. A batch counts only on 201; after 5xx or no answer it is sent
    again, after half a minute of that SendError is raised, after any other answer at once.
    Keeps one connection open. Not thread-safe.

    Parameters
    ----------
    url : str
        Where ``python -m local`` listens.
    hub : str
        The event hub's name.
    sleep : callable
        Waits for seconds between attempts.
    should_stop : callable
        Ends the attempts early.
    on_retry : callable
        Told why a batch is sent again.
    """

    def __init__(
        self,
        url: str,
        hub: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
        should_stop: Callable[[], bool] = lambda: False,
        on_retry: Callable[[str], None] = lambda _why: None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SendError(url, "it is no http address", "give one such as http://127.0.0.1:7071")
        self._target = f"{parts.scheme}://{parts.netloc}/{hub}"
        self._path = f"/{quote(hub)}/messages"
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port or 80, timeout=TIMEOUT_S
        )
        self._sleep = sleep
        self._should_stop = should_stop
        self._on_retry = on_retry

    def send(self, messages: Sequence[Message]) -> None:
        """Commit these readings or raise SendError."""
        body = _batch_body(messages)
        for wait_s in (*WAITS_S, None):
            fault = self._attempt(body)
            if fault is None:
                return
            if wait_s is None or self._should_stop():
                raise SendError(self._target, fault, "start the app with `python -m local`")
            self._on_retry(f"{self._target}: {fault}; sending the batch again in {wait_s:g} s")
            self._sleep(wait_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _attempt(self, body: bytes) -> str | None:
        """Return nothing once committed, else why to try again."""
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": BATCH_TYPE})
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            # What is left of the answer must not be taken for the next one's.
            self._connection.close()
            return f"no answer ({error or type(error).__name__})"
        if answer.status == HTTPStatus.CREATED:
            return None
        found = f"answered {answer.status}: {text.strip()[:200]}"
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SendError(self._target, found, "check the address and the hub's name")
        return found


def _batch_body(messages: Sequence[Message]) -> bytes:
    return msgspec.json.encode(
        [
            {"Body": message.body.decode(), "BrokerProperties": {"PartitionKey": message.key}}
            for message in messages
        ]
    )
