"""The commands for keys. What a command needs is imported inside it."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from opperlite.options import as_json, load_settings, settings_options
from opperlite.output import moment, print_table, run

if TYPE_CHECKING:
    from opperlite.domain.types import Key


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    They work on the data folder, also while a server is running on it.
    """


@keys.command("create")
@click.option("--name", metavar="TEXT", default="default", show_default=True, help="What the key is for.")
@click.option("--project", metavar="ID", help="The project it opens.  [default: proj_default]")
@as_json
@settings_options("data")
def create_key(name: str, project: str | None, as_json: bool, **flags: Any) -> None:
    """Make a key and print it.

    It is shown this once; only its hash is kept.
    """

    async def create() -> tuple["Key", str]:
        from opperlite.wiring import open_projects

        async with open_projects(load_settings(flags)) as projects:
            return await projects.create_key(name=name, project=project)

    key, plain = run(create())
    if as_json:
        click.echo(json.dumps({**_key_row(key), "key": plain}))
        return
    click.echo(plain)
    click.echo(f"Key {key.id} of project {key.project_id}. Note it down: it is not shown again.", err=True)


@keys.command("list")
@as_json
@settings_options("data")
def list_keys(as_json: bool, **flags: Any) -> None:
    """List the keys."""

    async def listed() -> Sequence["Key"]:
        from opperlite.wiring import open_projects

        async with open_projects(load_settings(flags)) as projects:
            return await projects.list_keys()

    rows = [_key_row(key) for key in run(listed())]
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        print_table(rows)
    else:
        click.echo("There are no keys yet: opperlite keys create", err=True)


@keys.command("revoke")
@click.argument("key", metavar="ID|HINT")
@as_json
@settings_options("data")
def revoke_key(key: str, as_json: bool, **flags: Any) -> None:
    """Revoke a key: it is refused from now on.

    The key is named by its id or by its first characters, as `opperlite keys list` shows them.
    """

    async def revoke() -> "Key":
        from opperlite.wiring import open_projects

        async with open_projects(load_settings(flags)) as projects:
            return await projects.revoke_key(key)

    revoked = run(revoke())
    click.echo(json.dumps(_key_row(revoked)) if as_json else f"Revoked {revoked.id} ({revoked.hint}…).")


def _key_row(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "hint": key.hint,
        "name": key.name,
        "project": key.project_id,
        "created": moment(key.created_at),
        "last_used": moment(key.last_used_at),
        "revoked": moment(key.revoked_at),
    }


COMMANDS = (keys,)
