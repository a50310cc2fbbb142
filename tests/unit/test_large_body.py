"""Large bodies from transports that copy what they have read into the protocol's buffers, as that of Windows does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from opperlite.api.large_body import LARGE, LargeBody


class Connection:
    """Notes what it is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, length: int) -> None:
        self.loop = loop
        self.left = length
        self.body = bytearray()
        self.behind = b""
        self.ends = 0

    def on_body(self, body: bytes | bytearray) -> None:
        assert not self.ends
        self.left -= len(body)
        self.body += body

    def on_large_body_end(self) -> None:
        self.ends += 1

    def data_received(self, data: bytes) -> None:
        assert self.ends == 1
        self.behind += data


def feed(protocol: LargeBody, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))  # held, as transports do
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]


@given(st.lists(st.integers(1, LARGE * 2), min_size=1, max_size=5), st.integers(0, 100_000), st.booleans())
def test_the_body_and_what_follows_arrive_in_order(sizes: Sequence[int], behind: int, at_once: bool) -> None:
    async def run() -> Connection:
        connection = Connection(asyncio.get_running_loop(), length)
        protocol = LargeBody(connection)
        place = 0
        for size in [*sizes, behind]:
            feed(protocol, data[place : place + size])
            place += size
            if not at_once:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return connection

    length = sum(sizes)
    data = bytes(range(256)) * ((length + behind) // 256 + 1)
    data = data[: length + behind]
    connection = asyncio.run(run())
    assert connection.body == data[:length]
    assert connection.behind == data[length:]
    assert (connection.ends, connection.left) == (1, 0)
