"""An archive as one uncompressed tar file, written in a scratch folder beside its place and renamed when it is whole.

The tar is written and read here, entry by entry, since an entry whose bytes turn out to be wrong is taken back, and
since a large archive must not become a large list in memory.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from opperlite.adapters.scratch_folder import ScratchFolder
from opperlite.domain.backups import blob_name
from opperlite.domain.errors import StorageFailed, ValidationFailed
from opperlite.domain.types import BlobRef, Entry

_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20


class TarWriter:
    """`ports.Archive` on a new tar file. Leaving the context without `commit` removes every trace.

    `workspace` is a folder on the same filesystem, there while the context is open.
    """

    lanes = 1

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scratch = ScratchFolder(path.parent)
        self._file: BinaryIO | None = None
        self._held: set[bytes] = set()

    def __enter__(self) -> TarWriter:
        if self._path.exists():
            raise ValidationFailed(f"{self._path} exists already; name a new file, or a folder")
        self.workspace = self._scratch.__enter__()
        self._partial = self.workspace / "archive.tar"
        with _translated(self._path):
            # An archive holds the signing secret and everybody's media: it is its owner's alone.
            handle = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(handle, "w+b")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._scratch.__exit__(kind, error, trace)

    @property
    def _open(self) -> BinaryIO:
        assert self._file is not None, "the archive is not open"
        return self._file

    async def has(self, blob: BlobRef) -> bool:
        return bytes.fromhex(blob.sha256) in self._held

    async def add(self, blob: BlobRef, pieces: AsyncIterator[bytes]) -> int | None:
        with _translated(self._path):
            start = self._open.tell()
            try:
                size = await self._append(blob, pieces)
            except BaseException:
                self._take_back(start)
                raise
            if size is None:
                self._take_back(start)
            return size

    async def _append(self, blob: BlobRef, pieces: AsyncIterator[bytes]) -> int | None:
        start, digest, size = self._open.tell(), hashlib.sha256(), 0
        self._open.write(bytes(_BLOCK))  # the header's place; the size is known once the bytes are read
        async for piece in pieces:
            digest.update(piece)
            size += len(piece)
            self._open.write(piece)
        if digest.hexdigest() != blob.sha256:
            return None
        self._end(start, blob_name(blob.sha256), size)
        self._held.add(digest.digest())
        return size

    def _end(self, start: int, name: str, size: int, mode: int = 0o600) -> None:
        self._open.write(bytes(-size % _BLOCK))
        end = self._open.tell()
        self._open.seek(start)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, mode
        self._open.write(info.tobuf(tarfile.GNU_FORMAT))
        self._open.seek(end)

    def _take_back(self, start: int) -> None:
        self._open.seek(start)
        self._open.truncate()

    def put(self, name: str, source: Path | bytes) -> None:
        """Add an entry of that name with a file's bytes, or these."""
        with _translated(self._path):
            start = self._open.tell()
            self._open.write(bytes(_BLOCK))
            if isinstance(source, bytes):
                self._open.write(source)
            else:
                with open(source, "rb") as file:
                    while piece := file.read(_PIECE):
                        self._open.write(piece)
            self._end(start, name, self._open.tell() - start - _BLOCK)

    def commit(self) -> int:
        """Make the archive durable under its name; its size."""
        with _translated(self._path):
            self._open.write(bytes(2 * _BLOCK))  # the end of a tar
            self._open.flush()
            os.fsync(self._open.fileno())
            size = self._open.tell()
            self._open.close()  # close, then rename: Windows dislikes the reverse
            self._partial.rename(self._path)
            sync_folder(self._path.parent)
        return size


class TarReader:
    """`ports.ArchiveReader` on a tar file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _translated(path):
            self._file = open(path, "rb")  # noqa: SIM115 - closed at the end of the context
            self.length = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> TarReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[Entry]:
        """Every regular file in it. Raises ValidationFailed when this is no whole tar."""
        place = 0
        while True:
            with _translated(self._path):
                self._file.seek(place)
                header = self._file.read(_BLOCK)
            if header == bytes(_BLOCK):
                return
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError) as error:
                short = place and len(header) < _BLOCK
                what = "is cut short" if short else "is not an archive of opperlite, or it is damaged"
                raise ValidationFailed(f"{self._path} {what}") from error
            place += _BLOCK
            if info.size < 0 or place + info.size > self.length:
                raise ValidationFailed(f"{self._path} is cut short")
            if info.isreg():
                yield Entry(info.name, place, info.size)
            place += info.size + -info.size % _BLOCK

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of an entry, in pieces of bounded size."""
        place, left = entry.start, entry.size
        while left:
            with _translated(self._path):
                self._file.seek(place)
                piece = self._file.read(min(left, _PIECE))
            if not piece:
                raise ValidationFailed(f"{self._path} is cut short")
            yield piece
            place, left = place + len(piece), left - len(piece)

    def read(self, entry: Entry) -> bytes:
        """All bytes of a small entry."""
        return b"".join(self.pieces(entry))


class _translated:
    """Turn the disk's refusals into StorageFailed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StorageFailed(f"{self._path} cannot be used: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name == "nt":  # Windows opens no folders, and journals renames itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
