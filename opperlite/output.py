"""How commands run and show what they found: tables for people, JSON for scripts."""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

_Result = TypeVar("_Result")


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    import asyncio

    return asyncio.run(work)


def moment(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0]) if rows else []
    lines = [[name.replace("_", " ").upper() for name in names]]
    lines += [["-" if row[name] in (None, "") else str(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
