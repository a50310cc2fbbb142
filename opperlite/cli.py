"""The commands. What a command needs is imported inside it, so that help and completion are quick."""

import json
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from opperlite import __version__, config
from opperlite.config import SETTINGS, ConfigError, Setting, Settings
from opperlite.values import Choice, Listing, Switch

if TYPE_CHECKING:
    from opperlite.domain.types import Key

_Result = TypeVar("_Result")

_ENGINE = "offline"  # the one that stands behind every model

EXIT_CODES: Mapping[int, str] = {
    0: "done, or stopped as asked",
    1: "failed for a reason that is no fault of the call",
    2: "the command line or a setting is wrong",
    3: "the data folder cannot be used",
    4: "the address or port cannot be listened on",
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
    from opperlite.domain.loading import CatalogError
    from opperlite.listening import CannotListen

    if isinstance(error, ConfigError | CatalogError):
        return 2
    if isinstance(error, StorageFailed):
        return 3
    if isinstance(error, CannotListen):
        return 4
    return 1 if isinstance(error, OpperliteError) else None


# ------------------------------------------------------------------------------------- flags for settings


class SettingOption(click.Option):
    """The flag of one setting; its value is read by the table, so that every source is judged alike."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        many = isinstance(setting.kind, Listing)
        switch = isinstance(setting.kind, Switch)
        words = setting.kind.words if isinstance(setting.kind, Choice) else None
        super().__init__(
            [f"{setting.flag}/--no-{setting.flag[2:]}" if switch else setting.flag, setting.name],
            type=bool if switch else click.Choice(words) if words else str,
            metavar=None if switch or words else setting.kind.metavar,
            multiple=many,
            default=None,
            help=f"{setting.help}  [default: {setting.shown_default}{'; repeatable' if many else ''}]",
        )


class SettingsCommand(click.Command):
    """A command whose help shows the settings' flags under their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                group = parameter.setting.group if isinstance(parameter, SettingOption) else "Options"
                groups.setdefault(group, []).append(row)
        for group, rows in groups.items():
            with formatter.section(group):
                formatter.write_dl(rows)


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `--config` and the flags of these settings; of all of them when none is named."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        chosen = [setting for setting in SETTINGS if not names or setting.name in names]
        options: list[click.Option] = [_config_option(), *map(SettingOption, chosen)]
        applied = [*getattr(command, "__click_params__", []), *reversed(options)]  # click keeps them last to first
        command.__click_params__ = applied  # type: ignore[attr-defined]
        return command

    return decorate


def _config_option() -> click.Option:
    return click.Option(["--config"], metavar="FILE", help=f"TOML file with settings.  [default: {_DEFAULT_FILE}]")


_DEFAULT_FILE = "opperlite.toml in the user's configuration folder, if it is there"


def _settings(flags: Mapping[str, Any]) -> Settings:
    for warning in config.unknown_variables(os.environ):
        click.echo(f"Warning: {warning}", err=True)
    return config.load(flags, os.environ, config.default_file())


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
    from opperlite import listening, logs
    from opperlite.signals import Stop

    stop = Stop()
    stop.install()
    settings = _settings(flags)
    logs.configure(settings.log_level, settings.log_format)
    listening.check_exposure(settings)
    sockets = listening.listen(settings.host, settings.port)

    from opperlite import serving

    serving.run(settings, sockets, stop)


@cli.group()
def keys() -> None:
    """Make, list and revoke API keys.

    They work on the data folder, also while a server is running on it.
    """


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    import asyncio

    return asyncio.run(work)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


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

        async with open_projects(_settings(flags)) as projects:
            return await projects.create_key(name=name, project=project)

    key, plain = _run(create())
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

        async with open_projects(_settings(flags)) as projects:
            return await projects.list_keys()

    rows = [_key_row(key) for key in _run(listed())]
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        _print_table(rows)
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

        async with open_projects(_settings(flags)) as projects:
            return await projects.revoke_key(key)

    revoked = _run(revoke())
    click.echo(json.dumps(_key_row(revoked)) if as_json else f"Revoked {revoked.id} ({revoked.hint}…).")


def _key_row(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "hint": key.hint,
        "name": key.name,
        "project": key.project_id,
        "created": _moment(key.created_at),
        "last_used": _moment(key.last_used_at),
        "revoked": _moment(key.revoked_at),
    }


def _moment(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cli.command()
@click.option("--type", "kind", type=click.Choice(["image", "video", "tts", "stt"]), help="Only models of this type.")
@as_json
@settings_options("catalog")
def models(kind: str | None, as_json: bool, **flags: Any) -> None:
    """List the models that the server answers for."""
    from opperlite.wiring import load_catalog

    catalog = load_catalog(_settings(flags))
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
        _print_table([{**row, "capabilities": ", ".join(row["capabilities"])} for row in rows])


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0]) if rows else []
    lines = [[name.replace("_", " ").upper() for name in names]]
    lines += [["-" if row[name] in (None, "") else str(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@cli.command()
@as_json
def version(as_json: bool) -> None:
    """Print all versions: opperlite, Python, libraries."""
    import platform

    libraries = dict(_libraries())
    where = f"{platform.system()} {platform.machine()}"
    if as_json:
        facts = {"opperlite": __version__, "python": platform.python_version(), "system": where}
        click.echo(json.dumps({**facts, "libraries": libraries}))
        return
    click.echo(f"opperlite {__version__}\nPython {platform.python_version()} on {where}")
    for name, number in libraries.items():
        click.echo(f"  {name} {number}")


def _libraries() -> Iterable[tuple[str, str]]:
    import re
    from importlib import metadata

    try:
        required = metadata.requires("opperlite") or []
    except metadata.PackageNotFoundError:
        return
    for line in required:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        if "extra ==" not in line:
            try:
                yield name, metadata.version(name)
            except metadata.PackageNotFoundError:  # one that this system does not use
                continue


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
