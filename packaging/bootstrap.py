"""The launcher of the one file where no C compiler is at hand, as on Windows: launcher.c in short, and a little slower.

PyInstaller makes a program of it; the payload and the trailer stand behind that. It cannot become the unpacked program
as launcher.c does, but starts it, waits, and ends with its exit code.
"""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

import zstandard

_TRAILER = struct.Struct("<16sQQQ64s64s")
_MAGIC = b"opperlite-bundle"
_CANNOT_START = 5  # of EXIT_CODES in opperlite/cli.py
_SETTING = "OPPERLITE_CACHE"
_SPARE = 8 << 20


def main() -> None:
    """Unpack if need be, then run."""
    program = Path(sys.executable)
    build, refusals = None, []
    for cache in _caches():
        try:
            build = _unpacked(program, cache)
            break
        except OSError as error:
            refusals.append(f"{error.filename or cache}: {error.strerror}")
    if build is None:
        _fail(f"{'; '.join(refusals)}; name a folder for the program's files with {_SETTING}")
    _run(program, build)


def _caches() -> Iterator[Path]:
    """The folders to unpack into, best first."""
    if named := os.environ.get(_SETTING):
        yield Path(named)
        return
    if local := os.environ.get("LOCALAPPDATA"):
        yield Path(local) / "opperlite" / "cache"
    yield Path(os.path.expanduser("~")) / ".cache" / "opperlite"


def _unpacked(program: Path, cache: Path) -> Path:
    """The folder of this build in the cache; raises OSError."""
    with program.open("rb") as file:
        offset, needed, name = _trailer(program, file)
        build, fresh = cache / name, cache / f".new-{name}"
        if build.is_dir():
            return build
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            if build.is_dir():
                return build
            _clean(cache)
            if shutil.disk_usage(cache).free < needed + _SPARE:
                raise OSError(None, f"{(needed + _SPARE) // 1_000_000 + 1} MB are needed", str(cache))
            try:
                _extract(program, file, offset, fresh)
                os.replace(fresh, build)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return build


def _trailer(program: Path, file: BinaryIO) -> tuple[int, int, str]:
    """The place of the payload, its size unpacked, and the name of the build."""
    start = program.stat().st_size - _TRAILER.size
    file.seek(max(0, start))
    found = file.read()
    if len(found) != _TRAILER.size or not found.startswith(_MAGIC):
        _fail_damaged(program)
    _, offset, size, needed, name, _ = _TRAILER.unpack(found)
    if offset + size != start:
        _fail_damaged(program)
    return offset, needed, name.rstrip(b"\0").decode()


def _extract(program: Path, file: BinaryIO, offset: int, fresh: Path) -> None:
    file.seek(offset)
    try:
        with (
            zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(file, closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            archive.extractall(fresh, filter="tar")
    except (zstandard.ZstdError, tarfile.TarError):
        shutil.rmtree(fresh, ignore_errors=True)
        _fail_damaged(program)


def _clean(cache: Path) -> None:
    """Remove what killed launchers left and other builds; Windows does not rename the folder of one that runs."""
    for path in cache.iterdir():
        if path.name.startswith(".new-"):
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir() and os.name == "nt":
            removed = cache / f".new-removed-{path.name}"
            with contextlib.suppress(OSError):
                path.rename(removed)
                shutil.rmtree(removed, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with this lock; the system lets go of it when the process ends."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(program: Path, build: Path) -> NoReturn:
    command = [str(build / ("opperlite.exe" if os.name == "nt" else "opperlite")), *sys.argv[1:]]
    own = {name: value for name, value in os.environ.items() if not name.startswith("_PYI_")}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program itself too
    try:
        ended = subprocess.run(command, env=own | {"_OPPERLITE_ONE_FILE": str(program)}, check=False)
    except OSError as error:
        _fail(f"{command[0]} cannot be started: {error.strerror}")
    sys.exit(ended.returncode)


def _fail_damaged(program: Path) -> NoReturn:
    _fail(f"{program} is damaged: copy it again and compare it with SHA256SUMS")


def _fail(what: str) -> NoReturn:
    print(f"Error: {what}", file=sys.stderr)
    sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main()
