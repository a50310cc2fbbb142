"""The doctor: whether the rows add up and every blob is what its name says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Literal

from msgspec import Struct

from opperlite.domain.backups import Advance
from opperlite.domain.errors import NotFound, StorageFailed
from opperlite.domain.ports import BlobStore, Clock, Quarantine, Upkeep

_HASH = re.compile(r"[0-9a-f]{64}")
_PAGE = 500
_CLOCK_SLACK = 60.0


class Finding(Struct, frozen=True):
    """Something that is not as it should be.

    `damage` has cost data or will; a `warning` wants somebody to look; a `note` goes away by itself.
    """

    check: str
    subject: str
    message: str
    severity: Literal["damage", "warning", "note"] = "warning"
    repaired: bool = False


class Doctor:
    """Examines rows and blobs, also beside a running server; with `repair` it must be alone, and deletes nothing."""

    def __init__(
        self, rows: Upkeep, blobs: BlobStore, clock: Clock, orphan_grace: float, repair: bool, advance: Advance
    ) -> None:
        self._rows = rows
        self._blobs = blobs
        self._clock = clock
        self._orphan_grace = orphan_grace
        self._repair = repair
        self._advance = advance
        self._quarantined: set[str] = set()
        self.examined = 0

    async def findings(self) -> list[Finding]:
        """Everything that was found, the worst of each check first."""
        damage = await self._damage()
        if damage:
            return damage
        return [
            *[one async for one in self._counters()],
            *[one async for one in self._time()],
            *[one async for one in self._bytes()],
            *[one async for one in self._named()],
        ]

    async def _damage(self) -> list[Finding]:
        try:
            found = await self._rows.damage()
        except StorageFailed as error:
            found = [error.message]
        return [Finding("database", "opperlite.db", one, "damage") for one in found]

    async def _counters(self) -> AsyncIterator[Finding]:
        miscounts = await self._rows.miscounts()
        if miscounts and self._repair:
            await self._rows.recount()
        for one in miscounts:
            message = f"{one.counter} says {one.kept}, the rows say {one.true}"
            yield Finding("counters", one.owner, message, repaired=self._repair)

    async def _time(self) -> AsyncIterator[Finding]:
        ahead = await self._rows.newest() - self._clock.now()
        if ahead > _CLOCK_SLACK:
            yield Finding(
                "clock", "the machine's clock", f"the newest row is {ahead:.0f} s in the future: is the clock right?"
            )

    async def _bytes(self) -> AsyncIterator[Finding]:
        """Every blob that is there."""
        _, total = await self._rows.blob_total()
        done, orphans = 0, 0
        orphaned_before = self._clock.now() - self._orphan_grace
        async for sha256, staged in self._blobs.all():
            if not _HASH.fullmatch(sha256):
                yield Finding("blobs", sha256, "this name among the blobs is no hash; nothing reads it", "note")
                continue
            size = await self._size_if_sound(sha256)
            if size is None:
                yield await self._damaged(sha256)
            elif size >= 0:
                done += size
                self.examined += 1
                orphans += staged < orphaned_before and not await self._rows.blob_wanted(sha256)
                self._advance(min(done, total), total)
        self._advance(total, total)
        if orphans:
            yield Finding("blobs", f"{orphans} blobs", "no file names them; the next sweep removes them", "note")

    async def _size_if_sound(self, sha256: str) -> int | None:
        """The size of a blob that is what its name says; -1 when it has just been deleted, None when it is damaged."""
        digest, size = hashlib.sha256(), 0
        try:
            async for piece in self._blobs.read(sha256):
                digest.update(piece)
                size += len(piece)
        except NotFound:
            return -1
        except StorageFailed:
            return None
        return size if digest.hexdigest() == sha256 else None

    async def _damaged(self, sha256: str) -> Finding:
        named = "files name it" if await self._rows.blob_wanted(sha256) else "no file names it"
        if not (self._repair and isinstance(self._blobs, Quarantine)):
            return Finding("blobs", sha256, f"its bytes are not those of its name ({named})", "damage")
        place = await self._blobs.quarantine(sha256)
        self._quarantined.add(sha256)
        return Finding("blobs", sha256, f"its bytes are not those of its name ({named}); now {place}", "damage", True)

    async def _named(self) -> AsyncIterator[Finding]:
        """Every blob that should be there."""
        after = ""
        while page := await self._rows.blobs(after, _PAGE):
            for blob in page:
                size = await self._blobs.size(blob.sha256)
                if size is None and blob.sha256 not in self._quarantined:
                    if await self._rows.blob_wanted(blob.sha256):  # else it was deleted in the meantime
                        yield Finding("rows", blob.sha256, "files name this blob, but it is missing", "damage")
                elif size is not None and blob.bytes not in (size, -1):
                    message = f"the rows say {blob.bytes} bytes, the blob has {size}"
                    yield Finding("rows", blob.sha256, message, "damage")
            after = page[-1].sha256
