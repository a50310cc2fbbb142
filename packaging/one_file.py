"""The one-file program: a launcher, the compressed folder build and a trailer that tells where it is."""

import hashlib
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import archives
import environment
import zstandard

_MAGIC = b"opperlite-bundle"
_TRAILER = struct.Struct("<16sQQQ64s64s")
"""`struct Trailer` of launcher.c."""

_WINDOW = 27
"""Binary logarithm of how far back in the archive a repetition is found; the launcher allows as much memory."""


_FLAGS = ("-O2", "-Wall", "-Wextra", "-Wno-format-truncation", "-ffunction-sections", "-fdata-sections")


def write(folder: Path, target: Path, work: Path, *, version: str, date: int, needs: str, level: int) -> None:
    """Make the one file of a folder build. `needs` says in words what the system must have."""
    payload = work / "payload.tar.zst"
    unpacked = _compress(folder, payload, date, level)
    launcher = _launcher(work)
    build = f"{version}-{archives.sha256(payload)[:12]}"
    with target.open("wb") as file:
        file.write(launcher.read_bytes())
        offset = file.tell()
        with payload.open("rb") as packed:
            shutil.copyfileobj(packed, file, archives.CHUNK)
        file.write(_TRAILER.pack(_MAGIC, offset, payload.stat().st_size, unpacked, build.encode(), needs.encode()))
    target.chmod(0o755)


def _compress(folder: Path, payload: Path, date: int, level: int) -> int:
    """Write the archive as one zstd frame with a checksum; the bytes it takes unpacked."""
    settings = zstandard.ZstdCompressionParameters.from_level(
        level, window_log=_WINDOW, write_checksum=True, enable_ldm=True
    )
    with (
        payload.open("wb") as file,
        zstandard.ZstdCompressor(compression_params=settings).stream_writer(file) as packed,
    ):
        return archives.write_tar(folder, packed, "", date)


def _launcher(work: Path) -> Path:
    compiler = None if sys.platform == "win32" else shutil.which("cc")
    if compiler is not None:
        return _compile(compiler, work)
    print("There is no C compiler (cc): the launcher of the one file is the slower one in Python")
    name = "bootstrap"
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", "--onefile", "--name", name]
    places = ["--distpath", str(work), "--workpath", str(work / "work"), "--specpath", str(work)]
    subprocess.run([*command, *places, str(environment.PACKAGING / "bootstrap.py")], check=True)
    return work / (f"{name}.exe" if sys.platform == "win32" else name)


def _compile(compiler: str, work: Path) -> Path:
    """Compile the launcher with the decompressor from zstandard's source archive."""
    zstd = _zstd(compiler)
    launcher = work / "launcher"
    command = [compiler, *_FLAGS, f"-I{zstd}", str(environment.PACKAGING / "launcher.c"), str(zstd / "zstd.o")]
    # Linked statically it starts on any Linux, and can tell what the system lacks; macOS has no static C library.
    static = ["-static", "-s", "-Wl,--gc-sections"] if sys.platform.startswith("linux") else []
    subprocess.run([*command, *static, "-o", str(launcher)], check=True)
    return launcher


def _zstd(compiler: str) -> Path:
    """The folder with zstd.h and zstd.o, from the locked source archive of the zstandard package; made once."""
    locked = _locked("zstandard")
    folder = environment.BUILD / f"zstd-{hashlib.sha256(locked.encode()).hexdigest()[:12]}"
    if not (folder / "zstd.o").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_source(locked, folder)
        subprocess.run([compiler, *_FLAGS, "-c", "zstd.c", "-o", "zstd.part.o"], cwd=folder, check=True)
        (folder / "zstd.part.o").replace(folder / "zstd.o")
    return folder


def _fetch_source(locked: str, folder: Path) -> None:
    wanted = folder / "zstandard.lock"
    wanted.write_text(locked)
    options = ["--no-deps", "--no-build-isolation", "--no-binary", "zstandard", "--require-hashes"]
    environment.pip(Path(sys.executable), "download", *options, "-r", str(wanted), "-d", str(folder))
    (archive,) = folder.glob("zstandard-*.tar.gz")
    with tarfile.open(archive) as members:
        for member in members:
            path = Path(member.name)
            if path.parts[1:2] == ("zstd",) and path.suffix in (".c", ".h"):
                content = members.extractfile(member)
                assert content is not None
                (folder / path.name).write_bytes(content.read())


def _locked(name: str) -> str:
    """The lines of one package in the lock of the build's tools."""
    lines = (environment.PACKAGING / "build-requirements.lock").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = start + 1
    while end < len(lines) and lines[end].startswith("    --hash"):
        end += 1
    return "\n".join(lines[start:end]).rstrip(" \\") + "\n"
