"""One project from machine to machine: an archive with its blobs, its rows as lines of JSON, and a manifest.

Ids stay as they are. Keys stay behind: they are hashed with the secret of their own server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec
from msgspec import Struct

from opperlite.domain.backups import Advance, flowing, named_blob, side_by_side, take_in
from opperlite.domain.errors import NotFound, QuotaExceeded, ValidationFailed
from opperlite.domain.files import checked_filename
from opperlite.domain.ports import ArchiveReader, BlobStore, MetadataStore, SingleArchive, Upkeep
from opperlite.domain.types import BlobRef, Entry, File, Job, Organisation, Project, Transcript

T = TypeVar("T")

FORMAT, VERSION = "opperlite-project", 1
MANIFEST, FILES, JOBS, TRANSCRIPTS = "manifest.json", "files.jsonl", "jobs.jsonl", "transcripts.jsonl"
_PAGE = 500
_ATTEMPTS = 2
_LANES = 8
_HASH = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")


class Manifest(Struct, frozen=True):
    """What an exported project says of itself. `bytes` and `files` are those that take quota."""

    format: str
    version: int
    program: str
    created_at: float
    organisation: Organisation
    project: Project
    bytes: int
    files: int
    jobs: int


class Known(Struct, frozen=True):
    """What was said in a recording that the server made itself."""

    sha256: str
    transcript: Transcript


class Transferred(Struct, frozen=True):
    """What was written or taken; `lost` are the ids of files whose bytes are missing or damaged."""

    project: Project
    organisation: Organisation
    files: int
    jobs: int
    bytes: int
    lost: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------- export


class Export:
    """Writes one project into an archive, also beside a running server. `spool` is a folder for the rows."""

    def __init__(self, rows: Upkeep, blobs: BlobStore, archive: SingleArchive, spool: Path, advance: Advance) -> None:
        self._rows = rows
        self._blobs = blobs
        self._archive = archive
        self._spool = spool
        self._advance = advance
        self._lost: list[str] = []

    async def run(
        self, organisation: Organisation, project: Project, now: float, program: str, total: int
    ) -> Transferred:
        """`total` is about how many bytes there are, for the progress alone."""
        count, size = await self._files(project.id, now, total)
        jobs = await self._jobs(project.id)
        for name in (FILES, JOBS, TRANSCRIPTS):
            self._archive.put(name, self._spool / name)
        manifest = Manifest(FORMAT, VERSION, program, now, organisation, project, size, count, jobs)
        self._archive.put(MANIFEST, msgspec.json.encode(manifest))
        return Transferred(project, organisation, count, jobs, size, tuple(self._lost))

    async def _files(self, project_id: str, now: float, total: int) -> tuple[int, int]:
        count, size, done, after = 0, 0, 0, 0
        with self._lines(FILES) as lines, self._lines(TRANSCRIPTS) as transcripts:
            while page := await self._rows.files(project_id, after, _PAGE, now):
                for after, file in page:  # noqa: B007 - the last place is where the next page begins
                    done += file.bytes
                    self._advance(min(done, total), total)
                    if not await self._has_bytes(file):
                        continue
                    _write(lines, file)
                    if file.kind != "temporary":
                        count, size = count + 1, size + file.bytes
                    transcript = await self._rows.transcript(file.sha256)
                    if transcript is not None:
                        _write(transcripts, Known(file.sha256, transcript))
        return count, size

    async def _has_bytes(self, file: File) -> bool:
        """Add the file's blob unless it is there; False when it was deleted meanwhile, or is lost."""
        blob = BlobRef(file.sha256, file.bytes)
        if await self._archive.has(blob):
            return True
        for _ in range(_ATTEMPTS):  # again when it is still wanted: it may have been deleted, then stored anew
            try:
                if await self._archive.add(blob, self._blobs.read(file.sha256)) is not None:
                    return True
            except NotFound:
                if not await self._rows.blob_wanted(file.sha256):
                    return False
        self._lost.append(file.id)
        return False

    async def _jobs(self, project_id: str) -> int:
        count, after = 0, 0
        with self._lines(JOBS) as lines:
            while page := await self._rows.ended_jobs(project_id, after, _PAGE):
                for after, job in page:  # noqa: B007 - as above
                    _write(lines, job)
                    count += 1
        return count

    def _lines(self, name: str) -> BinaryIO:
        return open(self._spool / name, "wb")


def _write(lines: BinaryIO, row: Struct) -> None:
    lines.write(msgspec.json.encode(row) + b"\n")


# ------------------------------------------------------------------------------------------------- import


class Rows(Generic[T]):
    """The rows of one entry of an archive, each checked to be of its type, as often as they are asked for."""

    def __init__(self, reader: ArchiveReader, entry: Entry, kind: type[T]) -> None:
        self._reader = reader
        self._entry = entry
        self._decoder = msgspec.json.Decoder(kind)

    def __iter__(self) -> Iterator[T]:
        rest = b""
        for piece in self._reader.pieces(self._entry):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield self._decoded(line)
        if rest:
            yield self._decoded(rest)

    def _decoded(self, line: bytes) -> T:
        try:
            return self._decoder.decode(line)
        except msgspec.DecodeError as error:
            raise ValidationFailed(f"{self._entry.name} has a row that cannot be read: {error}") from error


