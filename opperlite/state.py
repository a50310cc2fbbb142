"""The commands that tell what this program is, whether a server is well, and what works on this machine."""

import json
from typing import TYPE_CHECKING, Any

import click

from opperlite.options import as_json, load_settings, settings_options
from opperlite.output import print_table

if TYPE_CHECKING:
    from opperlite.config import Settings
    from opperlite.selftest.running import Result
    from opperlite.versions import Versions


@click.command()
@as_json
def version(as_json: bool) -> None:
    """Tell the version, the build and all licences.

    That is: version, commit, kind of build, Python and system, and every library with its version and licence.
    """
    from msgspec import to_builtins

    from opperlite.versions import versions

    found = versions()
    if as_json:
        click.echo(json.dumps(to_builtins(found)))
        return
    for name, value in _facts(found).items():
        click.echo(f"{name:<10}{value}")
    click.echo(f"\n{_licence(found)}\n")
    print_table([{"library": one.name, **_told(one)} for one in found.libraries])


def _facts(found: "Versions") -> dict[str, str]:
    commit = found.commit or "unknown"
    return {
        "opperlite": found.opperlite,
        "Commit": f"{commit}, with changes" if found.modified else commit,
        "Build": found.build + (f" of {found.built_at}" if found.built_at else ""),
        "Python": found.python,
        "System": found.system,
        "SQLite": found.sqlite,
    }


def _told(library: Any) -> dict[str, str | None]:
    return {"version": library.version, "licence": library.licence, "inside": library.inside}


def _licence(found: "Versions") -> str:
    """What the licences of the parts mean for the whole."""
    source = f"The source of opperlite is under {found.source_licence}."
    if not found.copyleft:
        return source
    parts = ", ".join(f"{library.name} ({library.licence})" for library in found.copyleft if library.inside)
    if found.build == "source":
        return (
            f"{source} Installed beside it: {parts}.\n"
            "A program that carries these is, as a whole, under the GPL, version 3."
        )
    return f"{source} This program carries {parts}:\nas a whole it is under the GPL, version 3."


# -------------------------------------------------------------------------------------------------- health


@click.command()
@click.argument("url", required=False, metavar="[URL]")
@click.option("--timeout", default=5.0, show_default=True, type=click.FloatRange(0.1, 600), help="Seconds to wait.")
@as_json
@settings_options("data", "host", "port")
def health(url: str | None, timeout: float, as_json: bool, **flags: Any) -> None:
    """Ask a server whether it can work.

    URL is the server's; without one it is the server that runs on the data folder, else the address of the settings.

    Ends with 0 when the server can work, and with 1 when it cannot or does not answer.
    """
    from opperlite.probe import fault_of

    url = (url or _own_url(load_settings(flags))).rstrip("/")
    fault = fault_of(url, timeout)
    if as_json:
        click.echo(json.dumps({"url": url, "ready": fault is None, "reason": fault}))
    else:
        click.echo(f"{url} can work." if fault is None else f"{url} {fault}.", err=fault is not None)
    if fault is not None:
        raise click.exceptions.Exit(1)


def _own_url(settings: "Settings") -> str:
    from opperlite.listening import reachable
    from opperlite.running import found_here

    host = reachable(settings.host)
    return found_here(settings.data) or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


# ------------------------------------------------------------------------------------------------ selftest


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Show every request, and where a failure came from.")
@as_json
def selftest(verbose: bool, as_json: bool) -> None:
    """Tell what works on this machine.

    Starts a server with its worker processes in a temporary folder, on a free port that only this machine reaches,
    asks for everything that it can make and for every route, and takes all of it away again. Nothing of yours is
    read or changed, and no network is needed. It takes some seconds.

    Ends with 0 when everything works, and with 1 when something does not.
    """
    from opperlite.selftest import report
    from opperlite.selftest.command import perform

    results, seconds, log = perform(_silent if as_json else lambda result: report.show(result, verbose))
    if as_json:
        click.echo(json.dumps(report.as_json(results, seconds, log)))
    else:
        if verbose and log:
            click.echo("\nThe server's log:\n" + "\n".join(log))
        click.echo(f"\n{report.summary(results, seconds)}")
    if not all(result.works for result in results):
        raise click.exceptions.Exit(1)


def _silent(result: "Result") -> None:
    """JSON tells everything at the end."""


COMMANDS = (version, health, selftest)
