"""Whether two builds on one machine are the same, and if not, in which files they differ."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import archives


def differences(one: Path, other: Path) -> list[str]:
    """A line for each file of a release, or member of its archive, that the two folders do not have alike."""
    found = []
    for name in sorted({path.name for folder in (one, other) for path in folder.iterdir()}):
        first, second = one / name, other / name
        if not first.is_file() or not second.is_file():
            found.append(f"{name} is only in {one if first.is_file() else other}")
        elif archives.sha256(first) != archives.sha256(second):
            found.append(f"{name} differs")
            if name.endswith(".tar.gz"):
                found += [f"  {line}" for line in _members(first, second)]
    return found


def _members(one: Path, other: Path) -> Iterator[str]:
    first, second = (_read(path) for path in (one, other))
    for name in sorted({*first, *second}):
        if name not in first or name not in second:
            yield f"{name} is only in one of the archives"
        elif first[name] != second[name]:
            what = ("content", "mode", "date", "kind")
            unlike = [word for word, a, b in zip(what, first[name], second[name], strict=True) if a != b]
            yield f"{name}: {', '.join(unlike)}"


def _read(path: Path) -> dict[str, tuple[object, ...]]:
    with tarfile.open(path) as archive:
        return {member.name: (_content(archive, member), member.mode, member.mtime, member.type) for member in archive}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> object:
    file = archive.extractfile(member) if member.isreg() else None
    return hash(file.read()) if file is not None else member.linkname
