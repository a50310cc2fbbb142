"""packaging/install.sh, with archives whose program is a small script."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is for POSIX systems")

SCRIPT = Path(__file__).parents[2] / "packaging" / "install.sh"
PROGRAM = """#!/bin/sh
case "$*" in
    --version) echo "opperlite {version}" ;;
    man) echo ".TH OPPERLITE {version}" ;;
    "completion bash" | "completion zsh" | "completion fish") echo "# $2 {version}" ;;
    *) echo "opperlite {version}: $*" ;;
esac
"""
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
Run = Callable[..., subprocess.CompletedProcess[str]]


def archive(folder: Path, version: str, program: str = PROGRAM, extra: bytes = b"") -> Path:
    """An archive of a folder build, named in the folder's SHA256SUMS."""
    folder.mkdir(exist_ok=True)
    path = folder / f"opperlite-{version}-linux-x86_64.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        for name, data in (("opperlite", program.replace("{version}", version).encode()), ("lib/data", extra)):
            member = tarfile.TarInfo(f"opperlite-{version}/{name}")
            member.size, member.mode = len(data), 0o755
            packed.addfile(member, io.BytesIO(data))
    add_sum(path)
    return path


def add_sum(path: Path) -> None:
    with (path.parent / "SHA256SUMS").open("a") as sums:
        sums.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


def build_of(path: Path) -> str:
    """The name that the build in an archive gets."""
    return f"{path.name.split('-')[1]}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "a prefix"


@pytest.fixture(params=SHELLS)
def install(request: pytest.FixtureRequest, tmp_path: Path, prefix: Path) -> Run:
    """Run the script with a shell, in an environment that has nothing but a path to the system's tools."""
    words = [request.param, *(["sh"] if request.param == "busybox" else [])]

    def run(*arguments: str | Path, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = [*words, SCRIPT, "--prefix", prefix, *arguments]
        return subprocess.run(
            list(map(str, command)),
            env={"PATH": os.defpath},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def done(ran: subprocess.CompletedProcess[str]) -> str:
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


def refused(ran: subprocess.CompletedProcess[str], reason: str, code: int = 1) -> None:
    assert (ran.returncode, ran.stdout) == (code, ""), ran
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("install.sh: ")
    assert reason in ran.stderr


def answer(prefix: Path, *words: str) -> str:
    return subprocess.run([prefix / "bin/opperlite", *words], capture_output=True, text=True, check=True).stdout


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_a_build_is_installed_with_its_page_and_completions(install: Run, tmp_path: Path, prefix: Path) -> None:
    path = archive(tmp_path / "from", "1.2.3")
    told = done(install(path))
    assert told.startswith(f"opperlite 1.2.3 is installed: {prefix}/bin/opperlite\n")
    assert f"Add {prefix}/bin to your PATH." in told
    assert answer(prefix, "serve") == "opperlite 1.2.3: serve\n"
    assert (prefix / "share/man/man1/opperlite.1").read_text() == ".TH OPPERLITE 1.2.3\n"
    for shell, place in (
        ("bash", "share/bash-completion/completions/opperlite"),
        ("zsh", "share/zsh/site-functions/_opperlite"),
        ("fish", "share/fish/vendor_completions.d/opperlite.fish"),
    ):
        assert (prefix / place).read_text() == f"# {shell} 1.2.3\n"
    before = tree(prefix)
    assert "was installed already" in done(install(path.name, folder=path.parent))
    assert tree(prefix) == before
    assert sorted(os.listdir(prefix / "lib/opperlite")) == sorted([build_of(path), "current"])


def test_versions_lie_side_by_side(install: Run, tmp_path: Path, prefix: Path) -> None:
    one, two = archive(tmp_path / "from", "1.0.0"), archive(tmp_path / "from", "2.0.0")
    three = archive(tmp_path / "other", "2.0.0", extra=b"another build of the same version")
    for path in (one, two, three):
        done(install(path))
    assert answer(prefix) == "opperlite 2.0.0: \n"
    shown = done(install("--list")).splitlines()
    assert sorted(shown) == sorted([f"  {build_of(one)}", f"  {build_of(two)}", f"* {build_of(three)}"])

    refused(install("--use", "2.0.0"), "more than one", 2)
    refused(install("--use", "3"), "no build that begins with 3", 2)
    done(install("--use", "1"))
    assert answer(prefix) == "opperlite 1.0.0: \n"
    assert (prefix / "share/man/man1/opperlite.1").read_text() == ".TH OPPERLITE 1.0.0\n"

    refused(install("--uninstall", "1.0.0"), "is in use")
    done(install("--uninstall", build_of(two)))
    assert sorted(os.listdir(prefix / "lib/opperlite")) == sorted([build_of(one), build_of(three), "current"])
    (prefix / "bin/another").touch()
    assert "Data folders stay." in done(install("--uninstall"))
    assert [name for name in tree(prefix) if (prefix / name).is_file()] == ["bin/another"]
    refused(install("--uninstall"), "there is no opperlite in")


def test_damage_is_refused_in_one_line_and_changes_nothing(install: Run, tmp_path: Path, prefix: Path) -> None:
    good = archive(tmp_path / "from", "1.0.0")
    done(install(good))
    before = tree(prefix)
    path = archive(tmp_path / "from", "2.0.0")
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:100], b"", bytes([whole[0] ^ 1]) + whole[1:]):
        path.write_bytes(data)
        refused(install(path), "opperlite-2.0.0-linux-x86_64.tar.gz is damaged")
    unnamed = path.with_name("opperlite-3.0.0-linux-x86_64.tar.gz")
    unnamed.write_bytes(whole)
    refused(install(unnamed), "does not name opperlite-3.0.0-linux-x86_64.tar.gz")
    unnamed.write_bytes(whole[:200])
    add_sum(unnamed)
    refused(install(unnamed), "could not be unpacked")
    (path.parent / "SHA256SUMS").unlink()
    refused(install(path), "SHA256SUMS is missing")
    refused(install(tmp_path / "nothing.tar.gz"), "there is no file")
    assert tree(prefix) == before
    assert answer(prefix) == "opperlite 1.0.0: \n"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("#!/bin/sh\necho 'needs glibc 2.99'\necho more\nexit 5\n", "this system cannot run opperlite-9.0.0"),
        ("#!/nowhere/sh\n", "this system cannot run opperlite-9.0.0"),
    ],
)
def test_a_program_that_does_not_run_here_is_refused(
    program: str, reason: str, install: Run, tmp_path: Path, prefix: Path
) -> None:
    refused(install(archive(tmp_path / "from", "9.0.0", program)), reason)
    assert os.listdir(prefix / "lib/opperlite") == []
    assert not (prefix / "bin/opperlite").exists()


