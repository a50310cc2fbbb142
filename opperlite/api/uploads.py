"""Multipart uploads: parsed as they stream in, so that a file is hashed and written while it is received."""

from __future__ import annotations

import hashlib
import re
from contextlib import AsyncExitStack
from typing import Any

from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from opperlite.api.calls import received
from opperlite.domain.errors import PayloadTooLarge, UnsupportedContentType, ValidationFailed
from opperlite.domain.files import Files, Incoming, Stored, checked_filename
from opperlite.domain.types import Project

_MAX_FIELD = 4096
_MAX_PARTS = 16
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_OVERHEAD = 1 << 20  # what the body may have beside the file


class Upload:
    """One multipart body on its way: the text fields, and the file part as it is received."""

    def __init__(self, request: Request[Any, Any, Any], files: Files, project: Project) -> None:
        self._request = request
        self._files = files
        self._project = project
        self._length = _declared_length(request)
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.incoming: Incoming | None = None
        self.complete = False

    async def read(self, stack: AsyncExitStack) -> None:
        """Read the whole body; `stack` owns the staged file."""
        parser = PushMultipartParser(
            _boundary(self._request), content_length=-1, max_segment_count=_MAX_PARTS, strict=True
        )
        limit = self._files.policy.max_file_size + _OVERHEAD
        if self._length is not None and self._length > limit:
            raise self._too_large()
        total = 0
        segment: MultipartSegment | None = None
        field = bytearray()
        try:
            async for chunk in received(self._request):
                total += len(chunk)
                if total > limit:
                    raise self._too_large()
                if parser.closed:  # what follows the last boundary means nothing (RFC 2046, 5.1.1)
                    continue
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        segment, field = event, bytearray()
                        await self._begin(event, stack)
                    elif event:
                        await self._data(segment, event, field)
                    elif segment is not None:
                        self._end(segment, field)
            parser.close()
            self.complete = True
        except MultipartError as error:
            raise ValidationFailed(f"The multipart body is broken: {error}", field="body") from None

    def _too_large(self) -> PayloadTooLarge:
        most = self._files.policy.max_file_size
        return PayloadTooLarge(f"A file may have at most {most:,} bytes", field="file", allowed={"max_bytes": most})

    async def _begin(self, segment: MultipartSegment, stack: AsyncExitStack) -> None:
        if segment.name != "file":
            return
        if self.incoming is not None:
            raise ValidationFailed("Send one file part, not several", field="file")
        if segment.filename is not None:
            # Browsers write line breaks of a name as %0D and %0A.
            name = segment.filename.replace("%0D", "\r").replace("%0A", "\n")
            self.filename = checked_filename(name)
        expected = None if self._length is None else max(self._length - _OVERHEAD, 0)
        self.incoming = await stack.enter_async_context(self._files.receive(self._project, expected))

    async def _data(self, segment: MultipartSegment | None, data: bytes | bytearray, field: bytearray) -> None:
        if segment is not None and segment.name == "file":
            assert self.incoming is not None
            await self.incoming.write(data)
            return
        field += data
        if len(field) > _MAX_FIELD:
            name = (segment.name if segment else None) or "body"
            raise ValidationFailed(f"The field {name[:64]!r} is longer than {_MAX_FIELD} bytes", field=name[:64])

    def _end(self, segment: MultipartSegment, field: bytearray) -> None:
        if segment.name == "file":
            return
        name = segment.name or ""
        try:
            self.fields[name] = field.decode()
        except UnicodeDecodeError:
            raise ValidationFailed(f"The field {name[:64]!r} is not valid UTF-8", field=name[:64]) from None

    async def fingerprint(self) -> bytes:
        """What makes two uploads the same: the fields, the name and the bytes, whatever the boundary."""
        bytes_ = await self.incoming.digest() if self.incoming is not None else None
        return hashlib.sha256(repr((sorted(self.fields.items()), self.filename, bytes_)).encode()).digest()

    async def finish(self) -> Stored:
        """Make the file; raises ValidationFailed when there is none or a field is wrong."""
        if self.incoming is None:
            raise ValidationFailed("The multipart body has no `file` part", field="file")
        return await self.incoming.finish(
            self.fields.get("filename") or self.filename or "upload",
            self.fields.get("purpose") or None,
            _seconds(self.fields.get("ttl_seconds")),
        )


def _seconds(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    raise ValidationFailed(
        f"ttl_seconds must be an integer of at least 1, not {text[:40]!r}", field="ttl_seconds", allowed={"min": 1}
    )


def _declared_length(request: Request[Any, Any, Any]) -> int | None:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and len(declared) < 19 else None


def _boundary(request: Request[Any, Any, Any]) -> str:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind.lower() != "multipart/form-data":
        raise UnsupportedContentType(
            f"This route takes multipart/form-data, not {kind[:80] or 'a body without a Content-Type'}",
            field="Content-Type",
            allowed=["multipart/form-data"],
        )
    boundary: str = options.get("boundary", "")
    if not boundary or len(boundary) > 200 or not boundary.isascii():
        raise ValidationFailed("The Content-Type has no usable boundary", field="Content-Type")
    return boundary
