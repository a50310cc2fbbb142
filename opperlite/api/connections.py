"""What one connection may take: the time and size of a request's head, and the form of a refusal before any route.

uvicorn bounds neither, answers broken HTTP as plain text, and copies bodies more often than need be.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from opperlite.api.errors import body_of, status_of
from opperlite.domain.errors import BadRequest, OpperliteError, Unavailable

HEAD_TIME = 20.0  # seconds from a connection's or a request's first byte to the end of its head
HEAD_SIZE = 64 * 1024  # bytes of request line and headers


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with a bounded head."""

    limit = 0
    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        if self.limit and len(self.connections) > self.limit:
            self._refuse(Unavailable(f"The server serves at most {self.limit} connections at once"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head = 0
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
        if self.transport.is_closing():
            return
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):  # RFC 9112, 3.2
            self.send_400_response(f"A request has one Host header, not {hosts}")
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """As uvicorn's own, without its two copies of every byte that is received."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self.transport.is_closing():
            return
        cycle.body = cycle.body + body if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_SIZE and not self.transport.is_closing():
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
        if not self.transport.is_closing():
            self._refuse(BadRequest(msg))

    def _refuse(self, error: OpperliteError) -> None:
        body, status = body_of(error), status_of(error)
        head = (
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (status, HTTPStatus(status).phrase.encode(), len(body))
        )
        self.transport.write(head + body)
        self.transport.close()


def limited(limit: int) -> type[Connection]:
    """The protocol for a server of at most `limit` connections at once, 0 for no limit."""
    return type("LimitedConnection", (Connection,), {"limit": limit})
