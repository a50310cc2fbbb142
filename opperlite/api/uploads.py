"""Multipart uploads: parsed as they stream in, so that a file is hashed and written while it is received."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

from litestar import Request
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from opperlite.api.calls import received
from opperlite.domain.errors import PayloadTooLarge, UnsupportedContentType, ValidationFailed
from opperlite.domain.files import Files, Incoming, checked_filename
from opperlite.domain.types import Project

_OVERHEAD = 1 << 20  # what the body may have beside the file
_FIELDS = 4  # how many of the longest fields may come together: text is held in memory


class Part(Struct, frozen=True):
    """A file part: its field, its file name where it has one, and its bytes as they were received."""

    name: str
    filename: str | None
    incoming: Incoming


class Form:
    """One multipart body on its way: the text fields in their order, and the parts that are files.

    `names` are the fields that may be files, each with a file name. `counted` is for uploads: one file, which is to be
    kept and takes quota, with or without a name; other files only pass through a call.
    """

    def __init__(
        self,
        request: Request[Any, Any, Any],
        files: Files,
        project: Project,
        names: Collection[str],
        *,
        counted: bool = False,
        longest_field: int = 4096,
        most_parts: int = 16,
    ) -> None:
        self._request = request
        self._files = files
        self._project = project
        self._names = names
        self._counted = counted
        self._longest = longest_field
        self._most_parts = most_parts
        self._text = 0
        self._length = _declared_length(request)
        self.fields: list[tuple[str, str]] = []
        self.files: list[Part] = []
        self.complete = False

    async def read(self, stack: AsyncExitStack) -> None:
        """Read the whole body, once; `stack` owns the staged files."""
        if self.complete:
            return
        # Not strict: a preamble, and what follows the last boundary, mean nothing (RFC 2046, 5.1.1).
        parser = PushMultipartParser(
            _boundary(self._request), content_length=-1, max_segment_count=self._most_parts, strict=False
        )
        limit = self._files.policy.max_file_size + _OVERHEAD
        if self._length is not None and self._length > limit:
            raise self._too_large()
        total = 0
        part: Part | None = None
        segment: MultipartSegment | None = None
        field = bytearray()
        try:
            async for chunk in received(self._request):
                total += len(chunk)
                if total > limit:
                    raise self._too_large()
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        segment, field = event, bytearray()
                        part = await self._begin(event, stack)
                    elif event and part is not None:
                        await part.incoming.write(event)
                    elif event:
                        self._more(segment, event, field)
                    elif segment is not None and part is None:
                        self._end(segment, field)
            parser.close()
            self.complete = True
        except MultipartError as error:
            raise ValidationFailed(f"The multipart body is broken: {error}", field="body") from None

    def _too_large(self) -> PayloadTooLarge:
        most = self._files.policy.max_file_size
        return PayloadTooLarge(f"A file may have at most {most:,} bytes", field="file", allowed={"max_bytes": most})

    async def _begin(self, segment: MultipartSegment, stack: AsyncExitStack) -> Part | None:
        """The file part that begins, or None for a text field."""
        if segment.name not in self._names or (segment.filename is None and not self._counted):
            return None
        if self._counted and self.files:
            raise ValidationFailed("Send one file part, not several", field=segment.name)
        filename = None
        if segment.filename:
            # Browsers write line breaks of a name as %0D and %0A.
            filename = checked_filename(segment.filename.replace("%0D", "\r").replace("%0A", "\n"))
        expected = None
        # What an earlier attempt made takes quota already: only the row's own check can tell it apart.
        if self._counted and self._length is not None and not self._request.scope["state"].get("again"):
            expected = max(self._length - _OVERHEAD, 0)
        incoming = await stack.enter_async_context(self._files.receive(self._project, expected))
        self.files.append(Part(segment.name, filename, incoming))
        return self.files[-1]

    def _more(self, segment: MultipartSegment | None, data: bytes | bytearray, field: bytearray) -> None:
        field += data
        self._text += len(data)
        name = (segment.name if segment else None) or "body"
        if self._text > _FIELDS * self._longest:
            raise ValidationFailed("The text fields of this form are too long together", field=name[:64])
        if len(field) > self._longest:
            raise ValidationFailed(
                f"The field {name[:64]!r} is longer than {self._longest:,} bytes", field=name[:64] or "body"
            )

    def _end(self, segment: MultipartSegment, field: bytearray) -> None:
        name = segment.name or ""
        try:
            self.fields.append((name, field.decode()))
        except UnicodeDecodeError:
            raise ValidationFailed(f"The field {name[:64]!r} is not valid UTF-8", field=name[:64] or "body") from None

    @property
    def texts(self) -> dict[str, str]:
        """The text fields by name, the last of each."""
        return dict(self.fields)

    @property
    def file(self) -> Part:
        """The one file; raises ValidationFailed when there is none."""
        if not self.files:
            raise ValidationFailed("The multipart body has no `file` part", field="file")
        return self.files[0]

    async def fingerprint(self) -> bytes:
        """What makes two forms the same: the fields, the names and the bytes, whatever the boundary."""
        parts = [(part.name, part.filename, await part.incoming.digest()) for part in self.files]
        return hashlib.sha256(repr((sorted(self.fields), parts)).encode()).digest()


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
