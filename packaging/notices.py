"""THIRD-PARTY-NOTICES: everything inside the program, under which licence, and where its source is."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import environment
import parts

_LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*", re.IGNORECASE)
_RULE = "=" * 100

_HEAD = """\
opperlite as a program
{rule}

opperlite's own source is under the Apache License, version 2.0. This program also contains the parts below. Some of
them, x264, x265 and espeak-ng, are under the GNU General Public License, so that the program as a whole may be passed
on under the terms of the GNU General Public License, version 3, whose text is at the end. That changes nothing for
opperlite's source.

The corresponding source of this program is

  - opperlite{commit}, with the folder packaging/, which holds the scripts and the exact versions it was built from;
  - for each part below, what stands behind "Source"; where no version is named, that which its package was built with.

Whoever passes this program on under the GPL passes on this source too, or offers it as section 6 of the licence says.
"""


def text(inside: parts.Parts) -> str:
    """The whole file."""
    commit = environment.commit()
    head = _HEAD.format(rule=_RULE, commit=f" at commit {commit}" if commit else "")
    sections = [*_packages(inside.packages), *map(_part, inside.parts), *map(_system, inside.system), _python()]
    common = dict.fromkeys(name for part in inside.parts for name in part.texts)
    shared = [_section(f"The text of {name}", parts.licence_text(name)) for name in common]
    return "\n".join([head, *sections, *shared])


def _section(title: str, *blocks: str) -> str:
    return (
        "\n\n".join([f"\n{_RULE}\n{title}\n{_RULE}", *(block.strip("\n") for block in blocks if block.strip())]) + "\n"
    )


def _packages(found: list[metadata.Distribution]) -> Iterator[str]:
    for one in found:
        title = f"{one.name} {one.version} (Python package)"
        yield _section(title, f"Licence: {parts.licence_of(one)}\nSource: {parts.source_of(one)}", *_licence_files(one))


def _licence_files(one: metadata.Distribution) -> Iterator[str]:
    """The texts that the package itself brings along."""
    for file in sorted(one.files or [], key=str):
        if _LICENCE_FILE.fullmatch(file.name) and file.suffix not in (".py", ".pyc", ".pyi", ".h"):
            yield f"--- {file.name}\n\n{Path(str(file.locate())).read_text('utf-8', 'replace')}"


def _part(part: parts.Part) -> str:
    facts = [f"Licence: {part.licence}"]
    facts += [f"Source: {part.source}"] if part.source else []
    facts += [f"Built by: {part.recipe}"] if part.recipe else []
    facts += [part.copyright] if part.copyright else []
    facts += [f"The text of {', '.join(part.texts)} is below."] if part.texts else []
    told = "" if part.texts else f"Its text is in the licence file of {part.inside}, above."
    return _section(f"{part.name} {part.version or ''}".rstrip() + f" (inside {part.inside})", "\n".join(facts), told)


def _system(library: parts.SystemLibrary) -> str:
    facts = f"Files: {', '.join(library.files)}\nSource: {library.source}"
    return _section(f"{library.name} {library.version} (from the system of the build)", facts, library.text)


def _python() -> str:
    """CPython's own licence file, which names what is inside the interpreter and its standard library too."""
    version = ".".join(map(str, sys.version_info[:3]))
    for place in (Path(re.__file__).parents[1], Path(sys.base_prefix)):
        for name in ("LICENSE.txt", "LICENSE"):
            if (place / name).is_file():
                held = (place / name).read_text("utf-8", "replace")
                return _section(f"Python {version}", "Source: https://www.python.org/downloads/source/", held)
    return _section(f"Python {version}", "Licence: PSF-2.0, https://docs.python.org/3/license.html")
