"""Reading stored bytes over HTTP: whole or one range, with what caches and browsers need to be safe."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from litestar.types import Receive, Scope, Send

from opperlite.api.asgi import method_of
from opperlite.api.replies import error_reply
from opperlite.api.sendfile import ZERO_COPY
from opperlite.domain.errors import NotFound, RangeNotSatisfiable, StorageFailed
from opperlite.domain.files import Files
from opperlite.domain.links import Disposition
from opperlite.domain.types import File

_WATCHED = 8 << 20
_BY_SYSTEM = 1 << 20  # bytes from which on the system sends the file itself, where it can
_CONDITIONS = frozenset({b"if-none-match", b"if-range", b"range"})
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)
# What a browser may do with served bytes: show them, and nothing else (no script, no form, no frame, no origin).
_POLICY = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; "
    "sandbox; frame-ancestors 'none'"
)


def content_disposition(filename: str, disposition: Disposition) -> str:
    """The header for a name, by RFC 6266: a plain ASCII form, and the exact one by RFC 8187."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    exact = quote(filename, safe="!#$&+-.^_`|~")
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes start…end (end exclusive) of a Range header, None for the whole.

    Several ranges, other units and what cannot be parsed are answered with the whole (RFC 9110, 14.2);
    raises RangeNotSatisfiable for one that lies outside.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
        if int(suffix) == 0:
            raise RangeNotSatisfiable()
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size:
        raise RangeNotSatisfiable()
    return start, end


class Download:
    """An ASGI application that sends one stored file."""

    def __init__(self, files: Files, file: File, disposition: Disposition) -> None:
        self._files = files
        self._file = file
        self._disposition = disposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = {name: str(value, "latin-1") for name, value in scope["headers"] if name in _CONDITIONS}
        size, tag = self._file.bytes, f'"{self._file.sha256}"'
        if _matches(asked.get(b"if-none-match"), tag):
            await self._start(send, 304, None)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        try:
            fresh = self._unchanged(asked.get(b"if-range"), tag)
            part = wanted_range(asked.get(b"range"), size) if fresh and method_of(scope) == "GET" else None
        except RangeNotSatisfiable as error:
            reply = error_reply(error, scope["path"])
            reply.headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
            await reply(scope, receive, send)
            return
        if method_of(scope) == "GET":
            await self._pour(scope, receive, send, part)
            return
        await self._start(send, 200, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pour(self, scope: Scope, receive: Receive, send: Send, part: tuple[int, int] | None) -> None:
        start, end = part or (0, self._file.bytes)
        whole = self._files.at_hand(self._file)
        if whole is not None:
            await self._start(send, 206 if part else 200, part)
            await send({"type": "http.response.body", "body": whole[start:end], "more_body": False})
            return
        if end - start >= _BY_SYSTEM and await self._sent_by_system(scope, send, part):
            return
        pieces = self._files.blobs.read(self._file.sha256, start, end)
        try:  # before the head is sent: bytes that are lost are an error, not a broken 200
            piece = await anext(pieces, b"")
        except (NotFound, StorageFailed) as error:
            await error_reply(error, scope["path"])(scope, receive, send)
            return
        await self._start(send, 206 if part else 200, part)
        # uvicorn drops what is sent to a client that went away; a large file is then read no further
        watch = asyncio.create_task(_gone(receive)) if end - start > _WATCHED else None
        try:
            while piece and not (watch and watch.done()):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anext(pieces, b"")
            if not piece:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if watch is not None:
                watch.cancel()

    async def _sent_by_system(self, scope: Scope, send: Send, part: tuple[int, int] | None) -> bool:
        """Let the server send the file without reading it here; False where it cannot."""
        path = self._files.local_path(self._file)
        if path is None or ZERO_COPY not in (scope.get("extensions") or ()):
            return False
        start, end = part or (0, self._file.bytes)
        try:
            opened = await asyncio.to_thread(open, path, "rb", 0)
        except OSError:  # which reading it tells in words
            return False
        with opened:
            await self._start(send, 206 if part else 200, part)
            copy: Any = {"type": ZERO_COPY, "file": opened.fileno(), "offset": start, "count": end - start}
            await send(copy)
        return True

    def _unchanged(self, condition: str | None, tag: str) -> bool:
        """Whether If-Range lets a part be sent: the same strong tag, or the exact date."""
        return condition is None or condition in (tag, _modified(self._file))

    async def _start(self, send: Send, status: int, part: tuple[int, int] | None) -> None:
        size = self._file.bytes
        headers = list(_headers(self._file, self._disposition))
        if status != 304:
            headers.append((b"content-type", self._file.mime_type.encode("latin-1")))
            headers.append((b"content-length", b"%d" % (part[1] - part[0] if part else size)))
        if part:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (part[0], part[1] - 1, size)))
        await send({"type": "http.response.start", "status": status, "headers": headers})


@lru_cache(maxsize=1024)
def _headers(file: File, disposition: Disposition) -> tuple[tuple[bytes, bytes], ...]:
    """What is told of a file whatever part of it is sent."""
    headers = {
        "etag": f'"{file.sha256}"',
        "accept-ranges": "bytes",
        "last-modified": _modified(file),
        "cache-control": "private, max-age=3600",
        "content-disposition": content_disposition(file.filename, disposition),
        "x-content-type-options": "nosniff",
        "content-security-policy": _POLICY,
        "cross-origin-resource-policy": "cross-origin",
        "referrer-policy": "no-referrer",
    }
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())


def _modified(file: File) -> str:
    return format_datetime(datetime.fromtimestamp(int(file.created_at), UTC), usegmt=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _matches(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in header.split(","))
