"""Telling what came of the checks: a line for each, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from opperlite.selftest.client import every_route
from opperlite.selftest.running import Result

_WIDTH = 52


def show(result: Result, verbose: bool) -> None:
    """One line; below it why it failed and what to do, and with `verbose` every request."""
    mark = "ok  " if result.works else "FAIL" if result.tried else "skip"
    click.echo(f"{mark}  {result.name:<{_WIDTH}} {result.seconds:5.2f} s")
    if not result.works:
        click.echo(f"        {result.reason}")
        if result.tried:
            click.echo(f"        What to do: {result.remedy}.")
    if verbose:
        for one in result.asked:
            click.echo(f"        {one.status} {one.seconds:5.2f} s  {one.route}")
        if result.trace:
            click.echo("".join(f"        {line}\n" for line in result.trace.splitlines()), nl=False)


def summary(results: Sequence[Result], seconds: float) -> str:
    """The last line."""
    broken = sum(not result.works for result in results)
    routes, all_routes = _answered(results), every_route()
    told = f"{len(routes)} of {len(all_routes)} routes were asked, {seconds:.1f} s."
    if broken:
        return f"{broken} of {len(results)} do not work on this machine; {told}"
    return f"Everything works: {told}"


def as_json(results: Sequence[Result], seconds: float, log: Sequence[str]) -> dict[str, Any]:
    """The same for scripts."""
    routes = _answered(results)
    return {
        "works": all(result.works for result in results),
        "seconds": round(seconds, 3),
        "checks": [
            {
                "name": result.name,
                "works": result.works,
                "tried": result.tried,
                "seconds": round(result.seconds, 3),
                "reason": result.reason,
                "remedy": result.remedy,
                "routes": list(dict.fromkeys(one.route for one in result.asked)),
            }
            for result in results
        ],
        "routes_not_asked": [route for route in every_route() if route not in routes],
        "log": list(log),
    }


def _answered(results: Sequence[Result]) -> set[str]:
    return {one.route for result in results for one in result.asked} & set(every_route())
