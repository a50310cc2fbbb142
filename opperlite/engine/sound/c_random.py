"""The C library's rand(), from which espeak-ng and Flite both draw their noise."""

from __future__ import annotations

import ctypes
import sys
import threading
from functools import lru_cache

lock = threading.RLock()
"""Held by whoever seeds rand() and then relies on its numbers: the whole process shares one sequence."""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    return ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)


def seed(value: int) -> None:
    """Restart the sequence of rand() from `value`."""
    _library().srand(value & 0x7FFFFFFF)
