"""Files: named references to blobs, with a life that ends, inside a quota."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import (
    FileNotFound,
    NotFound,
    PayloadTooLarge,
    QuotaExceeded,
    StorageFailed,
    UnsupportedMedia,
    ValidationFailed,
)
from opperlite.domain.ids import new_id
from opperlite.domain.links import Disposition, mint, verify
from opperlite.domain.ports import AtHand, BlobStore, Clock, Inspector, LocalPath, MetadataStore, Staging
from opperlite.domain.types import BlobRef, File, FileKind, FilePage, Policy, Project, Warning

log = logging.getLogger("opperlite.files")

# What each purpose takes: families of MIME types, judged by the bytes. Other purposes are refused.
PURPOSES: dict[str, tuple[str, ...]] = {
    "reference_media": ("image/", "video/", "audio/"),
    "ocr_input": ("application/pdf", "image/"),
}
HEAD = 8192
_MAX_FILENAME = 255
_MAX_PURPOSE = 256
_SWEEP_BATCH = 500


class Stored(Struct, frozen=True):
    """A file as answered, and the soft troubles to tell beside it. `kept` is False when nothing was stored."""

    file: File
    warnings: tuple[Warning, ...] = ()
    kept: bool = True


def skipped(reason: str, index: int = 0) -> Warning:
    """The signal that an output was not stored: reason quota_exceeded, zero_data_retention or storage_error."""
    words = {
        "quota_exceeded": "the organisation's storage quota is full",
        "zero_data_retention": "the project keeps no data",
        "storage_error": "the data folder refused the write",
    }
    return Warning("storage_skipped", f"The output was not stored: {words[reason]}", {"reason": reason, "index": index})


def checked_filename(name: str, field: str = "filename") -> str:
    """A name that is safe to keep and to send back; raises ValidationFailed for any other."""
    if not name or len(name) > _MAX_FILENAME or name in (".", ".."):
        found = f"{len(name)} characters" if name not in (".", "..") else repr(name)
        raise ValidationFailed(f"A file name has 1 to {_MAX_FILENAME} characters; this one: {found}", field=field)
    if any(character in "/\\" or ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValidationFailed("A file name has no slashes and no control characters", field=field)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValidationFailed("A file name is valid Unicode", field=field) from None
    return name


class Incoming:
    """An upload on its way: bytes are counted, hashed and staged as they come."""

    def __init__(self, files: Files, project: Project, staging: Staging, limit: int) -> None:
        self._files = files
        self._project = project
        self._staging = staging
        self._limit = limit
        self._head = b""
        self.bytes = 0
        self.unnamed: str | None = None  # a blob that was made durable but got no row

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises PayloadTooLarge past the limit of one file."""
        self.bytes += len(chunk)
        if self.bytes > self._limit:
            raise PayloadTooLarge(
                f"A file may have at most {self._limit:,} bytes", field="file", allowed={"max_bytes": self._limit}
            )
        if len(self._head) < HEAD:
            self._head += bytes(chunk[: HEAD - len(self._head)])
        await self._staging.write(chunk)

    async def digest(self) -> str:
        """The SHA-256 in hex of what came so far."""
        return await self._staging.digest()

    async def finish(
        self, filename: str, purpose: str | None, ttl_seconds: int | None, *, gated: bool = True
    ) -> Stored:
        """Check what came, then make it a file, or a skipped one in a project that keeps no data.

        `gated` holds the file to what its purpose takes; else the purpose is free text and takes any bytes.
        """
        purpose = purpose or "reference_media"
        if gated and purpose not in PURPOSES:
            raise ValidationFailed(f"Unknown purpose {purpose[:100]!r}", field="purpose", allowed=list(PURPOSES))
        if len(purpose) > _MAX_PURPOSE or not purpose.isprintable():
            raise ValidationFailed(
                f"A purpose has at most {_MAX_PURPOSE} printable characters", field="purpose", allowed=_MAX_PURPOSE
            )
        if ttl_seconds is not None and ttl_seconds <= 0:
            raise ValidationFailed("ttl_seconds must be at least 1", field="ttl_seconds", allowed={"min": 1})
        checked_filename(filename)
        if not self.bytes:
            raise ValidationFailed("The file is empty", field="file", allowed={"min_bytes": 1})
        mime_type = self._files.inspector.sniff(self._head)
        if gated and (mime_type is None or not mime_type.startswith(PURPOSES[purpose])):
            raise UnsupportedMedia(
                f"The bytes are {mime_type or 'of no media type that is known here'}; purpose {purpose} takes "
                + ", ".join(kind + "*" if kind.endswith("/") else kind for kind in PURPOSES[purpose]),
                field="file",
                found=mime_type,
                allowed=list(PURPOSES[purpose]),
            )
        return await self._store(filename, mime_type or "application/octet-stream", purpose, ttl_seconds)

    async def lend(self) -> str:
        """Make what came readable as a blob for the rest of the call, and no longer unless a job takes it; its hash."""
        blob = await self._staging.finish()
        self.unnamed = blob.sha256
        return blob.sha256

    async def _store(self, filename: str, mime_type: str, purpose: str, ttl_seconds: int | None) -> Stored:
        if self._project.zero_data_retention:
            passed = self._files.describe(
                self._project, BlobRef("", self.bytes), mime_type, filename, "upload", purpose, ttl_seconds
            )
            file = replace(passed, expires_at=passed.created_at)
            return Stored(file, (skipped("zero_data_retention"),), kept=False)
        blob = await self._staging.finish()
        self.unnamed = blob.sha256
        file = self._files.describe(self._project, blob, mime_type, filename, "upload", purpose, ttl_seconds)
        standing = await self._files.add(file)
        self.unnamed = None
        return Stored(standing)


