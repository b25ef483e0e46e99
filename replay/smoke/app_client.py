"""Asks the app over HTTP, as any of its users would."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scoring.errors import ScoringError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_S = 100.0  # a cold start takes up to half a minute
_STARTING = frozenset({502, 503, 504})  # a front end's answer while the app is being started
_WAITS_S = (2.0, 4.0, 8.0, 16.0)


class AppAddressError(ScoringError):
    """The address is none that a key may be sent to."""

    def __init__(self, url: str, found: str) -> None:
        super().__init__(f"{url}: {found}; give one such as https://<app>.azurewebsites.net")


class AppUnreachableError(ScoringError):
    """Nothing answers at the address."""

    def __init__(self, url: str, found: str) -> None:
        super().__init__(f"{url}: {found}")


@dataclass(frozen=True, slots=True)
class AppAnswer:
    """Status and document; no document where the body is no JSON object, so not the app's."""

    status: int
    document: Mapping[str, Any] | None


class AppClient:
    """The routes of one app; not thread-safe.

    Parameters
    ----------
    url : str
        Without `/api`.
    key : str
        The function key; empty for an app on this machine. Sent to loopback or over TLS only.
    sleep : callable
        Waits for seconds while the app is being started.
    """

    def __init__(
        self, url: str, key: str = "", sleep: Callable[[float], object] = time.sleep
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AppAddressError(url, "it is no http address")
        self.is_here = parts.hostname in LOOPBACK
        if key and parts.scheme == "http" and not self.is_here:
            raise AppAddressError(url, "the key would go out without TLS")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._parts = parts
        self._key = key
        self._sleep = sleep

    def health(self) -> AppAnswer:
        """Ask how the app is; waits while it is being started.

        Raises
        ------
        AppUnreachableError
            If nothing answers.
        """
        for wait_s in _WAITS_S:
            answer = self._ask("GET", "/api/health")
            if answer.document is not None or answer.status not in _STARTING:
                return answer
            self._sleep(wait_s)
        return self._ask("GET", "/api/health")

    def score(self, readings: object) -> AppAnswer:
        """Score one reading or a list of them, and store nothing.

        Raises
        ------
        AppUnreachableError
            If nothing answers.
        """
        return self._ask("POST", "/api/score", json.dumps(readings).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> AppAnswer:
        headers = {"x-functions-key": self._key} if self._key else {}
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return AppAnswer(answer.status, _document(answer.read()))
        except (OSError, http.client.HTTPException) as error:
            found = f"no answer ({error or type(error).__name__})"
            raise AppUnreachableError(self.url, found) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