def test_a_program_without_a_page_is_installed_all_the_same(install: Run, tmp_path: Path, prefix: Path) -> None:
    done(install(archive(tmp_path / "from", "2.0.0")))
    ran = install(archive(tmp_path / "from", "1.0.0", PROGRAM.replace("    man)", "    man) exit 2 ;;\n    manual)")))
    assert ran.returncode == 0
    assert ran.stderr.count("\n") == 1
    assert not (prefix / "share/man/man1/opperlite.1").exists()  # rather none than that of another version
    assert answer(prefix) == "opperlite 1.0.0: \n"


def test_a_kill_leaves_what_was_there(install: Run, tmp_path: Path, prefix: Path) -> None:
    done(install(archive(tmp_path / "from", "1.0.0")))
    slow = archive(tmp_path / "from", "2.0.0", "#!/bin/sh\nsleep 30\n")
    words = ["sh", str(SCRIPT), "--prefix", str(prefix), str(slow)]
    killed = subprocess.Popen(words, env={"PATH": os.defpath}, start_new_session=True)
    builds = prefix / "lib/opperlite"
    limit = time.monotonic() + 30
    while not list(builds.glob(".new-*/opperlite-2.0.0/lib/data")):
        assert time.monotonic() < limit
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert answer(prefix) == "opperlite 1.0.0: \n"
    assert len(list(builds.glob(".new-*"))) == 1

    done(install(archive(tmp_path / "from", "3.0.0")))
    assert list(builds.glob(".*")) == []
    assert answer(prefix) == "opperlite 3.0.0: \n"


def test_it_takes_nothing_that_is_not_its_own(install: Run, tmp_path: Path, prefix: Path) -> None:
    path = archive(tmp_path / "from", "1.0.0")
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/opperlite").write_text("mine")
    refused(install(path), "is there already and not from this script")
    assert tree(prefix) == ["bin", "bin/opperlite"]
    (prefix / "bin/opperlite").unlink()
    (prefix / "share").write_text("a file")
    refused(install(path), "cannot be made")


@pytest.mark.parametrize("words", [["--prefix"], ["--frobnicate"], ["a.tar.gz", "b.tar.gz"], ["--use"]], ids=" ".join)
def test_a_wrong_call_ends_with_2(words: list[str], install: Run, prefix: Path) -> None:
    refused(install(*words), "", 2)
    assert not prefix.exists()


def test_the_archive_beside_the_script_is_the_default(tmp_path: Path, prefix: Path) -> None:
    folder = tmp_path / "release"
    archive(folder, "1.0.0")
    shutil.copy(SCRIPT, folder / "install.sh")
    words = ["sh", str(folder / "install.sh"), f"--prefix={prefix}"]
    assert subprocess.run(words, cwd="/", capture_output=True, check=True).stderr == b""
    assert answer(prefix) == "opperlite 1.0.0: \n"
    archive(folder, "2.0.0")
    ran = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
    refused(ran, "more than one archive", 2)


def test_it_fetches_nothing_and_says_how_it_is_called() -> None:
    text = SCRIPT.read_text("utf-8")
    assert not any(word in text for word in ("curl", "wget", "http:", "https:", "ftp"))
    shown = subprocess.run(["sh", str(SCRIPT), "--help"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage: install.sh ")
    for option in ("--prefix", "--list", "--use", "--uninstall"):
        assert option in shown
    assert os.access(SCRIPT, os.X_OK)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing_wrong() -> None:
    ran = subprocess.run(["shellcheck", "-s", "sh", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert ran.stdout == ""
