"""Where the peers are installed, and how they get there: from PyPI and npm into a folder, from Debian's packages."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON_PACKAGES = ("moto[server]", "litellm[proxy]")
NODE_PACKAGES = ("@copilotkit/aimock",)
DEBIAN_PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "ffmpeg": "ffmpeg"}


def program(name: str) -> str | None:
    """A program of the system; Debian keeps servers where only root's path leads."""
    return shutil.which(name) or shutil.which(f"/usr/sbin/{name}")


@dataclass(frozen=True)
class Installation:
    """A folder with the peers that are no programs of the system; it need not exist."""

    folder: Path

    def script(self, name: str) -> Path | None:
        """A command of the Python packages."""
        path = self.folder / "python" / ("Scripts" if os.name == "nt" else "bin") / name
        return path if path.exists() else None

    def node_package(self, name: str) -> Path | None:
        path = self.folder / "node" / "node_modules" / name
        return path if path.exists() and program("node") else None

    def versions(self) -> dict[str, str]:
        """Of each peer and load program that is there."""
        found = {}
        if package := self.node_package("@copilotkit/aimock"):
            found["aimock"] = json.loads((package / "package.json").read_text("utf-8"))["version"]
        for name in ("moto", "litellm"):
            for path in self.folder.glob(f"python/**/{name}-*.dist-info"):
                found[name] = path.name.removesuffix(".dist-info").partition("-")[2]
        for name, flag in (("nginx", "-v"), ("ffmpeg", "-version"), ("wrk", "-v")):
            if where := program(name):
                found[name] = _version(where, flag)
        return found

    def install(self) -> None:
        """Bring all of them; Debian's packages only as root, since nobody else may."""
        _python(self.folder / "python")
        _node(self.folder / "node")
        missing = [package for name, package in DEBIAN_PACKAGES.items() if program(name) is None]
        if missing and program("apt-get") and os.geteuid() == 0:
            subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing], check=True)
        elif missing:
            print(f"To be installed by hand: {' '.join(missing)}", file=sys.stderr)


def _python(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = folder / ("Scripts" if os.name == "nt" else "bin") / "pip"
    subprocess.run([str(pip), "install", "-q", *PYTHON_PACKAGES], check=True)


def _node(folder: Path) -> None:
    npm = program("npm")
    if npm is None:
        print("npm is not installed; aimock is left out", file=sys.stderr)
        return
    folder.mkdir(parents=True, exist_ok=True)
    words = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *NODE_PACKAGES]
    subprocess.run(words, check=True, stdout=sys.stderr)


def _version(path: str, flag: str) -> str:
    ran = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    first = (ran.stdout or ran.stderr).splitlines()[0]
    numbers = [word for word in first.replace("/", " ").split() if word[:1].isdigit()]
    return numbers[0].partition("-")[0] if numbers else first
