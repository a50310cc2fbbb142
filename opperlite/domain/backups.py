"""Copies of blobs: each that the rows of one moment name, once, with the right bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from opperlite.domain.errors import NotFound, ValidationFailed
from opperlite.domain.ports import Archive, BlobStore, Upkeep
from opperlite.domain.types import BlobRef

Advance = Callable[[int, int], None]
"""Is told how much is done, of how much in all; what is counted is the caller's affair."""

_PAGE = 500
_ATTEMPTS = 2
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")


def blob_name(sha256: str) -> str:
    """A blob's name inside archives and data folders."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def named_blob(name: str) -> str | None:
    """The hash of the blob that an archive's entry is, or None when it is none."""
    match = _BLOB.fullmatch(name)
    return match[3] if match else None


class Copied(Struct, frozen=True):
    """What a copy took: blobs and bytes that were `added`, blobs that it had already, blobs whose files were deleted
    meanwhile (`gone`), and the hashes of those that should be there but are missing or damaged (`lost`).
    """

    added: int = 0
    bytes: int = 0
    kept: int = 0
    gone: int = 0
    lost: tuple[str, ...] = ()


class Copying:
    """Copies the blobs that the rows of `copy` name into an archive, while the store itself is in use.

    A blob that cannot be copied goes out of the rows of `copy`, so that rows and archive fit together.
    """

    def __init__(self, live: Upkeep, copy: Upkeep, blobs: BlobStore, archive: Archive, advance: Advance) -> None:
        self._live = live
        self._copy = copy
        self._blobs = blobs
        self._archive = archive
        self._advance = advance
        self._added = self._bytes = self._kept = self._gone = self._done = 0
        self._lost: list[str] = []

    async def run(self) -> Copied:
        _, total = await self._copy.blob_total()
        after = ""
        while page := await self._copy.blobs(after, _PAGE):
            for start in range(0, len(page), self._archive.lanes):
                lane = page[start : start + self._archive.lanes]
                await side_by_side([self._take(blob) for blob in lane])
                self._done += sum(max(blob.bytes, 0) for blob in lane)
                self._advance(self._done, total)
            after = page[-1].sha256
        if self._gone or self._lost:
            await self._copy.recount()
        return Copied(self._added, self._bytes, self._kept, self._gone, tuple(self._lost))

    async def _take(self, blob: BlobRef) -> None:
        if await self._archive.has(blob):
            self._kept += 1
            return
        for _ in range(_ATTEMPTS):  # again when it is still wanted: it may have been deleted, then stored anew
            size = await self._added_size(blob)
            if size is not None:
                self._added += 1
                self._bytes += size
                return
            if not await self._live.blob_wanted(blob.sha256):
                self._gone += 1
                break
        else:
            self._lost.append(blob.sha256)
        await self._copy.forget_blob(blob.sha256)

    async def _added_size(self, blob: BlobRef) -> int | None:
        try:
            return await self._archive.add(blob, self._blobs.read(blob.sha256))
        except NotFound:
            return None


async def take_in(blobs: BlobStore, sha256: str, pieces: AsyncIterator[bytes]) -> int:
    """Store an archive's blob; its size. Raises ValidationFailed when the bytes are not those of the hash."""
    async with blobs.stage() as staging:
        async for piece in pieces:
            await staging.write(piece)
        if await staging.digest() != sha256:
            raise ValidationFailed(f"The archive is damaged: {blob_name(sha256)} has other bytes than its name says")
        return (await staging.finish()).bytes


async def flowing(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Bytes that are at hand as those that come."""
    for piece in pieces:
        yield piece


async def side_by_side(works: Sequence[Awaitable[object]]) -> None:
    """Do all, each to its end; raises the first error only then, so that nothing goes on behind it."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def check_whole(rows: Upkeep, blobs: BlobStore) -> int:
    """That the database is sound and every blob that it names is there; how many. Raises ValidationFailed."""
    if damage := await rows.damage():
        raise ValidationFailed(f"The archive is damaged: {damage[0]}")
    after, count = "", 0
    while page := await rows.blobs(after, _PAGE):
        for blob in page:
            size = await blobs.size(blob.sha256)
            if size is None or blob.bytes not in (size, -1):
                raise ValidationFailed(f"The archive is not whole: {blob_name(blob.sha256)} is missing or too short")
        after, count = page[-1].sha256, count + len(page)
    return count
