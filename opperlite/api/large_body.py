"""Reading the rest of a large request body straight into memory of its own.

The HTTP parser would copy every piece, after the loop has copied it too; here there is nothing to parse but a length.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

LARGE = 1 << 20  # bytes that are left of a body from which on it is worth it
_PIECE = 1 << 20
_BEHIND = 1 << 16


class Reader(Protocol):
    """The connection that takes the body: `left` is what is still to come of it."""

    loop: asyncio.AbstractEventLoop
    left: int

    def on_body(self, body: bytes | bytearray) -> None: ...

    def on_large_body_end(self) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class LargeBody(asyncio.BufferedProtocol):
    """Stands in for a connection on its transport until the body has ended."""

    def __init__(self, connection: Reader) -> None:
        self._connection = connection
        self._left = connection.left
        self._buffer = bytearray()
        self._short: list[tuple[bytearray, int]] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        self._buffer = bytearray(min(_PIECE, self._left) or _BEHIND)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        buffer, self._buffer = self._buffer, bytearray()
        if not self._left:  # some transports have read more before they ask for a buffer: the next request
            self._deliver_short()
            self._connection.data_received(bytes(memoryview(buffer)[:nbytes]))
            return
        self._left -= nbytes
        if nbytes == len(buffer) and not self._short:
            self._deliver(buffer)
            return
        if not self._short:  # the transport holds the buffer, and with it its size, as long as it calls
            self._connection.loop.call_soon(self._deliver_short)
        self._short.append((buffer, nbytes))

    def _deliver_short(self) -> None:
        short, self._short = self._short, []
        for buffer, nbytes in short:
            del buffer[nbytes:]
            self._deliver(buffer)

    def _deliver(self, piece: bytearray) -> None:
        self._connection.on_body(piece)
        if not self._connection.left:
            self._connection.on_large_body_end()

    def eof_received(self) -> None:
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._short.clear()
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()