class Files:
    """What callers do with files, and the sweep that ends them."""

    def __init__(
        self,
        store: MetadataStore,
        blobs: BlobStore,
        clock: Clock,
        inspector: Inspector,
        policy: Policy,
        secret: bytes,
    ) -> None:
        self._store = store
        self.blobs = blobs
        self._local_blobs = blobs if isinstance(blobs, LocalPath) else None
        self._blobs_at_hand = blobs if isinstance(blobs, AtHand) else None
        self._clock = clock
        self.inspector = inspector
        self.policy = policy
        self._secret = secret

    # ---------------------------------------------------------------------------------------- uploads

    @asynccontextmanager
    async def receive(self, project: Project, expected: int | None = None) -> AsyncIterator[Incoming]:
        """Take an upload; what is not finished leaves no trace.

        `expected` is the size as far as it is known: one that cannot fit is refused before a byte is read.
        """
        await self._check_room(project, expected)
        incoming: Incoming | None = None
        try:
            async with self.blobs.stage() as staging:
                incoming = Incoming(self, project, staging, self.policy.max_file_size)
                yield incoming
        finally:
            if incoming is not None and incoming.unnamed is not None:
                await self.drop_blob(incoming.unnamed)

    async def _check_room(self, project: Project, expected: int | None) -> None:
        if not expected or project.zero_data_retention:  # few bytes are soon read, and the row has a check of its own
            return
        usage = await self._store.usage(project.organisation_id, self._clock.now())
        if usage.bytes + expected > usage.quota_bytes or usage.files + 1 > usage.quota_files:
            raise QuotaExceeded(
                used_bytes=usage.bytes,
                quota_bytes=usage.quota_bytes,
                used_files=usage.files,
                quota_files=usage.quota_files,
            )

    # --------------------------------------------------------------------------------------- rows

    def describe(
        self,
        project: Project,
        blob: BlobRef,
        mime_type: str,
        filename: str,
        kind: FileKind,
        purpose: str = "reference_media",
        ttl_seconds: float | None = None,
    ) -> File:
        """The entity for a blob, its life capped by the project's default and retention."""
        default = {
            "upload": project.upload_ttl,
            "generated": project.generated_ttl,
            "temporary": self.policy.temporary_ttl,
        }[kind]
        life = min(limit for limit in (default, project.retention, ttl_seconds) if limit is not None)
        now = self._clock.now()
        return File(
            id=new_id("file" if kind != "temporary" else "tmp", filename),
            project_id=project.id,
            sha256=blob.sha256,
            bytes=blob.bytes,
            mime_type=mime_type,
            filename=filename,
            purpose=purpose,
            kind=kind,
            created_at=now,
            expires_at=now + life,
        )

    async def add(self, file: File) -> File:
        """Write the row of a blob that is held, unless an earlier attempt has; the file as it stands.

        Raises QuotaExceeded.
        """
        return (await self._store.add_files([file], self._clock.now()))[0]

    async def get(self, project: Project, file_id: str) -> File:
        file = await self._store.file(project.id, file_id, self._clock.now())
        if file is None:
            raise NotFound(f"No file {file_id[:64]!r} in this project; it may have expired or been deleted")
        return file

    async def as_input(self, project: Project, file_id: str, field: str) -> File:
        """A file named in a request's body; raises FileNotFound with the field."""
        file = await self._store.file(project.id, file_id, self._clock.now())
        if file is None:
            raise FileNotFound(
                f"No file {file_id[:64]!r} in this project; it may have expired or been deleted", field=field
            )
        return file

    async def list(
        self,
        project: Project,
        limit: int,
        offset: int,
        *,
        purpose: str | None = None,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> FilePage:
        """A page of the project's files; raises NotFound for an unknown `after`."""
        return await self._store.files(
            project.id, limit, offset, self._clock.now(), purpose=purpose, after=after, oldest_first=oldest_first
        )

    async def end(self, project: Project, file_id: str) -> None:
        """Delete a file softly: it is gone for everybody at once, its row and bytes go with the next sweep."""
        if not await self._store.end_file(project.id, file_id, self._clock.now()):
            raise NotFound(f"No file {file_id[:64]!r} in this project; it may have expired or been deleted")

    async def delete(self, project: Project, file_id: str) -> None:
        """Remove the row, then the bytes unless another row names them."""
        file = await self._store.delete_file(project.id, file_id, self._clock.now())
        if file is None:
            raise NotFound(f"No file {file_id[:64]!r} in this project; it may have expired or been deleted")
        await self.drop_blob(file.sha256)

    async def drop_blob(self, sha256: str) -> None:
        """Remove a blob that no row names any more; where the disk refuses, the sweep of orphans does it later."""
        try:
            await self.blobs.remove(sha256, lambda: self._store.blob_wanted(sha256))
        except StorageFailed as error:  # what led here has happened, and is not to be told as failed
            log.warning("the bytes %s stay until the sweep: %s", sha256, error)

    def at_hand(self, file: File) -> bytes | None:
        """The file's bytes where the store has them in memory; else they are to be read."""
        return None if self._blobs_at_hand is None else self._blobs_at_hand.at_hand(file.sha256)

    def local_path(self, file: File) -> Path | None:
        """The file's bytes as a file of this machine, to be read only; None where they lie elsewhere."""
        return None if self._local_blobs is None else self._local_blobs.local_path(file.sha256)

    # ----------------------------------------------------------------------------------------- links

    def link(self, base: str, file_id: str, disposition: Disposition = "inline") -> str:
        """A fresh signed URL of the file under the base that the client used."""
        return mint(self._secret, base, file_id, self._clock.now() + self.policy.link_ttl, disposition)

    async def linked(self, file_id: str, query: str) -> tuple[File, Disposition]:
        """The file of a signed link; raises LinkInvalid, or NotFound when the file is gone."""
        now = self._clock.now()
        disposition = verify(self._secret, file_id, query, now)
        file = await self._store.linked_file(file_id, now)
        if file is None:
            raise NotFound("The file behind this link has expired or been deleted")
        return file, disposition

    # ----------------------------------------------------------------------------------------- sweep

    async def sweep(self) -> int:
        """End expired files and forget what nothing names; the number of files that went."""
        ended = 0
        while files := await self._store.expired_files(self._clock.now(), _SWEEP_BATCH):
            ended += len(files)
            for sha256 in {file.sha256 for file in files}:
                await self.drop_blob(sha256)
        return ended

    async def sweep_orphans(self) -> int:
        """Remove blobs and temp files without a row, once older than the grace period; how many went."""
        before = self._clock.now() - self.policy.orphan_grace
        removed = await self.blobs.sweep_staging(before)
        async for sha256, staged in self.blobs.all():
            if staged < before and not await self._store.blob_wanted(sha256):
                removed += await self.blobs.remove(sha256, lambda name=sha256: self._store.blob_wanted(name))  # type: ignore[misc]
        return removed
