"""Every third-party part of a folder build, with licence and source: for the notices and the bill of materials."""

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import contents
import environment
import inventory

from opperlite.versions import packages as known_licences

_LICENCES = environment.PACKAGING / "licences"
_DOCUMENTS = Path("/usr/share/doc")  # where Debian keeps each package's licence


@dataclass(frozen=True)
class Part:
    """A library inside a Python package, or one that the build adds (`inside` is then "the program")."""

    name: str
    version: str | None
    licence: str
    inside: str
    source: str = ""
    recipe: str = ""
    copyright: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SystemLibrary:
    """Shared libraries that were taken from the machine of the build, by the package that they belong to there."""

    name: str
    version: str
    source: str
    text: str
    files: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Parts:
    """All of it."""

    packages: list[metadata.Distribution]
    parts: list[Part]
    system: list[SystemLibrary]


def find(folder: Path) -> Parts:
    """What is inside a folder build."""
    with (environment.PACKAGING / "parts.toml").open("rb") as file:
        table = tomllib.load(file)
    packages = [one for one in inventory.distributions(folder) if one.name != "opperlite"]
    _check_releases(table, packages)
    told = [library for library in inventory.libraries(folder) if library.inside]
    inside = [_inside(library, table.get(library.inside or "", {})) for library in told]
    added = [
        Part(name=name, version=facts.get("version"), inside="the program", **_facts(facts), licence=facts["licence"])
        for name, facts in table["build"].items()
        if isinstance(facts, dict)
    ]
    return Parts(packages, inside + added, _system(folder))


def _inside(library: inventory.Library, package: dict[str, Any]) -> Part:
    facts = package.get(library.name, {})
    recipe = package.get("recipe", "") if facts else ""
    return Part(
        name=library.name,
        version=library.version or facts.get("version"),
        licence=library.licence,
        inside=library.inside or "",
        recipe=recipe,
        **_facts(facts),
    )


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    named = {name: facts.get(name, "") for name in ("source", "copyright")}
    return named | {"texts": tuple(facts.get("texts", ()))}


def _check_releases(table: dict[str, Any], packages: list[metadata.Distribution]) -> None:
    """Say which facts of parts.toml were looked up for another version than the one that is built from."""
    owners = metadata.packages_distributions()
    versions = {one.name.lower(): one.version for one in packages}
    for module, facts in table.items():
        for owner in owners.get(module, ()):
            if versions.get(owner.lower(), facts["release"]) != facts["release"]:
                print(f"packaging/parts.toml tells of {owner} {facts['release']}, this is {versions[owner.lower()]}")


# ----------------------------------------------------------------------------------------------- packages


def licence_of(one: metadata.Distribution) -> str:
    """The SPDX expression of a package's licence."""
    return known_licences()[re.sub(r"[-_.]+", "-", one.name).lower()]


def licence_text(name: str) -> str:
    """The text of a licence that several parts share."""
    path = environment.PROJECT / "LICENSE" if name == "Apache-2.0" else _LICENCES / f"{name}.txt"
    return path.read_text("utf-8")


def source_of(one: metadata.Distribution) -> str:
    """Where a package's source is, as it says itself."""
    addresses: dict[str, str] = {}
    for line in one.metadata.get_all("Project-URL") or []:
        label, _, address = line.partition(", ")
        addresses[label.strip().lower()] = address.strip()
    for label in ("source", "source code", "repository", "github", "homepage"):
        if label in addresses:
            return addresses[label]
    home = one.metadata.get_all("Home-page") or [f"the source archive of {one.name} {one.version}"]
    return str(home[0])


# ------------------------------------------------------------------------------------------------- system


def _system(folder: Path) -> list[SystemLibrary]:
    """The libraries beside those of the packages: Python's own needs, and Flite."""
    found: dict[str, list[str]] = {}
    for path in sorted((folder / contents.LIBRARY_FOLDER).iterdir()):
        if path.is_file() and not path.is_symlink() and ".so" in path.name and not path.name.startswith("libpython"):
            found.setdefault(_debian_package(path.name) or path.name, []).append(path.name)
    return [_described(name, tuple(files)) for name, files in sorted(found.items())]


def _debian_package(file: str) -> str | None:
    """The package that a library belongs to on a Debian system."""
    told = _told("dpkg-query", "--search", f"*/{file}")
    return told.splitlines()[0].partition(":")[0] if told else None


def _described(name: str, files: tuple[str, ...]) -> SystemLibrary:
    facts = _told("dpkg-query", "--show", "--showformat=${Version}\t${source:Package}\t${source:Version}", name)
    if not facts:
        return SystemLibrary(name, "", "the system that this was built on", "", files)
    version, source, source_version = facts.split("\t")
    document = _DOCUMENTS / name / "copyright"
    text = document.read_text("utf-8", "replace") if document.is_file() else ""
    return SystemLibrary(name, version, f"Debian's source package {source} {source_version}", text, files)


def _told(*command: str) -> str:
    """What a command prints; empty where it fails or is not there."""
    if shutil.which(command[0]) is None:
        return ""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else ""
