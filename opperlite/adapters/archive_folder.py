"""An archive as a folder that grows: each blob once, and a dated database for each backup."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from opperlite.adapters.archive_tar import sync_folder
from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.domain.errors import StorageFailed, ValidationFailed
from opperlite.domain.types import BlobRef

_DATED = re.compile(r"opperlite-\d{8}T\d{6}\.\d{3}Z\.db")
_MINE = {"blobs", "staging", "secret"}


class FolderArchive:
    """`ports.Archive` in a folder `blobs`, with the dated databases and the secret beside it."""

    lanes = 8

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            foreign = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - _MINE
        except OSError as error:
            raise StorageFailed(f"{folder} cannot be used: {error.strerror}") from error
        if not all(_DATED.fullmatch(name) for name in foreign):
            raise ValidationFailed(f"{folder} holds other things than backups; name another folder, or a new file")
        self.blobs = LocalBlobs(folder)

    def close(self) -> None:
        self.blobs.close()

    async def has(self, blob: BlobRef) -> bool:
        size = await self.blobs.size(blob.sha256)
        return size is not None and blob.bytes in (size, -1)

    async def add(self, blob: BlobRef, pieces: AsyncIterator[bytes]) -> int | None:
        async with self.blobs.stage() as staging:
            async for piece in pieces:
                await staging.write(piece)
            if await staging.digest() != blob.sha256:
                return None
            return (await staging.finish()).bytes

    def commit(self, database: Path, secret: bytes, now: float) -> Path:
        """Put the database and the secret beside the blobs, durably; the database's place."""
        moment = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}.{int(now * 1000) % 1000:03}Z"
        target = self._folder / f"opperlite-{moment}.db"
        try:
            if target.exists():
                raise ValidationFailed(f"{target} exists already; try again")
            _write(self._folder / ".secret.partial", secret, self._folder / "secret")
            with open(database, "rb+") as file:
                os.fsync(file.fileno())
            database.rename(target)
            sync_folder(self._folder)
        except OSError as error:
            raise StorageFailed(f"{self._folder} cannot be used: {error.strerror}") from error
        return target

    def databases(self) -> list[str]:
        """The names of the dated databases, oldest first."""
        return sorted(path.name for path in self._folder.iterdir() if _DATED.fullmatch(path.name))


def _write(partial: Path, content: bytes, target: Path) -> None:
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
