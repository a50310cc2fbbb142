"""What the program weighs, as the tables of packaging/README.md: with and without each step, and its heaviest parts."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import contents
import environment
import folder
import inventory

_HEAVIEST = 20


def report(release: Path) -> str:
    """The tables for the release that has just been built; builds the folder once more without leaving anything out."""
    work = environment.BUILD / "everything"
    everything = _size(folder.run_pyinstaller(work, everything=True))
    unstripped = _size(folder.run_pyinstaller(work))
    made = environment.BUILD / "folder" / "made" / "opperlite"
    shutil.rmtree(work)
    steps = [
        ("folder, all that PyInstaller finds", everything),
        ("without unused modules and files", unstripped),
        ("and without symbols: the folder build", _size(made)),
        *((f"`{path.name}`", path.stat().st_size) for path in sorted(release.glob("opperlite*")) if _is_program(path)),
    ]
    parts = sorted(_parts(made).items(), key=lambda part: -part[1])[:_HEAVIEST]
    return _table(("Step", "MB"), steps) + "\n" + _table(("Part", "MB"), parts)


def _is_program(path: Path) -> bool:
    return path.name.endswith(".tar.gz") or path.suffix in ("", ".exe")


def _table(heads: tuple[str, str], rows: Iterable[tuple[str, int]]) -> str:
    lines = [f"| {heads[0]} | {heads[1]} |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {name} | {size / 1e6:.1f} |" for name, size in rows)]) + "\n"


def _size(made: Path) -> int:
    return sum(path.stat().st_size for path in _files(made))


def _files(made: Path) -> list[Path]:
    return [path for path in made.rglob("*") if path.is_file() and not path.is_symlink()]


def _parts(made: Path) -> dict[str, int]:
    """The bytes of each part: a shared library of its own, or else what one package has."""
    found: dict[str, int] = {}
    libraries = made / contents.LIBRARY_FOLDER
    large = {path for path in inventory.shared_libraries(made) if path.stat().st_size > 1 << 20}
    for path in _files(made):
        if path == inventory.program_of(made):
            name = "the bootloader"
        elif path in large:
            name = f"`{path.relative_to(libraries).as_posix()}`"
        elif path.parent == made:
            name = "licences and notices"
        else:
            name = f"other files of {path.relative_to(libraries).parts[0]}"
        found[name] = found.get(name, 0) + path.stat().st_size
    return found
