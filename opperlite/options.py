"""The flags that commands share: those of the settings, and `--json`."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from opperlite import config
from opperlite.config import SETTINGS, Setting, Settings
from opperlite.values import Choice, Invalid, Kind, Listing, Switch

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


class Value(click.ParamType):  # type: ignore[type-arg]  # generic only in click's own types
    """A flag's value, read as a setting of that kind is."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.name = kind.metavar

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.kind.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.kind.read(value) if isinstance(value, str) else value
        except Invalid as error:
            self.fail(str(error), param, ctx)


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


def load_settings(flags: Mapping[str, Any]) -> Settings:
    """The settings in force for a command that was given these flags. Raises ConfigError."""
    for warning in config.unknown_variables(os.environ):
        click.echo(f"Warning: {warning}", err=True)
    return config.load(flags, os.environ, config.default_file())
