"""The blob store as a folder: `blobs/ab/cd/<sha256>`, written by temp file, fsync, rename, fsync of the folder.

Hashing and writing run on threads of their own in pieces of a mebibyte, while the next piece is received.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import aiofiles

from opperlite.domain.errors import NotFound, StorageFailed
from opperlite.domain.types import BlobRef

P = ParamSpec("P")
T = TypeVar("T")

Chunk = bytes | bytearray | memoryview

PIECE = 1 << 20
_AHEAD = 4  # pieces received but not written yet; what bounds an upload's memory
_SYNC_EVERY = 32 * PIECE  # bytes after which writing to the disk begins, so that the end of a large upload is quick
_GATHERED = 256  # chunks in one gathering write; the systems' least limit is 1,024
_THREADS = 16
_SMALL = 64 * 1024  # bytes of a blob up to which it is kept in memory once it was read
_KEPT = 8 << 20  # bytes of all blobs kept
_SYNCERS = 4
_HASHERS = 4


class LocalStaging:
    """`ports.Staging`: chunks are collected to a mebibyte, then hashed and written while the next ones come."""

    def __init__(self, store: LocalBlobs, path: Path) -> None:
        self._store = store
        self._path = path
        self._chunks: list[Chunk] = []
        self._collected = 0
        self._waiting: deque[list[Chunk]] = deque()
        self._writing: asyncio.Future[None] | None = None
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._size = 0
        self._unsynced = 0
        self._syncing: Future[None] | None = None
        self._keeping: asyncio.Future[str] | None = None

    async def write(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._collected += len(chunk)
        self._size += len(chunk)
        if self._collected < PIECE:
            return
        self._waiting.append(self._chunks)
        self._chunks, self._collected = [], 0
        if len(self._waiting) > _AHEAD:
            await self._settle()
        if self._writing is None or self._writing.done():
            await self._settle()
            self._writing = self._store.start(self._write_waiting)

    async def digest(self) -> str:
        if self._file is None and self._writing is None and self._size <= _SMALL:
            return self._digest_now()
        await self._hand_over(self._write_waiting)
        return self._hash.hexdigest()

    async def finish(self) -> BlobRef:
        if self._file is None and self._writing is None and self._size <= _SMALL:
            digest = self._digest_now()
            keeping = self._store.keep(partial(self._store.write_and_place, self._path, self._chunks, digest), digest)
        else:
            await self._hand_over(self._complete)
            digest = self._hash.hexdigest()
            keeping = self._store.keep(partial(self._store.place, self._path, digest), digest)
        self._keeping = asyncio.ensure_future(keeping)
        await asyncio.shield(self._keeping)
        return BlobRef(digest, self._size)

    def _digest_now(self) -> str:
        """The hash of few bytes, which takes less time than to ask a thread for it."""
        whole = self._hash.copy()
        for chunk in self._chunks:
            whole.update(chunk)
        return whole.hexdigest()

    async def discard(self) -> None:
        """Let go of the blob, close and remove the temp file, whatever happened; its caller may be gone."""
        self._waiting.clear()
        with suppress(StorageFailed, FileNotFoundError):
            await self._settle()
        if self._keeping is not None:
            with suppress(StorageFailed, FileNotFoundError):
                self._store.release(await self._keeping)
        if self._file is not None:
            await self._store.work(self._drop)

    async def _hand_over(self, work: Callable[[], None]) -> None:
        """Have everything written that came so far, by `work` on a thread."""
        await self._settle()
        self._waiting.append(self._chunks)
        self._chunks, self._collected = [], 0
        self._writing = self._store.start(work)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until what was handed over is done; raises what that raised."""
        writing = self._writing
        if writing is not None:
            try:
                with translated():
                    await asyncio.shield(writing)
            finally:
                if writing.done():  # else the caller went away, and `discard` waits: two threads never meet here
                    self._writing = None

    def _write_waiting(self) -> None:
        if self._file is None:
            self._file = open(self._path, "xb", buffering=0)  # noqa: SIM115 - closed by _complete or _drop
        while True:
            try:
                chunks = self._waiting.popleft()
            except IndexError:  # all is written, or what was left has been given up in the meantime
                return
            hashing = self._store.hashers.submit(self._update_hash, chunks)
            try:
                self._unsynced += _write_all(self._file, chunks)
            finally:
                hashing.result()
            if self._unsynced >= _SYNC_EVERY and (self._syncing is None or self._syncing.done()):
                self._end_sync()
                self._unsynced = 0
                self._syncing = self._store.syncers.submit(_sync_data, self._file.fileno())

    def _update_hash(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            self._hash.update(chunk)

    def _end_sync(self) -> None:
        """Wait for the sync under way; raises what it met, which the disk tells only once."""
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.result()

    def _complete(self) -> None:
        self._write_waiting()
        assert self._file is not None
        self._end_sync()
        os.fsync(self._file.fileno())
        self._file.close()  # close, then rename: Windows dislikes the reverse

    def _drop(self) -> None:
        assert self._file is not None
        with suppress(OSError):
            self._end_sync()
        self._file.close()
        with suppress(OSError):  # what cannot be removed now goes with the sweep
            self._path.unlink(missing_ok=True)


class LocalBlobs:
    """`ports.BlobStore` and `ports.LocalPath` in one folder of the local filesystem."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._staging = folder / "staging"
        self._held: Counter[str] = Counter()
        self._active: set[str] = set()  # names in the staging folder that this process still works on
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._small: OrderedDict[str, bytes] = OrderedDict()  # the last used at the end
        self._small_bytes = 0
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")
        self.hashers = ThreadPoolExecutor(_HASHERS, thread_name_prefix="blobs-hash")  # while the others write
        self.syncers = ThreadPoolExecutor(_SYNCERS, thread_name_prefix="blobs-sync")  # waited for by the others
        with translated():
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._staging.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Let the threads end; nothing may be staged any more."""
        self._threads.shutdown(wait=True)
        self.hashers.shutdown(wait=True)
        self.syncers.shutdown(wait=True)

    # ---------------------------------------------------------------------------------------- writing

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[LocalStaging]:
        name = secrets.token_hex(16)
        self._active.add(name)
        staging = LocalStaging(self, self._staging / name)
        try:
            yield staging
        finally:
            await asyncio.shield(self._end(staging, name))

    async def _end(self, staging: LocalStaging, name: str) -> None:
        try:
            await staging.discard()
        finally:
            self._active.discard(name)

    @asynccontextmanager
    async def adopt(self, path: Path) -> AsyncIterator[BlobRef]:
        digest, size = await self.work(_hash_and_sync, path)
        keeping = asyncio.ensure_future(self.keep(partial(self.place, path, digest), digest))
        try:
            await asyncio.shield(keeping)
            yield BlobRef(digest, size)
        finally:
            await asyncio.shield(self._let_go(keeping))

    async def _let_go(self, keeping: asyncio.Future[str]) -> None:
        """Release what was kept, once it is: its caller may be gone."""
        with suppress(StorageFailed, FileNotFoundError):
            self.release(await keeping)

    async def keep(self, place: Callable[[], None], digest: str) -> str:
        """Bring a blob to its place by `place` on a thread, and hold it; its hash."""
        async with self._lock(digest):
            await self.work(place)
            self._held[digest] += 1
            return digest

    def write_and_place(self, path: Path, chunks: list[Chunk], digest: str) -> None:
        """Bring few bytes to their place under their hash, by way of the temp file `path`."""
        if self._renewed(digest):
            return
        try:
            with open(path, "xb", buffering=0) as file:
                _write_all(file, chunks)
                os.fsync(file.fileno())
            self.place(path, digest)
        except BaseException:
            with suppress(OSError):  # what cannot be removed now goes with the sweep
                path.unlink(missing_ok=True)
            raise

    def place(self, path: Path, digest: str) -> None:
        """Move a synced file to its place under its hash, durably."""
        if self._renewed(digest):
            path.unlink()
            return
        target = self.local_path(digest)
        for folder in (target.parent.parent, target.parent):
            with suppress(FileExistsError):
                folder.mkdir()
                _sync_folder(folder.parent)
        path.replace(target)
        _sync_folder(target.parent)

    def _renewed(self, digest: str) -> bool:
        """Whether the blob is here; the grace period of orphans counts from the last staging."""
        try:
            os.utime(self.local_path(digest))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def hold(self, sha256: str) -> Iterator[None]:
        self._held[sha256] += 1
        try:
            yield
        finally:
            self.release(sha256)

    def release(self, digest: str) -> None:
        """End a hold."""
        self._held[digest] -= 1
        if not self._held[digest]:
            del self._held[digest]

    # ---------------------------------------------------------------------------------------- reading

    def local_path(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256[2:4] / sha256

    def at_hand(self, sha256: str) -> bytes | None:
        data = self._small.get(sha256)
        if data is not None:
            self._small.move_to_end(sha256)
        return data

    def _keep_at_hand(self, sha256: str, data: bytes) -> None:
        self._forget(sha256)
        self._small[sha256] = data
        self._small_bytes += len(data)
        while self._small_bytes > _KEPT:
            self._forget(next(iter(self._small)))

    def _forget(self, sha256: str) -> None:
        self._small_bytes -= len(self._small.pop(sha256, b""))

    async def size(self, sha256: str) -> int | None:
        try:
            return (await self.work(self.local_path(sha256).stat)).st_size
        except FileNotFoundError:
            return None

    async def read(self, sha256: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        path = self.local_path(sha256)
        try:
            if end is not None and end - start <= PIECE:  # one visit to a thread instead of four
                piece, whole = await self.work(_slice, path, start, end)
                if whole is not None:
                    self._keep_at_hand(sha256, whole)
                yield piece
                return
            with translated():
                async with aiofiles.open(path, "rb", executor=self._threads) as file:
                    await file.seek(start)
                    left = end - start if end is not None else None
                    while left is None or left > 0:
                        piece = await file.read(PIECE if left is None else min(PIECE, left))
                        if not piece:
                            return
                        yield piece
                        left = None if left is None else left - len(piece)
        except FileNotFoundError:
            raise NotFound("The stored bytes are gone") from None

    # --------------------------------------------------------------------------------------- removing

    async def remove(self, sha256: str, wanted: Callable[[], Awaitable[bool]]) -> bool:
        async with self._lock(sha256):
            if self._held[sha256] or await wanted() or self._held[sha256]:  # a hold may come while that is asked
                return False
            await self.work(lambda: self.local_path(sha256).unlink(missing_ok=True))
            self._forget(sha256)
            return True

    async def quarantine(self, sha256: str) -> str:
        folder = self._blobs.parent / "quarantine"

        def move() -> str:
            folder.mkdir(exist_ok=True)
            target = folder / sha256
            while target.exists():  # the same name may be damaged again
                target = folder / f"{sha256}.{secrets.token_hex(2)}"
            self.local_path(sha256).replace(target)
            _sync_folder(folder)
            return str(target)

        async with self._lock(sha256):
            self._forget(sha256)
            return await self.work(move)

    async def all(self) -> AsyncIterator[tuple[str, float]]:
        for first in await self.work(_names, self._blobs):
            for second in await self.work(_names, self._blobs / first):
                for name, staged in await self.work(_ages, self._blobs / first / second):
                    yield name, staged

    async def sweep_staging(self, older_than: float) -> int:
        def sweep() -> int:
            removed = 0
            for name, changed in _ages(self._staging):
                if changed < older_than and name not in self._active:
                    removed += 1
                    path = self._staging / name
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink(missing_ok=True)
            return removed

        return await self.work(sweep)

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[Path]:
        name = secrets.token_hex(16)
        folder = self._staging / name
        self._active.add(name)
        making = self.start(folder.mkdir)
        try:
            with translated():
                await asyncio.shield(making)
            yield folder
        finally:
            await asyncio.shield(self._clear(making, folder))

    async def _clear(self, making: asyncio.Future[None], folder: Path) -> None:
        await asyncio.wait([making])  # its caller may be gone: a folder is not removed before it is made
        try:
            await self.work(shutil.rmtree, folder, ignore_errors=True)
        finally:
            self._active.discard(folder.name)

    # ---------------------------------------------------------------------------------------- threads

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin blocking work on the store's threads."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))
        future.add_done_callback(_heard)
        return future

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do blocking work on the store's threads; the disk's refusals become StorageFailed."""
        with translated():
            return await asyncio.shield(self.start(function, *args, **kwargs))

    def _lock(self, digest: str) -> asyncio.Lock:
        return self._locks.setdefault(digest, asyncio.Lock())


def _heard(future: asyncio.Future[T]) -> None:
    """What fails after its caller went away is no news: asyncio would log it as an error that nobody retrieved."""
    if not future.cancelled():
        future.exception()


class translated:
    """Turn the disk's refusals into StorageFailed; a missing file stays FileNotFoundError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
            return
        if error.errno == errno.ENOSPC:
            raise StorageFailed("The disk is full: free some space, or delete files") from error
        raise StorageFailed(f"The data folder cannot be used: {error.strerror or error}") from error


def _write_all(file: BinaryIO, chunks: list[Chunk]) -> int:
    """Write everything, without joining where the system gathers; the number of bytes."""
    total = sum(map(len, chunks))
    gathers = total and len(chunks) <= _GATHERED and hasattr(os, "writev")
    written = os.writev(file.fileno(), chunks) if gathers else 0
    if written < total:
        rest = memoryview(b"".join(chunks))[written:]
        while rest:
            rest = rest[file.write(rest) :]
    return total


# macOS and Windows have no fdatasync.
_sync_data = getattr(os, "fdatasync", os.fsync)


def _slice(path: Path, start: int, end: int) -> tuple[bytes, bytes | None]:
    """The bytes start…end, and all of them where they are few."""
    with open(path, "rb", buffering=0) as file:
        if end <= _SMALL:
            data = file.read(_SMALL + 1)
            if len(data) <= _SMALL:
                return data[start:end], data
        file.seek(start)
        return file.read(end - start), None


def _hash_and_sync(path: Path) -> tuple[str, int]:
    with open(path, "rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return digest, file.tell()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders, and journals renames itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())


def _ages(folder: Path) -> list[tuple[str, float]]:
    """Names with the time of the last change; what goes away meanwhile is left out."""
    found = []
    for entry in os.scandir(folder):
        try:
            found.append((entry.name, entry.stat().st_mtime))
        except FileNotFoundError:
            continue
    return found