class Import:
    """Takes an exported project in, whole or not at all. It must be alone on the data folder."""

    def __init__(self, reader: ArchiveReader, store: MetadataStore, blobs: BlobStore, advance: Advance) -> None:
        self._reader = reader
        self._store = store
        self._blobs = blobs
        self._advance = advance
        self._staged: list[str] = []

    async def run(self, organisation: Organisation | None, now: float) -> Transferred:
        """Into that organisation, or into the one it came from, which is made if it is not there.

        Raises ValidationFailed for an archive that is damaged or has ids that are taken here, QuotaExceeded.
        """
        entries, blobs = self._entries()
        manifest = self._manifest(entries)
        owner = organisation or await self._known(manifest.organisation)
        project = msgspec.structs.replace(manifest.project, organisation_id=owner.id)
        await self._check_room(project, owner, manifest, now)
        files = Rows(self._reader, entries[FILES], File)
        live = (file for file in files if file.expires_at > now)
        jobs = Rows(self._reader, entries[JOBS], Job)
        known = Rows(self._reader, entries[TRANSCRIPTS], Known)
        transcripts = ((one.sha256, one.transcript) for one in known)
        try:
            await self._take_blobs(blobs)
            await self._check_rows(project.id, files, jobs)
            await self._store.import_project(owner, project, live, jobs, transcripts, now)
        finally:  # what no row names now: everything after a failure, else blobs of files that have expired
            for sha256 in self._staged:
                await self._blobs.remove(sha256, lambda name=sha256: self._store.blob_wanted(name))  # type: ignore[misc]
        return Transferred(project, owner, manifest.files, manifest.jobs, manifest.bytes)

    def _entries(self) -> tuple[dict[str, Entry], int]:
        """The entries that are no blobs, by name, and the bytes of those that are."""
        others: dict[str, Entry] = {}
        size = 0
        for entry in self._reader.entries():
            if named_blob(entry.name) is not None:
                size += entry.size
            elif entry.name in (MANIFEST, FILES, JOBS, TRANSCRIPTS):
                others[entry.name] = entry
            else:
                raise ValidationFailed(f"This is no exported project: it holds {entry.name[:100]!r}")
        if missing := {MANIFEST, FILES, JOBS, TRANSCRIPTS} - set(others):
            raise ValidationFailed(f"This is no exported project: it has no {', '.join(sorted(missing))}")
        return others, size

    def _manifest(self, entries: dict[str, Entry]) -> Manifest:
        try:
            manifest = msgspec.json.decode(self._reader.read(entries[MANIFEST]), type=Manifest)
        except msgspec.DecodeError as error:
            raise ValidationFailed(f"The export's {MANIFEST} cannot be read: {error}") from error
        if manifest.format != FORMAT:
            raise ValidationFailed(f"This is no exported project but of the format {manifest.format!r}")
        if manifest.version > VERSION:
            raise ValidationFailed(f"This was exported by a newer opperlite ({manifest.program}); use that version")
        _require(_ID.fullmatch(manifest.project.id), "project", manifest.project.id)
        _require(_ID.fullmatch(manifest.organisation.id), "organisation", manifest.organisation.id)
        return manifest

    async def _known(self, organisation: Organisation) -> Organisation:
        found = [one for one in await self._store.organisations(organisation.id) if one.id == organisation.id]
        return found[0] if found else organisation

    async def _check_room(self, project: Project, owner: Organisation, manifest: Manifest, now: float) -> None:
        """Refuse what cannot be taken before any byte is copied."""
        if await self._store.project(project.id) is not None:
            raise ValidationFailed(f"The project {project.id} exists here already", field="project")
        usage = await self._store.usage(owner.id, now)
        free_bytes, free_files = owner.quota_bytes - usage.bytes, owner.quota_files - usage.files
        if manifest.bytes > free_bytes or manifest.files > free_files:
            raise QuotaExceeded(
                f"The project has {manifest.files} files of {manifest.bytes} bytes, but the organisation {owner.id} "
                f"has room for {max(free_files, 0)} of {max(free_bytes, 0)} bytes: opperlite orgs set changes its quota"
            )

    async def _take_blobs(self, total: int) -> None:
        done = 0
        blobs = (entry for entry in self._reader.entries() if named_blob(entry.name) is not None)
        while lane := list(islice(blobs, _LANES)):
            await side_by_side([self._take_blob(entry) for entry in lane])
            done += sum(entry.size for entry in lane)
            self._advance(done, total)

    async def _take_blob(self, entry: Entry) -> None:
        sha256 = named_blob(entry.name)
        assert sha256 is not None
        self._staged.append(sha256)
        await take_in(self._blobs, sha256, flowing(self._reader.pieces(entry)))

    async def _check_rows(self, project_id: str, files: Iterable[File], jobs: Iterable[Job]) -> None:
        for file in files:
            _require(file.project_id == project_id and _ID.fullmatch(file.id), "file", file.id)
            _require(_HASH.fullmatch(file.sha256), "hash of a file", file.sha256)
            _require(_TYPE.fullmatch(file.mime_type), "type of a file", file.mime_type)
            _require(isfinite(file.created_at) and isfinite(file.expires_at), "time of a file", file.id)
            _require(file.purpose.isprintable(), "purpose of a file", file.purpose)
            checked_filename(file.filename)
            size = await self._blobs.size(file.sha256)
            _require(size == file.bytes, "file without its bytes", file.id)
        for job in jobs:
            _require(job.project_id == project_id and _ID.fullmatch(job.id) and job.ended, "job", job.id)


def _require(condition: object, what: str, found: str) -> None:
    if not condition:
        raise ValidationFailed(f"The export is damaged: it has a {what} that cannot be: {found[:100]!r}")
