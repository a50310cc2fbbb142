"""The server's HTTP/1.1: uvicorn's, with bounds on a request's head, one form of refusals, and less work for a reply.

uvicorn bounds no head, answers broken HTTP as plain text and before the requests that came with it, copies bodies more
often than need be, sends the head of a reply and its body apart, starts and stops timers for every request, loses the
body of a request that offers to upgrade to another protocol, and sends chunks to HTTP/1.0.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from opperlite.api.asgi import Message
from opperlite.api.large_body import LARGE, LargeBody
from opperlite.api.replies import error_reply
from opperlite.api.sendfile import AVAILABLE, ZERO_COPY, send_file
from opperlite.domain.errors import BadRequest, OpperliteError, Unavailable

HEAD_TIME = 20.0  # seconds from a connection's or a request's first byte to the end of its head
HEAD_SIZE = 64 * 1024  # bytes of request line and headers
_JOINED = 4096  # bytes of a body up to which it is copied behind its head
_OFFER = frozenset({b"upgrade", b"http2-settings", b"connection"})  # headers that offer another protocol


class Exchange(RequestResponseCycle):
    """A request and its reply. The head waits for the first bytes of the body, so that they leave together."""

    def __init__(self, connection: Connection, scope: Any, keep_alive: bool) -> None:
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.default_headers = connection.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = connection.on_response_complete
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = connection.expect_100_continue
        self.body = b""  # type: ignore[assignment]
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding = None
        self.expected_content_length = 0
        self._head = b""
        self._until_close = False  # the body ends with the connection

    async def send(self, message: Message) -> None:  # type: ignore[override]
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message)
        elif self.response_complete or not self.response_started:
            raise RuntimeError(f"{message['type']} was sent out of its turn")
        elif message["type"] == ZERO_COPY:
            await self._pour(message["file"], message["offset"], message["count"])
        else:
            self._go_on(message.get("body", b""), message.get("more_body", False))

    async def receive(self) -> Any:
        """As uvicorn's own, without the copy of every piece."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""  # type: ignore[assignment]
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def _begin(self, message: Message) -> None:
        if self.response_started:
            raise RuntimeError("A reply begins once")
        self.response_started = True
        self.waiting_for_100_continue = False
        status: int = message["status"]
        lines = [STATUS_LINE[status][:-2]]
        for name, value in (*self.default_headers, *message["headers"]):
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"connection":
                self.keep_alive = False  # the only thing that is ever said of it is that it ends
                continue
            lines.append(name + b": " + value)
        if not self.keep_alive:
            lines.append(b"connection: close")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self._until_close = self.scope["http_version"] == "1.0"  # which has no chunks (RFC 9112, 6.1)
            if not self._until_close:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join(lines)
        if head.count(b"\n") >= len(lines) or head.count(b"\r") >= len(lines) or b"\0" in head:
            raise RuntimeError("A header of the reply has a line break")
        self._head = head + b"\r\n\r\n"

    def _go_on(self, body: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        elif not self._until_close:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("A reply has as many bytes as its Content-Length says")
        head, self._head = self._head, b""
        if head and len(body) > _JOINED:
            self.transport.writelines([head, body])
        elif head or body:
            self.transport.write(head + body)
        if not more:
            self._end()

    async def _pour(self, file: int, offset: int, count: int) -> None:
        """The whole body, from an open file."""
        if count != self.expected_content_length:
            raise RuntimeError("A reply has as many bytes as its Content-Length says")
        head, self._head = self._head, b""
        try:
            await send_file(self.transport, head, file, offset, offset + count)
        except ConnectionError:
            self.disconnected = True
            self.transport.abort()
        else:
            self._end()

    def _end(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with a bounded head."""

    limit = 0
    url = b""
    left = 0  # bytes of the request's body that are to come, as far as it told
    _answered: RequestResponseCycle | None = None  # the request that is being answered; `cycle` is the last that came
    _ended = False  # nothing more of this connection is read
    _deadline: float | None = None  # the loop's time at which the connection ends unless something comes before
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head = 0  # bytes of it so far
    _hosts = 0
    _again = b""  # the head of a request that is to be read without its offer to upgrade

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_TIME)
        if self.limit and len(self.connections) > self.limit:
            self._refuse(Unavailable(f"The server serves at most {self.limit} connections at once"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._give_up()
        super().connection_lost(exc)

    # ------------------------------------------------------------------------------------ the request

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as paused:
            self._go_on_without_upgrade(data[paused.args[0] :])
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        if self._in_head and self._deadline is None and not self._ended:  # a head that came in part
            self._expect(HEAD_TIME)
        elif self.left >= LARGE and self.cycle is self._answered and not self._ended:
            self._read_by(LargeBody(self))

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read a request again without its offer, behind which the parser takes no body (RFC 9110, 7.8: ignored)."""
        again, self._again = self._again, b""
        if again:
            self._parse_anew()
            self.data_received(again + rest)

    def _parse_anew(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_large_body_end(self) -> None:
        self.on_message_complete()
        self._parse_anew()  # the old one still waits for the body
        self._read_by(self)

    def _read_by(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have what is received; the transport begins to read in its way when it goes on."""
        if self.transport.is_closing():
            return
        if not self.flow.read_paused:
            self.transport.pause_reading()
        self.transport.set_protocol(protocol)
        if not self.flow.read_paused:
            self.transport.resume_reading()

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.left = 0
        self._head = 0
        self._hosts = 0
        self._in_head = True
        self._deadline = None

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length" and value.isdigit():
            self.left = int(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        self._measure(len(name) + len(value))

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_SIZE and not self._ended:
            self.send_400_response(f"The request line and headers are longer than {HEAD_SIZE} bytes")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._deadline = None
        if self._ended or self.transport.is_closing():
            return
        version = self.parser.get_http_version()
        if self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers):
            self._again = self._without_upgrade(version)
            return
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):  # RFC 9112, 3.2
            self.send_400_response(f"A request has one Host header, not {self._hosts}")
            return
        earlier = self.cycle
        self.cycle = Exchange(self, self._described(version), version != "1.0" and self.parser.should_keep_alive())
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # sent before the earlier one was answered
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _without_upgrade(self, version: str) -> bytes:
        closing = not self.parser.should_keep_alive() or any(
            name == b"connection" and b"close" in value.lower() for name, value in self.headers
        )
        kept = [b"%b: %b\r\n" % one for one in self.headers if one[0] not in _OFFER]
        kept += [b"connection: close\r\n"] if closing else []
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version.encode(), b"".join(kept))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _described(self, version: str) -> dict[str, Any]:
        """The request in the terms of ASGI."""
        target = httptools.parse_url(self.url)
        path: str = target.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "method": self.parser.get_method().decode("ascii"),
            "scheme": self.scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": target.path,
            "query_string": target.query or b"",
            "root_path": "",
            "headers": self.headers,
            "client": self.client,
            "server": self.server,
            "state": self.app_state.copy(),
            "extensions": {ZERO_COPY: {}} if AVAILABLE and self.scheme == "http" else {},
        }

    def on_body(self, body: bytes | bytearray) -> None:
        """As uvicorn's own, without its two copies of every byte that is received."""
        self.left -= len(body)
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self._ended or self.transport.is_closing():
            return
        cycle.body = cycle.body + body if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self._ended and not self._again and not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._in_head:
            self._expect(self.timeout_keep_alive)

    # ------------------------------------------------------------------------------------ its time

    def _expect(self, seconds: float) -> None:
        """Close the connection unless something comes in time; a timer that runs is moved on only once it rings."""
        self._deadline = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._deadline is None or self.transport.is_closing():
            return
        if self.loop.time() < self._deadline:
            self._timer = self.loop.call_at(self._deadline, self._ring)
        else:
            self.transport.close()

    # ------------------------------------------------------------------------------------ refusals

    def send_400_response(self, msg: str) -> None:
        if not self._ended and not self.transport.is_closing():
            self._refuse(BadRequest(msg))

    def _refuse(self, error: OpperliteError) -> None:
        """End the connection: after the replies to the requests that came whole, else with the error."""
        self._ended = True
        self._deadline = None
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
