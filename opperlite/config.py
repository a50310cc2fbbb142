"""Every setting of the program in one table, and how a value is found: flag, OPPERLITE_* variable, TOML file, default.

The fields of `Settings` are the table: name, type, default, and in the annotation how the value is read and what it
means. The command's flags, the README's table and the checks derive from it.
"""

import difflib
import os
import re
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Struct, field
from msgspec.structs import fields

from opperlite.values import (
    ADDRESS,
    CIDR,
    FOLDER,
    HOST,
    ORIGIN,
    SWITCH,
    URL,
    Choice,
    Duration,
    Invalid,
    Kind,
    Listing,
    Number,
    Optional,
    Size,
)

PREFIX = "OPPERLITE_"
CONFIG_VARIABLE = PREFIX + "CONFIG"
CACHE_VARIABLE = PREFIX + "CACHE"  # read by the launcher of the one-file program, before there are any settings

KiB, MiB, GiB = 1024, 1024**2, 1024**3
SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


class ConfigError(Exception):
    """A setting is wrong. The message names where it came from, what was found and what is allowed."""


@dataclass(frozen=True)
class Setting:
    """One row of the table. `default_text` tells a default that depends on the machine."""

    group: str
    kind: Kind
    help: str
    default_text: str | None = None
    name: str = ""
    default: Any = None

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def shown_default(self) -> str:
        return self.default_text or self.kind.show(self.default)


def default_data() -> Path:
    """The platform's folder for a user's application data; raises ConfigError for a user without a home."""
    import platformdirs

    try:
        return Path(platformdirs.user_data_dir("opperlite", appauthor=False))
    except RuntimeError as error:
        raise ConfigError(
            f"This user has no home folder, so there is no default for data: name a folder with --data or {PREFIX}DATA."
        ) from error


def default_file() -> Path | None:
    """Where the TOML file is looked for when none is named; None for a user without a home."""
    import platformdirs

    try:
        return Path(platformdirs.user_config_dir("opperlite", appauthor=False)) / "opperlite.toml"
    except RuntimeError:
        return None


