"""What this program is: its version, how it was built, and everything that it is made of with the licences.

A build writes `build.json` beside this module, with `commit`, `modified` and `date`, and keeps the metadata of the
packages that it takes in (PyInstaller's `copy_metadata` for each of `packages()` that it does not leave out). The
launcher of the one-file program sets the variable `_OPPERLITE_ONE_FILE` for the program that it unpacked.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

from opperlite import __version__

ONE_FILE_VARIABLE = "_OPPERLITE_ONE_FILE"  # not OPPERLITE_…, by which settings are called
SOURCE_LICENCE = "Apache-2.0"
_PACKAGE = Path(__file__).parent
_PATIENCE = 5.0  # seconds for git
_DIRTY = "-modified"


class Library(Struct, frozen=True):
    """A library or its data: `version` is None where nothing tells it, `inside` the package that brings it along."""

    name: str
    version: str | None
    licence: str
    inside: str | None = None

    @property
    def copyleft(self) -> bool:
        """Whether a program that carries it is, as a whole, under the GPL."""
        return self.licence.startswith("GPL-") and "WITH" not in self.licence


class Versions(Struct, frozen=True):
    """Everything that `opperlite version` tells.

    `build` is source, folder or one file; `modified` tells that it was made of more than the commit, `built_at` is the
    date that the build was given.
    """

    opperlite: str
    commit: str | None
    modified: bool
    build: str
    built_at: str | None
    python: str
    system: str
    sqlite: str
    source_licence: str
    program_licence: str
    libraries: tuple[Library, ...]

    @property
    def copyleft(self) -> list[Library]:
        """The libraries under the GPL."""
        return [library for library in self.libraries if library.copyleft]


def versions() -> Versions:
    """What is running here and what it is made of, as far as it is found."""
    libraries = tuple(sorted(_found(), key=lambda library: (library.name.lower(), library.inside or "")))
    under_gpl = any(library.copyleft for library in libraries)
    frozen = getattr(sys, "frozen", False)
    built = _built() if frozen else _checked_out()
    return Versions(
        opperlite=__version__,
        commit=built.get("commit"),
        modified=bool(built.get("modified")),
        build="source" if not frozen else "one file" if os.environ.get(ONE_FILE_VARIABLE) else "folder",
        built_at=built.get("date"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        sqlite=_sqlite() or "",
        source_licence=SOURCE_LICENCE,
        program_licence="GPL-3.0-or-later" if under_gpl else SOURCE_LICENCE,
        libraries=libraries,
    )


# -------------------------------------------------------------------------------------------------- build


def _built() -> Mapping[str, Any]:
    """What the build wrote down."""
    try:
        facts: Mapping[str, Any] = json.loads((_PACKAGE / "build.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts


def _checked_out() -> Mapping[str, Any]:
    """The commit of a source checkout; nothing where this is none or there is no git."""
    root = _PACKAGE.parent
    if not (root / ".git").exists():
        return {}
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", f"--dirty={_DIRTY}"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return {}
    told = ran.stdout.strip()
    return {"commit": told.removesuffix(_DIRTY), "modified": told.endswith(_DIRTY)}


# ---------------------------------------------------------------------------------------------- libraries


def components() -> Mapping[str, Any]:
    """The list of everything that opperlite may be made of: `components.toml`."""
    with (_PACKAGE / "components.toml").open("rb") as file:
        return tomllib.load(file)


def packages() -> Mapping[str, str]:
    """The licence of each Python package, the optional ones too."""
    known = components()
    return {**known["packages"], **known["optional"]}


def _found() -> Iterator[Library]:
    for name, licence in packages().items():
        try:
            yield Library(name, metadata.version(name), licence)
        except metadata.PackageNotFoundError:  # one that this system or this build does not have
            continue
    for package, group in components()["inside"].items():
        names = list(_file_names(package, group["folders"]))
        for part in group["parts"]:
            if any(is_file_of(part["file"], name) for name in names):
                yield Library(part["name"], _version(part["name"], package), part["licence"], package)
    yield Library("Python", platform.python_version(), "PSF-2.0")
    yield Library("SQLite", _sqlite(), "blessing")
    yield Library("OpenSSL", _openssl(), "Apache-2.0")
    if flite_speaks():
        yield Library("Flite", None, "MIT-Festival")


def is_file_of(pattern: str, name: str) -> bool:
    """Whether a file is one of the part with this pattern: "lib" may stand before it, a version and ending behind."""
    return re.fullmatch(rf"(?:lib)?(?:{pattern})(?:[-.].*)?", name) is not None


def _file_names(package: str, folders: list[str]) -> Iterator[str]:
    """The names in these folders, which lie beside a package's own."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places[:1]:
        for folder in folders:
            path = Path(place).parent / folder
            if path.is_dir():
                yield from (entry.name for entry in path.iterdir())


def _version(part: str, package: str) -> str | None:
    """The version that a part tells of itself; a library that cannot be loaded here tells none."""
    ask = _TELLERS.get((part, package))
    try:
        return ask() if ask is not None else None
    except (ImportError, OSError, AttributeError, KeyError):
        return None


def _ffmpeg() -> str:
    import av

    return str(av.ffmpeg_version_info)


def _espeak() -> str:
    import ctypes

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Info.argtypes = (ctypes.c_void_p,)
    return str(library.espeak_Info(None).decode())


def _openblas() -> str:
    import numpy

    shown: Any = numpy.show_config(mode="dicts")
    return str(shown["Build Dependencies"]["blas"]["version"])


def _isal() -> str:
    import isal

    return str(isal.ISAL_VERSION)


def _libyaml() -> str:
    import yaml._yaml

    return str(yaml._yaml.get_version_string())


def _pillow(feature: str) -> Callable[[], str | None]:
    def ask() -> str | None:
        from PIL import features

        return features.version(feature)

    return ask


_TELLERS: Mapping[tuple[str, str], Callable[[], str | None]] = {
    ("FFmpeg", "av"): _ffmpeg,
    ("espeak-ng", "espeakng_loader"): _espeak,
    ("OpenBLAS", "numpy"): _openblas,
    ("ISA-L", "isal"): _isal,
    ("LibYAML", "yaml"): _libyaml,
    ("FreeType", "PIL"): _pillow("freetype2"),
    ("HarfBuzz", "PIL"): _pillow("harfbuzz"),
    ("libavif", "PIL"): _pillow("avif"),
    ("libjpeg-turbo", "PIL"): _pillow("libjpeg_turbo"),
    ("Little CMS", "PIL"): _pillow("littlecms2"),
    ("libtiff", "PIL"): _pillow("libtiff"),
    ("libwebp", "PIL"): _pillow("webp"),
    ("OpenJPEG", "PIL"): _pillow("jpg_2000"),
}


def _sqlite() -> str | None:
    try:
        import sqlite3
    except ImportError:
        return None
    return sqlite3.sqlite_version


def _openssl() -> str | None:
    try:
        import ssl
    except ImportError:
        return None
    return ssl.OPENSSL_VERSION.removeprefix("OpenSSL ")


def flite_speaks() -> bool:
    """Whether Flite is here with one of its voices."""
    try:
        from opperlite.engine.sound import flite
    except ImportError:
        return False
    return any(flite.available(voice) for voice in flite.VOICES)
