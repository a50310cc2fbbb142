"""The exclusive hold of one server on its data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from opperlite.domain.errors import StorageFailed

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderLock:
    """A lock file, held by the operating system for as long as the process lives; a killed one leaves none behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        try:
            self._file = open(self._path, "a+")
        except OSError as error:
            raise StorageFailed(f"The data folder {self._path.parent} cannot be written: {error.strerror}") from error
        try:
            _take(self._file)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StorageFailed(
                f"The data folder {self._path.parent} is in use by another opperlite (process {holder}); "
                "stop it, or give this one another folder with --data"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
