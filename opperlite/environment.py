"""`opperlite env`: the variables that point Opper's and OpenAI's clients at this server."""

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click

from opperlite.config import Settings
from opperlite.options import load_settings, settings_options

DEFAULT_KEY = "opperlite"


def variables(url: str, key: str) -> dict[str, str]:
    """What Opper's packages (host alone) and OpenAI's (with `/v1`) read."""
    return {"OPPER_BASE_URL": url, "OPPER_API_KEY": key, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": key}


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}';"


def _powershell(name: str, value: str) -> str:
    escaped = value.replace("'", "''")
    return f"$Env:{name} = '{escaped}'"


SHELLS: Mapping[str, Callable[[str, str], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "sh": _posix,
    "fish": _fish,
    "powershell": _powershell,
}


@click.command("env")
@click.option("--shell", type=click.Choice(list(SHELLS)), default="bash", show_default=True, help="For which shell.")
@click.option(
    "--key",
    metavar="TEXT",
    help="The API key.  [default: OPPER_API_KEY; with auth open, opperlite]",
)
@settings_options("data", "host", "port", "public_url", "auth")
def env(shell: str, key: str | None, **flags: Any) -> None:
    """Print the variables that point SDKs at the server.

    \b
    bash, zsh:   eval "$(opperlite env)"
    fish:        opperlite env --shell fish | source
    PowerShell:  opperlite env --shell powershell | Out-String | Invoke-Expression

    The address is that of the server which runs on the data folder, else that of the settings.
    """
    settings = load_settings(flags)
    key = key or os.environ.get("OPPER_API_KEY") or (DEFAULT_KEY if settings.auth == "open" else None)
    if key is None:
        raise click.UsageError(
            "With auth keys, name one: opperlite env --key opl_… (`opperlite keys create` makes one)"
        )
    for name, value in variables(_url(settings), key).items():
        click.echo(SHELLS[shell](name, value))


def _url(settings: Settings) -> str:
    from opperlite.listening import url_of
    from opperlite.running import found

    running = found(settings.data)
    if running is not None:
        return running
    if not settings.public_url and settings.port == 0:
        raise click.UsageError("No server runs on this data folder, and port 0 tells no address: start it first")
    click.echo("No server runs on this data folder; this is the address that it would have.", err=True)
    return url_of(settings, settings.port)
