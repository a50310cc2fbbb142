"""The build's own environment: the locked libraries and tools in `build/venv`, apart from the developer's."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGING = PROJECT / "packaging"
BUILD = PROJECT / "build"
DIST = PROJECT / "dist"

LOCKS = (PACKAGING / "requirements.lock", PACKAGING / "build-requirements.lock")
_VENV = BUILD / "venv"
_STAMP = _VENV / "locks.sha256"


def enter() -> None:
    """Go on with this very command line in the build's environment, which is made or renewed if need be."""
    python = _python()
    if Path(sys.prefix).resolve() == _VENV.resolve():
        return
    _prepare(python)
    code = subprocess.run([str(python), *sys.argv], check=False).returncode
    raise SystemExit(code)


def _python() -> Path:
    return _VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _prepare(python: Path) -> None:
    wanted = _fingerprint()
    if not _STAMP.is_file() or _STAMP.read_text() != wanted:
        print(f"Installing the locked libraries and tools into {_VENV.relative_to(PROJECT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True)
        locks = [word for lock in LOCKS for word in ("-r", str(lock))]
        pip(python, "install", "--require-hashes", *locks)
        _STAMP.write_text(wanted)
    # From the project's own wheel, so that the program holds what an installed opperlite holds.
    pip(python, "install", "--no-deps", "--no-build-isolation", "--force-reinstall", str(PROJECT))


def pip(python: Path, *words: str) -> None:
    """Run pip; its notes about the machine's own configuration are not shown."""
    ran = subprocess.run([str(python), "-m", "pip", "-q", *words], stderr=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr)


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for lock in LOCKS:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def commit() -> str | None:
    """The commit that is built, or None outside a repository."""
    return _git("rev-parse", "HEAD")


def modified() -> bool:
    """Whether the work tree differs from the commit."""
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def epoch() -> int:
    """The date in seconds that goes into the program in place of the time of the build.

    `SOURCE_DATE_EPOCH` if it is set, else the date of the commit, else 1980, the first that a zip file can tell.
    """
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 315_532_800)


def _git(*words: str) -> str | None:
    try:
        ran = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
