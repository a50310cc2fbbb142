"""The data folder as one thing: copied while it is in use, brought back, looked at.

It holds `opperlite.db`, `blobs`, `staging`, `secret` and `lock`, and `quarantine` once a repair put something there.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from opperlite import __version__
from opperlite.adapters.archive_folder import FolderArchive
from opperlite.adapters.archive_tar import TarReader, TarWriter, sync_folder
from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.folder_lock import FolderLock
from opperlite.adapters.scratch_folder import ScratchFolder
from opperlite.adapters.upkeep_sqlite import SqliteUpkeep
from opperlite.domain.backups import Advance, Copied, Copying, check_whole, flowing, named_blob, side_by_side, take_in
from opperlite.domain.diagnosis import Finding
from opperlite.domain.errors import NotFound, StorageFailed, ValidationFailed
from opperlite.domain.types import Entry

DATABASE, SECRET, LOCK = "opperlite.db", "secret", "lock"
SECRET_BYTES = 32
_FRESH = "restoring"
_FORMAT, _VERSION = "opperlite-backup", 1
_LANES = 8
_LITTLE_SPACE = 1 << 30
_PAGE = 500


class Manifest(Struct, frozen=True):
    """What a backup says of itself."""

    format: str
    version: int
    program: str
    created_at: float
    blobs: int


# ------------------------------------------------------------------------------------------------- backup


async def back_up(folder: Path, target: Path, into_folder: bool, now: float, advance: Advance) -> tuple[Path, Copied]:
    """Copy a data folder, also one in use, to a new tar file or into a folder of backups; where it lies now.

    Raises StorageFailed, ValidationFailed when the target cannot be one.
    """
    secret = read_secret(folder)
    async with SqliteUpkeep.open(folder / DATABASE) as live:
        with _local(folder) as blobs:
            if into_folder:
                return await _into_folder(live, blobs, target, secret, now, advance)
            return await _into_file(live, blobs, target, secret, now, advance)


async def _into_folder(
    live: SqliteUpkeep, blobs: LocalBlobs, target: Path, secret: bytes, now: float, advance: Advance
) -> tuple[Path, Copied]:
    archive = FolderArchive(target)
    try:
        with ScratchFolder(target) as scratch:
            copied = await _copied(live, blobs, archive, scratch / DATABASE, advance)
            return archive.commit(scratch / DATABASE, secret, now), copied
    finally:
        archive.close()


async def _into_file(
    live: SqliteUpkeep, blobs: LocalBlobs, target: Path, secret: bytes, now: float, advance: Advance
) -> tuple[Path, Copied]:
    with TarWriter(target) as archive:
        database = archive.workspace / DATABASE
        copied = await _copied(live, blobs, archive, database, advance)
        archive.put(SECRET, secret)
        archive.put(DATABASE, database)
        archive.put("manifest.json", msgspec.json.encode(Manifest(_FORMAT, _VERSION, __version__, now, copied.added)))
        archive.commit()
    return target, copied


async def _copied(
    live: SqliteUpkeep, blobs: LocalBlobs, archive: TarWriter | FolderArchive, database: Path, advance: Advance
) -> Copied:
    await live.copy(database)
    async with SqliteUpkeep.open(database, writable=True) as copy:
        return await Copying(live, copy, blobs, archive, advance).run()


@contextmanager
def _local(folder: Path) -> Iterator[LocalBlobs]:
    blobs = LocalBlobs(folder)
    try:
        yield blobs
    finally:
        blobs.close()


def read_secret(folder: Path) -> bytes:
    """The folder's signing secret; raises StorageFailed when there is none."""
    path = folder / SECRET
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"{folder} is no data folder of opperlite: {path.name} is missing") from error
    if len(secret) != SECRET_BYTES:
        raise StorageFailed(f"{path} is damaged: it should hold {SECRET_BYTES} bytes")
    return secret


# ------------------------------------------------------------------------------------------------ restore


async def restore(folder: Path, source: Path, at: str | None, advance: Advance) -> int:
    """Bring a backup back into an empty data folder, whole or not at all; the number of blobs.

    `at` names one of the dated databases of a folder of backups; else it is the newest. Every blob is checked against
    its hash. Raises ValidationFailed when the folder is not empty or the backup is not whole, StorageFailed.
    """
    _require_empty(folder)
    with _made(folder), FolderLock(folder / LOCK) as lock:
        for name in (_FRESH, "staging", "blobs", SECRET):  # what an interrupted restore left
            _remove(folder / name)
        fresh = folder / _FRESH
        try:
            with _local(fresh) as blobs:
                count = await _unpacked(source, at, fresh, blobs, advance)
            _move_in(fresh, folder)
        except OSError as error:
            raise StorageFailed(f"{folder} cannot be written: {error.strerror}") from error
        finally:
            _remove(fresh)
        lock.unclean = False
    return count


def half_restored(folder: Path) -> bool:
    """Whether a restore into the folder was interrupted; what it left is worth nothing."""
    return (folder / _FRESH).exists() and not (folder / DATABASE).exists()


