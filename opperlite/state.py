"""The commands that tell what this program is, whether a server is well, and what works on this machine."""

import json
from typing import TYPE_CHECKING, Any

import click

from opperlite.options import as_json
from opperlite.output import print_table

if TYPE_CHECKING:
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


COMMANDS = (version,)
