"""The folder build: PyInstaller's, then without debug symbols and files that nothing reads."""

import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import contents
import environment
import inventory

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_PROCESSORS = {"amd64": "x86_64", "aarch64": "arm64"}


def system() -> str:
    """The system as archives name it: linux, macos, windows."""
    return _SYSTEMS.get(sys.platform, sys.platform)


def processor() -> str:
    """The processor as archives name it: x86_64, arm64."""
    machine = platform.machine().lower()
    return _PROCESSORS.get(machine, machine)


def freeze(work: Path) -> Path:
    """Make the folder build below `work`, from nothing; its folder."""
    folder = run_pyinstaller(work)
    strip(folder / contents.LIBRARY_FOLDER)
    inventory.keep_metadata(folder)
    write_build_facts(folder)
    return folder


def run_pyinstaller(work: Path, *, everything: bool = False) -> Path:
    """Let PyInstaller collect a folder below `work`; with `everything`, also what contents.py leaves out."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "ERROR"]
    places = ["--distpath", str(work / "made"), "--workpath", str(work / "work")]
    subprocess.run(
        [*command, *places, str(environment.PACKAGING / "opperlite.spec")],
        cwd=work,
        env=_surroundings(work) | ({contents.EVERYTHING: "1"} if everything else {}),
        check=True,
    )
    return work / "made" / "opperlite"


def _surroundings(work: Path) -> dict[str, str]:
    """The environment of the build, in which all that could make two builds differ is fixed."""
    return os.environ | {
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(environment.epoch()),
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def strip(libraries: Path) -> None:
    """Take the symbols out of shared libraries that only a debugger reads."""
    tool = shutil.which("strip")
    if tool is None or sys.platform == "win32":
        print("There is no strip: the libraries keep their symbols")
        return
    flags = ["-x"] if sys.platform == "darwin" else ["--strip-unneeded"]
    for path in inventory.shared_libraries(libraries):
        if contents.strippable(PurePosixPath(path.relative_to(libraries))):
            subprocess.run([tool, *flags, str(path)], check=True, stderr=subprocess.DEVNULL)


def write_build_facts(folder: Path) -> None:
    """Tell the program what it was built from: what `opperlite/versions.py` reads."""
    facts = {
        "commit": environment.commit(),
        "modified": environment.modified(),
        "date": datetime.fromtimestamp(environment.epoch(), UTC).isoformat().replace("+00:00", "Z"),
    }
    path = folder / contents.LIBRARY_FOLDER / "opperlite" / "build.json"
    path.write_text(json.dumps(facts, indent=2) + "\n", "utf-8", newline="\n")