def default_workers() -> int:
    """One engine process for each processor this process may use, 1 to 4."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, usable))


_SERVER, _ACCESS, _STORAGE, _WORK, _SOURCES, _ENGINE, _LOGGING = (
    "Server",
    "Access",
    "Storage and lifetimes",
    "Jobs and processes",
    "Sources by URL",
    "Models and engine",
    "Logging",
)


class Settings(Struct, frozen=True, kw_only=True):
    """The settings in force. Sizes are bytes, durations are seconds, folders are absolute."""

    host: Annotated[str, Setting(_SERVER, ADDRESS, "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Setting(_SERVER, Number(0, 65535), "Port to listen on; 0 takes any free one.")] = 8080
    data: Annotated[
        Path,
        Setting(_SERVER, FOLDER, "Folder for the database and the stored media.", "the user's data folder"),
    ] = field(default_factory=default_data)
    public_url: Annotated[
        str | None,
        Setting(
            _SERVER,
            Optional(URL),
            "Base of the links in replies, where clients reach the server by another name.",
            "the request's own host",
        ),
    ] = None
    max_connections: Annotated[
        int,
        Setting(_SERVER, Number(0), "Connections that are served at once; 0 sets no limit."),
    ] = 2000
    shutdown_grace: Annotated[
        float,
        Setting(_SERVER, Duration(), "How long a stop waits for requests and jobs in flight."),
    ] = 20 * SECOND

    auth: Annotated[
        Literal["open", "keys"],
        Setting(
            _ACCESS,
            Choice("open", "keys"),
            "`open` takes any bearer token and keeps each one's files apart; `keys` takes only keys made here.",
        ),
    ] = "open"
    open_to_network: Annotated[
        bool,
        Setting(_ACCESS, SWITCH, "Allow `auth` open on an address that other machines reach."),
    ] = False
    allow_host: Annotated[
        tuple[str, ...],
        Setting(_ACCESS, Listing(ADDRESS), "Further `Host` names to answer to while listening on loopback."),
    ] = ()
    cors_origin: Annotated[
        tuple[str, ...],
        Setting(_ACCESS, Listing(ORIGIN), "Web origins whose pages may call the API; `*` is any."),
    ] = ()
    trusted_proxy: Annotated[
        tuple[str, ...],
        Setting(_ACCESS, Listing(CIDR), "Proxies whose `X-Forwarded-*` headers are believed."),
    ] = ()

    max_file_size: Annotated[int, Setting(_STORAGE, Size(1), "Largest file that is taken.")] = 512 * MiB
    max_json_size: Annotated[int, Setting(_STORAGE, Size(KiB), "Largest JSON request that is taken.")] = 64 * MiB
    store_default: Annotated[
        bool,
        Setting(_STORAGE, SWITCH, "Whether a generation that does not say `store` keeps its output."),
    ] = True
    quota_bytes: Annotated[int, Setting(_STORAGE, Size(), "Bytes that an organisation's files may take.")] = 10 * GiB
    quota_files: Annotated[int, Setting(_STORAGE, Number(0), "Files that an organisation may have.")] = 10_000
    upload_ttl: Annotated[float, Setting(_STORAGE, Duration(SECOND), "Life of an uploaded file.")] = 30 * DAY
    generated_ttl: Annotated[float, Setting(_STORAGE, Duration(SECOND), "Life of a generated file.")] = 24 * HOUR
    retention: Annotated[
        float | None,
        Setting(_STORAGE, Optional(Duration(SECOND)), "Cap on the life of every file of a project."),
    ] = None
    zero_data_retention: Annotated[
        bool,
        Setting(_STORAGE, SWITCH, "Store nothing: uploads and outputs are answered, then forgotten."),
    ] = False
    link_ttl: Annotated[float, Setting(_STORAGE, Duration(SECOND), "Life of a signed download link.")] = HOUR
    job_ttl: Annotated[
        float,
        Setting(_STORAGE, Duration(SECOND), "How long a job's record can be read after its end."),
    ] = 24 * HOUR
    orphan_grace: Annotated[
        float,
        Setting(_STORAGE, Duration(), "Age at which bytes that no file names are swept away."),
    ] = HOUR
    sweep_interval: Annotated[
        float,
        Setting(_STORAGE, Duration(SECOND), "Time between two sweeps of what has expired."),
    ] = MINUTE

    jobs: Annotated[int, Setting(_WORK, Number(1, 256), "Videos that are made at the same time.")] = 2
    workers: Annotated[
        int,
        Setting(_WORK, Number(1, 64), "Processes that draw, encode, speak and listen.", "the processors, 1 to 4"),
    ] = field(default_factory=default_workers)
    max_queued_jobs: Annotated[
        int,
        Setting(_WORK, Number(1), "Jobs that a project may have waiting; beyond that the answer is 429."),
    ] = 1000
    job_attempts: Annotated[
        int,
        Setting(_WORK, Number(1, 100), "How often a job is taken up before it counts as failed."),
    ] = 3
    job_lease: Annotated[
        float,
        Setting(_WORK, Duration(SECOND), "How long a runner that died keeps its job from being taken up again."),
    ] = MINUTE

    fetch_timeout: Annotated[float, Setting(_SOURCES, Duration(0.1), "Time to read a source by URL.")] = 30 * SECOND
    fetch_max_redirects: Annotated[int, Setting(_SOURCES, Number(0, 20), "Redirects that are followed.")] = 3
    allow_source: Annotated[
        tuple[str, ...],
        Setting(_SOURCES, Listing(HOST), "Private hosts or networks that sources may be read from."),
    ] = ()
    unreachable_sources: Annotated[
        Literal["refuse", "placeholder"],
        Setting(
            _SOURCES,
            Choice("refuse", "placeholder"),
            "What becomes of a URL that cannot be read: an error, or a stand-in picture, clip or sound.",
        ),
    ] = "refuse"

    catalog: Annotated[
        tuple[Path, ...],
        Setting(_ENGINE, Listing(FOLDER), "Folders with further model files (TOML)."),
    ] = ()
    strict_retired: Annotated[
        bool,
        Setting(_ENGINE, SWITCH, "Refuse models that their provider has retired."),
    ] = False
    caption: Annotated[bool, Setting(_ENGINE, SWITCH, "Write the prompt into generated images.")] = True
    recognizer: Annotated[
        Literal["record", "acoustic"],
        Setting(
            _ENGINE,
            Choice("record", "acoustic"),
            "How transcription knows this server's own speech: by its record of it, or by listening alone.",
        ),
    ] = "record"
    voice_model: Annotated[
        Path | None,
        Setting(
            _ENGINE,
            Optional(FOLDER),
            "Folder with a model of your own that speaks: Kokoro, VITS (Piper, Coqui, MMS) or Matcha for sherpa-onnx.",
        ),
    ] = None
    recognition_model: Annotated[
        Path | None,
        Setting(
            _ENGINE,
            Optional(FOLDER),
            "Folder with a model of your own that listens: Whisper for CTranslate2, or Whisper, transducer, "
            "SenseVoice, Moonshine, NeMo CTC, Zipformer CTC or Paraformer for sherpa-onnx.",
        ),
    ] = None

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting(_LOGGING, Choice("debug", "info", "warning", "error"), "Least severity that is logged."),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        Setting(_LOGGING, Choice("text", "json"), "Form of a log line."),
    ] = "text"
    access_log: Annotated[bool, Setting(_LOGGING, SWITCH, "Log one line for each request.")] = True


def _table() -> Iterator[Setting]:
    hints = typing.get_type_hints(Settings, include_extras=True)
    for entry in fields(Settings):
        setting: Setting = hints[entry.name].__metadata__[0]
        shown = None if setting.default_text else entry.default
        yield replace(setting, name=entry.name, default=shown)


SETTINGS: tuple[Setting, ...] = tuple(_table())


# ------------------------------------------------------------------------------------------------ sources


@dataclass(frozen=True)
class _Given:
    """A value as somebody wrote it: where, and the folder that relative paths start from."""

    raw: object
    origin: str
    folder: Path


def load(flags: Mapping[str, Any], env: Mapping[str, str], default_file: Path | None = None) -> Settings:
    """The settings in force: flag, then variable, then file, then default.

    `flags` has the settings' names and None or () for what was not given, and may have `config`, the file's path.
    `default_file` is read only if it is there. Raises ConfigError.
    """
    file = config_file(flags, env, default_file)
    given = {**(_from_file(file) if file else {}), **_from_env(env), **_from_flags(flags)}
    return Settings(**{s.name: _read(s, given[s.name]) for s in SETTINGS if s.name in given})


def config_file(flags: Mapping[str, Any], env: Mapping[str, str], default_file: Path | None = None) -> Path | None:
    """The TOML file to read, or None. A file that was named must exist."""
    for named, origin in ((flags.get("config"), "--config"), (env.get(CONFIG_VARIABLE), CONFIG_VARIABLE)):
        if named:
            path = Path(named).expanduser().absolute()
            if not path.is_file():
                raise ConfigError(f"{origin}: there is no file {path}.")
            return path
    return default_file if default_file is not None and default_file.is_file() else None


def unknown_variables(env: Mapping[str, str]) -> list[str]:
    """A line for each OPPERLITE_* variable that names no setting."""
    variables = (CONFIG_VARIABLE, CACHE_VARIABLE, *(setting.variable for setting in SETTINGS))
    known = [name.removeprefix(PREFIX) for name in variables]
    given = sorted(name.removeprefix(PREFIX) for name in env if name.startswith(PREFIX))
    return [
        f"{PREFIX}{name} names no setting and is ignored.{_meant(name, known, PREFIX)}"
        for name in given
        if name not in known
    ]


def _from_flags(flags: Mapping[str, Any]) -> dict[str, _Given]:
    here = Path.cwd()
    return {s.name: _Given(flags[s.name], s.flag, here) for s in SETTINGS if flags.get(s.name) not in (None, (), [])}


def _from_env(env: Mapping[str, str]) -> dict[str, _Given]:
    here = Path.cwd()
    return {s.name: _Given(env[s.variable], s.variable, here) for s in SETTINGS if env.get(s.variable)}


def _from_file(path: Path) -> dict[str, _Given]:
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}.") from error
    names = [setting.name for setting in SETTINGS]
    for key in table:
        if key not in names:
            raise ConfigError(f"{_place(path, text, key)}: no setting is called {key!r}.{_meant(key, names)}")
    return {key: _Given(raw, f"{_place(path, text, key)}: {key}", path.parent) for key, raw in table.items()}


def _place(path: Path, text: str, key: str) -> str:
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}\b""")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f"{path}, line {number}"
    return str(path)


def _meant(name: str, known: Sequence[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {prefix}{close[0]}?" if close else ""


def _read(setting: Setting, given: _Given) -> Any:
    try:
        value = setting.kind.read(given.raw)
    except Invalid as error:
        raise ConfigError(f"{given.origin}: {error}") from error
    if isinstance(value, Path):
        return given.folder / value
    if isinstance(value, tuple):
        return tuple(given.folder / item if isinstance(item, Path) else item for item in value)
    return value


# ------------------------------------------------------------------------------------------ documentation


def grouped() -> Iterable[tuple[str, list[Setting]]]:
    """The settings under their groups' headings, in the order of the table."""
    groups: dict[str, list[Setting]] = {}
    for setting in SETTINGS:
        groups.setdefault(setting.group, []).append(setting)
    return groups.items()


def settings_table_markdown() -> str:
    """The README's table: one row for each setting."""
    rows = ["| Setting | Default | Allowed | Meaning |", "|---|---|---|---|"]
    rows += [f"| `{s.name}` | {s.shown_default} | {s.kind.allowed} | {s.help} |" for s in SETTINGS]
    return "\n".join(rows) + "\n"
