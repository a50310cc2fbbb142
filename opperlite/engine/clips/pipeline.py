"""Work done ahead in a thread, and progress told now and then."""

import ctypes
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

_PROGRESS_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.05
_M_MMAP_THRESHOLD: Final = -3  # malloc.h
_M_ARENA_MAX: Final = -8
_LARGE_BLOCK: Final = 1 << 18


def bound_heap() -> None:
    """Have the C library give freed frames back to the system.

    glibc raises its threshold for blocks of their own to the size of what is freed; large frames then stay in the
    heaps of both threads, some 30 MB of 1080p. Nor need the encoder's threads heaps of their own. Both cost time, so
    this is for large frames only.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        library.mallopt(_M_ARENA_MAX, 1)


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items, made in a thread of its own, at most `depth` of them in advance.

    An error of the source is raised here in its place; closing the generator stops the thread and waits for it.
    """
    ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: tuple[bool, T | BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = threading.Thread(target=work, name="drawing", daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if not more:
                if isinstance(item, BaseException):
                    raise item
                return
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


class Progress:
    """Tells how much is done, at most twenty times a second, and always the end; may raise what it is told."""

    def __init__(self, told: Callable[[float], None] | None, total: int) -> None:
        self._told, self._total = told, total
        self._last = -1.0

    def done(self, count: int) -> None:
        """`count` of the total are done."""
        if self._told is None:
            return
        now = time.monotonic()
        if count >= self._total or now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            self._told(min(1.0, count / self._total))
