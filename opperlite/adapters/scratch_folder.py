"""A hidden folder beside a target for what is still being made there, and the removal of those of killed processes."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from opperlite.adapters.folder_lock import take
from opperlite.domain.errors import StorageFailed

_NAME = re.compile(r"\.opperlite-[0-9a-f]{16}")
_LOCK = "lock"
_YOUNG = 60.0  # seconds; between its making and its locking a folder looks like a killed process's


class ScratchFolder:
    """A new folder for its owner alone, locked while in use and removed with everything in it at the end.

    The lock is the operating system's: that of a killed process is free, and the next scratch folder in the same place
    takes such a folder away.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._path = parent / f".opperlite-{secrets.token_hex(8)}"
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Path:
        """Raises StorageFailed when the place cannot be written."""
        try:
            self._parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sweep(self._parent)
            self._path.mkdir(mode=0o700)
            self._lock = open(self._path / _LOCK, "xb", buffering=0)
            take(self._lock)
        except OSError as error:
            self.__exit__(None, None, None)
            raise StorageFailed(f"{self._parent} cannot be written: {error.strerror}") from error
        return self._path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self._path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the scratch folders that nobody holds; what cannot be looked at or removed stays."""
    made_before = time.time() - _YOUNG  # beside file times, which are the system's too
    for path in parent.iterdir():
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                if os.stat(path / _LOCK if (path / _LOCK).exists() else path).st_mtime < made_before:
                    _remove_free(path)


def _remove_free(path: Path) -> None:
    """Raises OSError when a process holds it."""
    if (path / _LOCK).exists():
        with open(path / _LOCK, "rb", buffering=0) as lock:
            take(lock)
    shutil.rmtree(path, ignore_errors=True)
