"""A finished reply as a small ASGI application: status, headers, bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from litestar.types import Receive, Scope, Send

from opperlite.api import errors
from opperlite.api.asgi import method_of
from opperlite.api.openai import errors as openai
from opperlite.domain.errors import OpperliteError
from opperlite.domain.types import Reply as KeptReply

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
_encoder = msgspec.json.Encoder()


class Reply:
    """An HTTP reply whose body is in memory."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(
        self, status: int, body: bytes = b"", media_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.media_type = media_type
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"%d" % len(self.body))] if self.status != 204 else []
        if self.media_type is not None:
            headers.append((b"content-type", self.media_type.encode()))
        if self.headers:
            headers.extend((name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items())
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = b"" if method_of(scope) == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def kept(self) -> KeptReply:
        """The reply as it is remembered for an Idempotency-Key."""
        return KeptReply(self.status, self.media_type or "", self.body, dict(self.headers or {}))


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A struct as JSON."""
    return Reply(status, _encoder.encode(value), JSON, headers)


class Events(Reply):
    """A reply of server-sent events, each sent by itself."""

    __slots__ = ("_events",)

    def __init__(self, events: Sequence[bytes], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(200, b"".join(events), EVENTS, {"Cache-Control": "no-store", **(headers or {})})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Content-Type": EVENTS, **(self.headers or {})}
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def event(value: object, name: str | None = None) -> bytes:
    """One server-sent event with a struct as its data."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + _encoder.encode(value) + b"\n\n"


def error_reply(error: OpperliteError, path: str = "") -> Reply:
    """An error in the envelope of what is answered at a path."""
    headers = errors.headers_of(error)
    if openai.speaks_openai(path):
        return Reply(openai.status_of(error), openai.body_of(error), JSON, headers | openai.headers_of(error))
    return Reply(errors.status_of(error), errors.body_of(error), JSON, headers)


def replayed(reply: KeptReply) -> Reply:
    """An earlier reply once more."""
    headers = reply.headers | {"Idempotency-Replayed": "true"}
    return Reply(reply.status, reply.body, reply.media_type or None, headers)
