"""The exclusive hold of one process on a data folder, and whether its last holder ended properly."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from opperlite.domain.errors import StorageFailed

if sys.platform == "win32":
    import msvcrt

    # Windows refuses every access to a locked byte: one far behind the content leaves the holder's id readable.
    _PLACE = 1 << 30

    def take(file: BinaryIO) -> None:
        """Lock an open file for as long as it is open; raises OSError when somebody has it."""
        file.seek(_PLACE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def take(file: BinaryIO) -> None:
        """Lock an open file for as long as it is open; raises OSError when somebody has it."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderLock:
    """A lock file, held by the operating system for as long as the process lives; a killed one leaves none behind.

    Its content is the holder's process id, taken away at a proper end. Once held, `unclean` tells that an earlier
    holder was killed or failed and nobody has found the folder sound since; who does says so by setting it to False.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.unclean = False

    def __enter__(self) -> FolderLock:
        """Raises StorageFailed when another process has it or the folder cannot be written."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(handle, "r+b", buffering=0)
        except OSError as error:
            raise StorageFailed(f"The data folder {self._path.parent} cannot be written: {error.strerror}") from error
        try:
            take(self._file)
        except OSError:
            holder = _content(self._file) or "unknown"
            self._file.close()
            raise StorageFailed(
                f"The data folder {self._path.parent} is in use by another opperlite (process {holder}); "
                "stop it, or give this one another folder with --data"
            ) from None
        self.unclean = bool(_content(self._file))
        self._write(f"{os.getpid():<20}")  # in place: a full disk does not lose what an unclean end left
        return self

    def _write(self, content: str) -> None:
        assert self._file is not None
        try:
            self._file.seek(0)
            self._file.write(content.encode())
            self._file.truncate()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise StorageFailed(f"The data folder {self._path.parent} cannot be written: {error.strerror}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        if error is None and not self.unclean:
            with contextlib.suppress(StorageFailed):  # then the next start looks more closely than it needs to
                self._write("")
        self._file.close()


def holder(path: Path) -> str | None:
    """The process that holds a lock file at this moment, or None when nobody does. Changes nothing."""
    try:
        with open(path, "rb", buffering=0) as file:
            try:
                take(file)
            except OSError:
                return _content(file) or "unknown"
    except OSError:
        return None
    return None


def _content(file: BinaryIO) -> str:
    file.seek(0)
    return file.read(100).decode("ascii", "replace").strip()