def _require_empty(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} - {LOCK} if folder.is_dir() else set()
    if names and not half_restored(folder):
        raise ValidationFailed(f"The data folder {folder} is not empty; name another one with --data")


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder; away again when it was made here and something failed."""
    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except BaseException:
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise


async def _unpacked(source: Path, at: str | None, fresh: Path, blobs: LocalBlobs, advance: Advance) -> int:
    if _is_folder(source):
        await _unpack_folder(source, at, fresh, blobs, advance)
    elif at is not None:
        raise ValidationFailed("--at names one of the databases in a folder of backups; this is a file")
    else:
        await _unpack_file(source, fresh, blobs, advance)
    async with SqliteUpkeep.open(fresh / DATABASE, writable=True) as rows:
        return await check_whole(rows, blobs)


def _is_folder(source: Path) -> bool:
    if not source.exists():
        raise ValidationFailed(f"There is no {source}")
    return source.is_dir()


async def _unpack_file(source: Path, fresh: Path, blobs: LocalBlobs, advance: Advance) -> None:
    seen: set[str] = set()
    with TarReader(source) as reader:
        total = reader.length
        waiting: list[tuple[str, Entry]] = []
        for entry in reader.entries():
            sha256 = named_blob(entry.name)
            if sha256 is None:
                seen.add(entry.name)
                _unpack_other(reader, entry, fresh)
                continue
            waiting.append((sha256, entry))
            if len(waiting) == _LANES:
                await side_by_side([take_in(blobs, name, flowing(reader.pieces(one))) for name, one in waiting])
                waiting = []
                advance(entry.start + entry.size, total)
        await side_by_side([take_in(blobs, name, flowing(reader.pieces(one))) for name, one in waiting])
        advance(total, total)
    if missing := {SECRET, DATABASE, "manifest.json"} - seen:
        raise ValidationFailed(f"{source} is no backup of opperlite: it has no {', '.join(sorted(missing))}")


def _unpack_other(reader: TarReader, entry: Entry, fresh: Path) -> None:
    if entry.name == "manifest.json":
        _check_manifest(reader.read(entry))
    elif entry.name == SECRET:
        _write_private(fresh / SECRET, iter([reader.read(entry)]))
        read_secret(fresh)
    elif entry.name == DATABASE:
        _write_private(fresh / DATABASE, reader.pieces(entry))
    else:
        raise ValidationFailed(f"This is no backup of opperlite: it holds {entry.name[:100]!r}")


def _check_manifest(content: bytes) -> None:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise ValidationFailed(f"The backup's manifest.json cannot be read: {error}") from error
    if manifest.format != _FORMAT:
        raise ValidationFailed(f"This is no backup but of the format {manifest.format!r}")
    if manifest.version > _VERSION:
        raise ValidationFailed(f"This backup was made by a newer opperlite ({manifest.program}); use that version")


async def _unpack_folder(source: Path, at: str | None, fresh: Path, blobs: LocalBlobs, advance: Advance) -> None:
    archive = FolderArchive(source)
    try:
        known = archive.databases()
        chosen = at or (known[-1] if known else None)
        if chosen not in known:
            raise ValidationFailed(f"{source} has no database {at or ''}; it has: {', '.join(known) or 'none'}")
        _write_private(fresh / SECRET, iter([read_secret(source)]))
        _copy_private(source / chosen, fresh / DATABASE)
        async with SqliteUpkeep.open(fresh / DATABASE, writable=True) as rows:
            await _take_wanted(rows, archive, blobs, advance)
    finally:
        archive.close()


async def _take_wanted(rows: SqliteUpkeep, archive: FolderArchive, blobs: LocalBlobs, advance: Advance) -> None:
    _, total = await rows.blob_total()
    done, after = 0, ""
    while page := await rows.blobs(after, _PAGE):
        for start in range(0, len(page), _LANES):
            lane = page[start : start + _LANES]
            try:
                await side_by_side([take_in(blobs, one.sha256, archive.blobs.read(one.sha256)) for one in lane])
            except NotFound as error:
                raise ValidationFailed("The folder of backups is not whole: a blob is missing") from error
            done += sum(max(blob.bytes, 0) for blob in lane)
            advance(done, total)
        after = page[-1].sha256


def _copy_private(source: Path, target: Path) -> None:
    with open(source, "rb") as file:
        _write_private(target, iter(lambda: file.read(1 << 20), b""))


def _write_private(path: Path, pieces: Iterator[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _move_in(fresh: Path, folder: Path) -> None:
    """The database last: until it is there, the folder counts as one whose restore was interrupted."""
    for name in ("staging", "blobs", SECRET, DATABASE):
        sync_folder(folder)
        (fresh / name).rename(folder / name)
    sync_folder(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------- diagnosis


def inspect(folder: Path, staged_before: float, repair: bool) -> list[Finding]:
    """What is wrong with the folder itself: what is missing, who may read it, how much space is left."""
    if not (folder / DATABASE).exists():
        return [Finding("folder", str(folder), "there is no database here; `opperlite serve` makes one", "damage")]
    return [
        *_permissions(folder, 0o700, repair),
        *_permissions(folder / SECRET, 0o600, repair),
        *_secret(folder),
        *_space(folder),
        *_leftovers(folder, staged_before),
    ]


def _permissions(path: Path, allowed: int, repair: bool) -> Iterator[Finding]:
    if os.name == "nt" or not path.exists():  # there the user's profile keeps others out
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~allowed:
        if repair:
            path.chmod(allowed)
        yield Finding(
            "permissions", str(path), f"others may use it (mode {mode:o}); it should be {allowed:o}", repaired=repair
        )


def _secret(folder: Path) -> Iterator[Finding]:
    try:
        read_secret(folder)
    except StorageFailed as error:
        yield Finding("secret", str(folder / SECRET), f"{error}; keys and links stop to work", "damage")


def _space(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_SPACE:
        yield Finding("space", str(folder), f"only {free / (1 << 20):.0f} MiB of the disk are free")


def _leftovers(folder: Path, staged_before: float) -> Iterator[Finding]:
    staging = folder / "staging"
    old = [entry for entry in os.scandir(staging) if entry.stat().st_mtime < staged_before] if staging.exists() else []
    if old:
        yield Finding("staging", str(staging), f"{len(old)} left from interrupted work; `opperlite gc` removes", "note")
