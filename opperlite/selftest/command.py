"""The whole self-test, with what the server logs kept apart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opperlite.output import run
from opperlite.selftest import running
from opperlite.selftest.checks import CHECKS
from opperlite.selftest.running import Result
from opperlite.serving import loop_factory

_LOGGERS = ("opperlite", "uvicorn.error")


def perform(tell: Callable[[Result], None]) -> tuple[list[Result], float, list[str]]:
    """Run every check; the results, the seconds that all took, and what the server logged of warnings and errors."""
    began = time.perf_counter()
    with _kept_log() as lines:
        results = run(running.run(CHECKS, tell), loop_factory())
    return results, time.perf_counter() - began, lines


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def _kept_log() -> Iterator[list[str]]:
    keeper, loggers = _Keeper(), [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(keeper)
        logger.propagate = False
    try:
        yield keeper.lines
    finally:
        for logger, propagated in zip(loggers, before, strict=True):
            logger.removeHandler(keeper)
            logger.propagate = propagated
