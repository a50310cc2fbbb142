"""How commands run and show what they found: tables for people, JSON for scripts."""

import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_Result = TypeVar("_Result")


def readable(size: int) -> str:
    """Bytes as a person reads them, such as 1.5 GiB."""
    amount, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} {units[0]}" if amount == int(amount) else f"{amount:.1f} {units[0]}"


class Bar:
    """A progress bar on a terminal; nothing where standard error is none or `hidden` is set."""

    def __init__(self, label: str, hidden: bool = False) -> None:
        self._label = label
        self._hidden = hidden or not sys.stderr.isatty()
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> "Bar":
        return self

    def __call__(self, done: int, total: int) -> None:
        if self._hidden:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=max(total, 1), label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


def run(work: Coroutine[Any, Any, _Result], loop_factory: "Callable[[], AbstractEventLoop] | None" = None) -> _Result:
    """Do asynchronous work to its end. SIGTERM ends it as Ctrl-C does: nothing half made stays behind."""
    import asyncio

    async def stoppable() -> _Result:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows has no such signal, threads get none
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(stoppable())
    except asyncio.CancelledError:
        raise click.Abort from None


def moment(unix: float | None) -> str | None:
    """Unix seconds as RFC 3339 tells them, in UTC."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under the names of the first one's members."""
    names = list(rows[0]) if rows else []
    lines = [[name.replace("_", " ").upper() for name in names]]
    lines += [["-" if row[name] in (None, "") else str(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
