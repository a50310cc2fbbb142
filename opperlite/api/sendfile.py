"""Sending a stretch of a file by the system itself: its bytes do not pass through this process."""

from __future__ import annotations

import asyncio
import os
import socket

ZERO_COPY = "http.response.zerocopysend"  # ASGI's extension of that name; here one message has the whole body
AVAILABLE = hasattr(os, "sendfile")
_VISIT = 16 << 20  # bytes after which a thread is given back
_WAIT = 0.001  # seconds between looks at what was written before
_MORE = getattr(socket, "MSG_MORE", 0)  # the head leaves together with the first bytes


async def send_file(transport: asyncio.Transport, head: bytes, file: int, start: int, end: int) -> None:
    """Send the head and the bytes start…end of an open file; raises ConnectionError when the client goes away.

    Whatever is written to the transport meanwhile would come in between. The socket does not block: a thread fills it,
    and no thread waits for a slow client.
    """
    while transport.get_write_buffer_size():  # noqa: ASYNC110 - seldom anything, and no event tells
        await asyncio.sleep(_WAIT)
    if transport.is_closing():
        raise ConnectionResetError
    # A descriptor of our own: that of the transport may be closed, and taken by another connection, at any moment.
    out = os.dup(transport.get_extra_info("socket").fileno())
    try:
        while True:
            filling = asyncio.get_running_loop().run_in_executor(None, _fill, out, head, file, start, end)
            try:
                head, start = await asyncio.shield(filling)
            finally:
                await asyncio.wait([filling])  # the descriptors stay open as long as the thread has them
                filling.exception()
            if start == end:
                return
            await _writable(out)
            if transport.is_closing():
                raise ConnectionResetError
    finally:
        os.close(out)


def _fill(out: int, head: bytes, file: int, start: int, end: int) -> tuple[bytes, int]:
    """Send until the socket is full; what is left of the head, and the new start."""
    until = min(end, start + _VISIT)
    try:
        if head:
            with socket.socket(fileno=os.dup(out)) as connection:
                head = head[connection.send(head, _MORE) :]
        while not head and start < until:
            sent = os.sendfile(out, file, start, until - start)
            if sent == 0:
                raise RuntimeError("The file is shorter than it should be")
            start += sent
    except BlockingIOError:
        pass
    return head, start


async def _writable(out: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(out, tell)
    try:
        await ready
    finally:
        loop.remove_writer(out)
