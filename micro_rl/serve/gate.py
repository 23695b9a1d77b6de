"""What stands before every request: the host, the token, the rate; and after it the counters, whatever happened."""

import hmac
import sys
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from micro_rl.errors import in_words
from micro_rl.serve.answers import refuse
from micro_rl.serve.metrics import Metrics
from micro_rl.serve.settings import is_loopback


class Bucket:
    """So many requests a second, and as many at once."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._clock = rate, clock
        self._left, self._then = max(rate, 1.0), clock()

    def take(self) -> bool:
        """Whether one more may be answered now."""
        now = self._clock()
        self._left = min(max(self._rate, 1.0), self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Gate:
    """Lets requests through to the application, or answers them itself; strangers take nothing from clients' rate."""

    def __init__(self, app: ASGIApp, metrics: Metrics, token: str | None, rate: float):
        self._app, self._metrics = app, metrics
        self._of_clients, self._of_strangers = Bucket(rate), Bucket(rate)
        self._token = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await (self._refusal(scope) or self._app)(scope, receive, noting)
        except Exception as error:  # a stranger's request must not fill the console
            print(f"micro-rl: a request failed: {in_words(error)[:200]}", file=sys.stderr)
        self._metrics.answered(_operation(scope), status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further."""
        headers = Headers(scope=scope)
        if self._token is None and not _own_name(headers.get("host", "")):
            return refuse(421, "this server answers to localhost alone")
        known = self._token is None or self._knows(headers)
        if not known and scope["path"] != "/health":
            return refuse(401, "send the token: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
        if not (self._of_clients if known else self._of_strangers).take():
            return refuse(429, "too many requests a second", {"retry-after": "1"})
        return None

    def _knows(self, headers: Headers) -> bool:
        return hmac.compare_digest(headers.get("authorization", "").encode("latin-1"), self._token or b"")


def _own_name(host: str) -> bool:
    """Whether a request was sent to this machine by name: a page from elsewhere, whose name leads here, was not."""
    name = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
    return is_loopback(name[1:-1] if name.startswith("[") else name)


def _operation(scope: Scope) -> str:
    endpoint: Any = scope.get("endpoint")
    return getattr(endpoint, "__name__", "none")
