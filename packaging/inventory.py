"""What a folder build holds: Python packages, shared libraries, and what these ask of the system."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import contents

_SYMBOL_VERSION = re.compile(r"\bGLIBC_(\d+(?:\.\d+)+)\b")


@dataclass(frozen=True)
class Library:
    """A library as the program itself tells it: `inside` names the package that brings it along."""

    name: str
    version: str | None
    licence: str
    inside: str | None = None


def program_of(folder: Path) -> Path:
    """The program inside a folder build."""
    return folder / ("opperlite.exe" if sys.platform == "win32" else "opperlite")


def shared_libraries(folder: Path) -> list[Path]:
    """The shared libraries in a folder build, each once."""
    endings = (".dylib", ".dll", ".pyd") if sys.platform == "win32" else (".so", ".dylib")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and (path.suffix in endings or ".so." in path.name)
    )


def libraries(folder: Path) -> list[Library]:
    """What the built program says that it is made of."""
    command = [str(program_of(folder)), "version", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [Library(**one) for one in told["libraries"]]


# ----------------------------------------------------------------------------------------------- packages


def distributions(folder: Path) -> list[metadata.Distribution]:
    """The installed packages of which something is in a folder build, by name."""
    owners = metadata.packages_distributions()
    names = {owner for module in _top_level(folder) for owner in owners.get(module, ())}
    return [metadata.distribution(name) for name in sorted(names, key=str.lower)]


def _top_level(folder: Path) -> set[str]:
    """The top-level modules and folders in a folder build."""
    return {
        path.name.removesuffix(".pyc")
        for path in (folder / contents.LIBRARY_FOLDER).iterdir()
        if path.is_dir() or path.suffix == ".pyc"
    }


def keep_metadata(folder: Path) -> None:
    """Give the program the metadata of its packages, by which it tells their versions."""
    for one in distributions(folder):
        text = one.read_text("METADATA")
        assert text is not None, one.name
        place = folder / contents.LIBRARY_FOLDER / f"{one.name.replace('-', '_')}-{one.version}.dist-info"
        place.mkdir(exist_ok=True)
        (place / "METADATA").write_text(text, "utf-8", newline="\n")


# ------------------------------------------------------------------------------------------------- system


def needs(folder: Path) -> str:
    """What the system must have, in words; empty where that is not known."""
    if not sys.platform.startswith("linux"):
        return ""
    highest = highest_glibc([program_of(folder), *shared_libraries(folder)])
    return f"glibc {highest} or newer" if highest else ""


def highest_glibc(files: Iterable[Path]) -> str | None:
    """The newest version of the C library that one of the files asks for; None without readelf."""
    tool = shutil.which("readelf")
    if tool is None:
        return None
    told = subprocess.run(
        [tool, "--version-info", *map(str, files)], capture_output=True, text=True, errors="replace", check=False
    )
    found = {tuple(map(int, version.split("."))) for version in _SYMBOL_VERSION.findall(told.stdout)}
    return ".".join(map(str, max(found))) if found else None
