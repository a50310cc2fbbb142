"""What one connection may take: the time and size of a request's head, and the form of a refusal before any route.

uvicorn bounds neither, answers broken HTTP as plain text and before the requests that came with it, and copies bodies
more often than need be.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from opperlite.api.replies import error_reply
from opperlite.domain.errors import BadRequest, OpperliteError, Unavailable

HEAD_TIME = 20.0  # seconds from a connection's or a request's first byte to the end of its head
HEAD_SIZE = 64 * 1024  # bytes of request line and headers


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with a bounded head."""

    limit = 0
    url = b""
    _deadline: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None  # the request that is being answered; `cycle` is the last that came
    _head = 0
    _ended = False  # nothing more of this connection is read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        if self.limit and len(self.connections) > self.limit:
            self._refuse(Unavailable(f"The server serves at most {self.limit} connections at once"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._give_up()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head = 0
        if not self._ended:
            self._wait_for_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> Any:
        self._stop_waiting()
        if self._ended or self.transport.is_closing():
            return
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):  # RFC 9112, 3.2
            self.send_400_response(f"A request has one Host header, not {hosts}")
        else:
            super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """As uvicorn's own, without its two copies of every byte that is received."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self._ended or self.transport.is_closing():
            return
        cycle.body = cycle.body + body if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self._ended:
            super().on_message_complete()

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_SIZE and not self._ended:
            self.send_400_response(f"The request line and headers are longer than {HEAD_SIZE} bytes")

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEAD_TIME, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self._ended and not self.transport.is_closing():
            self._refuse(BadRequest(msg))

    def _refuse(self, error: OpperliteError) -> None:
        """End the connection: after the replies to the requests that came whole, else with the error."""
        self._ended = True
        self._stop_waiting()
        if self._ends_with_the_last_whole():
            return
        begun = self._answered is not None and self._answered.response_started
        self._give_up()
        if not begun:
            self.transport.write(_as_http(error, self.url))
        self.transport.close()

    def _ends_with_the_last_whole(self) -> bool:
        """Let the last request that came whole be the last of the connection; False where none waits for its reply."""
        if self._answered is None or self._answered.response_complete:
            return False
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        last = self.pipeline[0][0] if self.pipeline else self._answered
        if last.more_body:
            return False
        last.keep_alive = False
        return True

    def _give_up(self) -> None:
        """Tell the request that is being answered that nobody hears it; uvicorn tells only the last that came."""
        self.pipeline.clear()
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()


def _as_http(error: OpperliteError, url: bytes) -> bytes:
    reply = error_reply(error, url.partition(b"?")[0].decode("latin-1"))
    headers = {
        "content-type": reply.media_type,
        "content-length": len(reply.body),
        "connection": "close",
        "x-request-id": f"req_{secrets.token_hex(9)}",
        **(reply.headers or {}),
    }
    head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n{head}\r\n".encode() + reply.body


def limited(limit: int) -> type[Connection]:
    """The protocol for a server of at most `limit` connections at once, 0 for no limit."""
    return type("LimitedConnection", (Connection,), {"limit": limit})
