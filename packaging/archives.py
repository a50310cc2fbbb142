"""Archives that depend on nothing but the files: sorted names, one date, no owner."""

import gzip
import hashlib
import tarfile
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


def write_tar(folder: Path, target: BinaryIO, root: str, date: int) -> int:
    """Write what is in a folder as a POSIX ustar archive, all names behind `root`; the bytes of its files.

    Modes are 0755 for folders and programs, 0644 for other files.
    """
    size = 0
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
            member = archive.gettarinfo(str(path), f"{root}{path.relative_to(folder).as_posix()}")
            _level(member, date)
            if member.isreg():
                size += member.size
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return size


def _level(member: tarfile.TarInfo, date: int) -> None:
    """Take out of a member what depends on who builds, where and when."""
    if member.islnk():  # a second name of a file already written; which one is the first is up to the disk
        raise ValueError(f"{member.name} is a hard link")
    member.mtime = date
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    if not member.issym():
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644


def write_tar_gz(folder: Path, target: Path, root: str, date: int, level: int) -> None:
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=file, mtime=date) as packed,
    ):
        write_tar(folder, packed, root, date)  # type: ignore[arg-type]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(paths: list[Path], target: Path) -> None:
    """In the form that `sha256sum --check` reads."""
    lines = [f"{sha256(path)}  {path.name}\n" for path in sorted(paths)]
    target.write_text("".join(lines), "utf-8", newline="\n")
