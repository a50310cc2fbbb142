"""Work shared with forked processes, for C libraries that a process can use only once at a time."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import BinaryIO, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MOST = 4
"""Processes at once, this one included."""


def processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shared(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` on each item, in order; on Linux with several processors, in several processes at once.

    `work` has to give the same for the same item whatever was done before, must not need a thread of this process,
    and its results must be picklable. What a process fails to do is done here again, so errors are raised here.
    """
    count = min(_MOST, processors(), len(items)) if sys.platform == "linux" else 1
    bounds = [len(items) * number // count for number in range(count + 1)] if count > 1 else [0, len(items)]
    parts = [items[first:last] for first, last in pairwise(bounds)]
    children = [_Child(work, part) for part in parts[1:]]
    try:
        results = [work(item) for item in parts[0]]
        for child, part in zip(children, parts[1:], strict=True):
            done = child.results()
            results += [work(item) for item in part] if done is None else done
        return results
    finally:
        for child in children:
            child.end()


class _Child(Generic[R]):
    """A forked process that works on some items and sends back what it made."""

    def __init__(self, work: Callable[[T], R], items: Sequence[T]) -> None:
        source, target = os.pipe()
        with warnings.catch_warnings():
            # Other threads are not copied; the work is such that it needs none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            _answer(work, items, target)
        os.close(target)
        self._results: BinaryIO | None = os.fdopen(source, "rb")

    def results(self) -> list[R] | None:
        """What was made, or None when the process could not."""
        assert self._results is not None
        data = self._results.read()
        try:
            made: list[R] = pickle.loads(data)  # noqa: S301 - from this program's own copy
        except (EOFError, pickle.UnpicklingError):
            return None
        return made

    def end(self) -> None:
        """Stop the process, if it still works, and forget it."""
        if self._results is not None:
            self._results.close()
            os.kill(self._pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
            os.waitpid(self._pid, 0)
            self._results = None


def _answer(work: Callable[[T], R], items: Sequence[T], target: int) -> None:
    """In the forked process: do the work, write the results and end without any of the program's own endings."""
    try:
        data = pickle.dumps([work(item) for item in items], protocol=5)
        with os.fdopen(target, "wb") as out:
            out.write(data)
    finally:
        os._exit(0)
