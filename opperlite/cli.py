"""The commands. What a command needs is imported inside it, so that help and completion are quick."""

import json
from collections.abc import Mapping
from typing import Any

import click

from opperlite import __version__, state, tenancy, upkeep
from opperlite.config import ConfigError
from opperlite.demo import demo
from opperlite.environment import env
from opperlite.manual import man
from opperlite.options import SettingsCommand, as_json, load_settings, settings_options
from opperlite.output import print_table

_ENGINE = "offline"  # the one that stands behind every model

EXIT_CODES: Mapping[int, str] = {
    0: "done, or stopped as asked",
    1: "failed for a reason that is no fault of the call, or doctor, health or selftest found something",
    2: "the command line or a setting is wrong",
    3: "the data folder cannot be used: in use, locked, damaged, read-only, full, of another version",
    4: "the address or port cannot be listened on",
    5: "the one-file program cannot unpack itself, or this system is too old for it",
    130: "stopped at once by a second Ctrl-C",
}


class Commands(click.Group):
    """A group of commands whose errors become one message and an exit code of `EXIT_CODES`."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = _exit_code(error)
            if code is None:
                raise
            click.echo(f"Error: {error}", err=True)
            ctx.exit(code)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that is explained by its message; None for any other."""
    from opperlite.domain.errors import OpperliteError, StorageFailed
    from opperlite.domain.models.loading import CatalogError
    from opperlite.listening import CannotListen

    if isinstance(error, ConfigError | CatalogError):
        return 2
    if isinstance(error, StorageFailed):
        return 3
    if isinstance(error, CannotListen):
        return 4
    return 1 if isinstance(error, OpperliteError) else None


# ----------------------------------------------------------------------------------------------- commands


def _epilog() -> str:
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    return f"""\b
Examples:
  opperlite serve                              serve on http://127.0.0.1:8080
  opperlite serve --port 0 --data ./media      any free port, data in ./media
  opperlite serve --host 0.0.0.0 --auth keys   for other machines, with keys
  opperlite keys create --name laptop          make a key
  opperlite models --type video                the video models
  opperlite backup media.tar                   copy everything, also while serving

\b
Exit codes:
{codes}
"""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_epilog(),
)
@click.version_option(__version__, prog_name="opperlite", message="%(prog)s %(version)s")
def cli() -> None:
    """Opper's media API (files, images, video, audio) as one offline program on your own machine."""


for _command in (*tenancy.COMMANDS, *upkeep.COMMANDS, demo, env, *state.COMMANDS, man):
    cli.add_command(_command)


SERVE_EPILOG = """\b
Each flag is also a variable and a key of the TOML file:
  --max-file-size 1GiB   OPPERLITE_MAX_FILE_SIZE=1GiB   max_file_size = "1GiB"
A flag wins over the variable, the variable over the file, the file over the default.

\b
Examples:
  opperlite serve --port 0 --data ./media
  opperlite serve --max-file-size 2GiB --upload-ttl 7d --quota-bytes 50GiB
  opperlite serve --host 0.0.0.0 --auth keys --public-url https://media.example.com
  OPPERLITE_PORT=9000 opperlite serve
"""


@cli.command(cls=SettingsCommand, epilog=SERVE_EPILOG)
@settings_options()
def serve(**flags: Any) -> None:
    """Serve the API until it is stopped.

    Ctrl-C and SIGTERM let what is in flight finish. A second Ctrl-C stops at once; nothing that was acknowledged is
    lost, and jobs go on at the next start.
    """
    import gc

    from opperlite import listening, logs
    from opperlite.signals import Stop

    stop = Stop()
    stop.install()
    settings = load_settings(flags)
    logs.configure(settings.log_level, settings.log_format)
    listening.check_exposure(settings)
    sockets = listening.listen(settings.host, settings.port)
    gc.disable()  # what a start makes stays: to look through it for garbage is a tenth of the time; serving enables it

    from opperlite import serving

    serving.run(settings, sockets, stop)


@cli.command()
@click.option("--type", "kind", type=click.Choice(["image", "video", "tts", "stt"]), help="Only models of this type.")
@as_json
@settings_options("catalog")
def models(kind: str | None, as_json: bool, **flags: Any) -> None:
    """List the models that the server answers for."""
    from opperlite.wiring import load_catalog

    catalog = load_catalog(load_settings(flags))
    rows: list[dict[str, Any]] = [
        {
            "id": model.id,
            "type": model.type,
            "capabilities": list(model.capabilities),
            "engine": _ENGINE,
            "retired_at": (model.retired_at or "")[:10] or None,
            "successor": model.successor,
        }
        for model in catalog.models
        if kind in (None, model.type)
    ]
    if as_json:
        click.echo(json.dumps(rows))
    else:
        print_table([{**row, "capabilities": ", ".join(row["capabilities"])} for row in rows])


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(opperlite completion bash)"   in ~/.bashrc
    zsh:   eval "$(opperlite completion zsh)"    in ~/.zshrc
    fish:  opperlite completion fish | source    in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None  # the choice above has only shells that click knows
    click.echo(script(cli, {}, "opperlite", "_OPPERLITE_COMPLETE").source())


@cli.command(hidden=True)
def worker() -> None:
    """Work for a server of this machine over standard input and output."""
    from opperlite.adapters.workers import main as work

    work()


def main() -> None:
    """The program's entry point."""
    cli(prog_name="opperlite")
