"""Media sources: what a caller may write where media is input, and how it becomes a local file.

A source is an http(s) URL, a data-URI, the id of a file of the same project, or (for the providers that take it)
a gs:// URI.
"""

from __future__ import annotations

import asyncio
import binascii
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import (
    FileNotFound,
    NotFound,
    PayloadTooLarge,
    SourceUnusable,
    StorageFailed,
    UnsupportedMedia,
    ValidationFailed,
)
from opperlite.domain.files import Files
from opperlite.domain.links import own_file
from opperlite.domain.ports import Clock, Fetcher, Inspector, LocalPath, MetadataStore
from opperlite.domain.types import Media, Project, Source

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII | re.IGNORECASE)
_FORMS = "an http(s) URL, a data-URI (data:<type>;base64,<data>) or a file id (file_…)"
_SHOWN = 80

Placeholder = Callable[[Source, Path], Awaitable[Path]]


def parse(value: str, field: str) -> Source:
    """Tell a source's form; raises ValidationFailed with the field and the allowed forms."""
    lowered = value[:8].lower()
    if lowered.startswith(("http://", "https://")):
        return Source("url", value, field)
    if lowered.startswith("data:"):
        if not _DATA.match(value):
            raise ValidationFailed("Not a data-URI: expected data:<type>;base64,<data>", field=field)
        return Source("data", value, field)
    if lowered.startswith("gs://"):
        return Source("gs", value, field)
    if re.fullmatch(r"file_[\w-]{1,128}", value, re.ASCII):
        return Source("file", value, field)
    shown = value[:_SHOWN] + ("…" if len(value) > _SHOWN else "")
    raise ValidationFailed(f"{shown!r} is no media source: give {_FORMS}", field=field, allowed=_FORMS)


def decode_data(value: str, field: str, limit: int) -> bytes:
    """The bytes of a data-URI; raises ValidationFailed or PayloadTooLarge."""
    match = _DATA.match(value)
    if match is None:
        raise ValidationFailed("Not a data-URI: expected data:<type>;base64,<data>", field=field)
    start = match.end()
    escaped = value.find("%", start) >= 0  # a URI may write any of its characters so (RFC 2397, 3986)
    if match.group(3) and not escaped and (len(value) - start) * 3 // 4 > limit + 3:  # before the bytes are made
        raise _too_large(field, limit)
    try:
        data = unquote_to_bytes(value[start:]) if escaped or not match.group(3) else value[start:].encode("ascii")
        if match.group(3):
            data = binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValidationFailed(f"The data-URI's base64 cannot be decoded: {error}", field=field) from None
    if len(data) > limit:
        raise _too_large(field, limit)
    if not data:
        raise ValidationFailed("The data-URI is empty", field=field)
    return data


def _too_large(field: str, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"{field} may have at most {limit:,} bytes", field=field, allowed={"max_bytes": limit})


class Local(Struct, frozen=True):
    """A source as a local file: what it is, and its hash where it is a stored blob."""

    path: Path
    media: Media
    sha256: str | None = None


class SourceReader:
    """Turns sources into local files."""

    def __init__(
        self,
        files: Files,
        store: MetadataStore,
        fetcher: Fetcher,
        inspector: Inspector,
        clock: Clock,
        secret: bytes,
    ) -> None:
        self._files = files
        self._store = store
        self._fetcher = fetcher
        self._inspector = inspector
        self._clock = clock
        self._secret = secret

    @asynccontextmanager
    async def open(
        self,
        project: Project,
        source: Source,
        workspace: Path,
        *,
        limit: int | None = None,
        placeholder: Placeholder | None = None,
    ) -> AsyncIterator[Local]:
        """The source as a file that stays readable while in the context.

        `placeholder` makes a stand-in for a URL that cannot be reached. Raises ValidationFailed, FileNotFound,
        SourceUnusable or PayloadTooLarge, each with the field.
        """
        limit = limit or self._files.policy.max_file_size
        sha256 = await self._stored(project, source)
        if sha256 is None:
            path = await self._outside(source, workspace, limit, placeholder)
            yield Local(path, await self._inspect(path, source))
            return
        with self._files.blobs.hold(sha256):
            path = await self._local(sha256, source, workspace, limit)
            media = await self._inspect(path, source)
            yield Local(path, replace(media, stored=source.form == "file"), sha256)

    async def _stored(self, project: Project, source: Source) -> str | None:
        if source.form == "blob":
            return source.value
        if source.form == "file":
            return (await self._files.as_input(project, source.value, source.field)).sha256
        if source.form == "url":
            now = self._clock.now()
            file_id = own_file(self._secret, source.value, now)
            if file_id is not None:
                file = await self._store.linked_file(file_id, now)
                if file is None:
                    raise FileNotFound("The file behind this URL has expired or been deleted", field=source.field)
                return file.sha256
        return None

    async def _local(self, sha256: str, source: Source, workspace: Path, limit: int) -> Path:
        size = await self._files.blobs.size(sha256)
        if size is None:
            raise FileNotFound("The file's bytes are gone", field=source.field)
        if size > limit:
            raise _too_large(source.field, limit)
        if isinstance(self._files.blobs, LocalPath):
            return self._files.blobs.local_path(sha256)
        return await copy_blob(self._files, sha256, workspace)

    async def _outside(self, source: Source, workspace: Path, limit: int, placeholder: Placeholder | None) -> Path:
        path = workspace / f"source-{secrets.token_hex(8)}"
        try:
            if source.form == "data":
                data = await asyncio.to_thread(decode_data, source.value, source.field, limit)
                await asyncio.to_thread(path.write_bytes, data)
                return path
            if source.form == "gs":
                raise SourceUnusable("gs:// objects cannot be read from here; send a file id or a data-URI")
            await self._download(source.value, path, limit)
        except SourceUnusable as error:
            if placeholder is not None and (source.form == "gs" or error.details.get("unreachable")):
                return await placeholder(source, workspace)
            error.details["field"] = source.field
            raise
        except PayloadTooLarge as error:
            error.details["field"] = source.field
            raise
        except OSError as error:
            raise StorageFailed(f"The source cannot be written to the data folder: {error.strerror}") from error
        return path

    async def _download(self, url: str, path: Path, limit: int) -> None:
        file = await asyncio.to_thread(open, path, "wb")
        try:

            async def sink(piece: bytes) -> None:
                await asyncio.to_thread(file.write, piece)

            await self._fetcher.fetch(url, sink, limit)
        finally:
            await asyncio.to_thread(file.close)

    async def _inspect(self, path: Path, source: Source) -> Media:
        try:
            return await self._inspector.inspect(path)
        except UnsupportedMedia as error:
            error.details["field"] = source.field
            raise


async def copy_blob(files: Files, sha256: str, workspace: Path) -> Path:
    """A blob of a store without local paths, as a file in the workspace; raises NotFound."""
    path = workspace / sha256
    if await files.blobs.size(sha256) is None:
        raise NotFound("The stored bytes are gone")
    with await asyncio.to_thread(open, path, "wb") as file:
        async for piece in files.blobs.read(sha256):
            await asyncio.to_thread(file.write, piece)
    return path
