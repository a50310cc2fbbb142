"""The one-file program unpacks itself once, whatever happens meanwhile, and says in one line why it cannot.

`OPPERLITE_TEST_PROGRAM` names a one-file program. Most tests take its launcher alone and put a small program of their
own behind it, so that they are quick.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import server
from tests.e2e.processes import wait_until
from tests.e2e.server import BUILT, PATIENCE

PROGRAM = Path(server.PROGRAM[0])

MAGIC = b"opperlite-bundle"
TRAILER = struct.Struct("<16sQQQ64s64s")  # struct Trailer of packaging/launcher.c
CANNOT_START = 5
DAY = 86400


def trailer_of(program: Path) -> tuple[bytes, int, int, int, bytes, bytes] | None:
    """The trailer of a one-file program; None for any other program."""
    with program.open("rb") as file:
        file.seek(max(0, program.stat().st_size - TRAILER.size))
        found = file.read()
    return TRAILER.unpack(found) if found.startswith(MAGIC) and len(found) == TRAILER.size else None


pytestmark = pytest.mark.skipif(
    BUILT is None or trailer_of(PROGRAM) is None, reason="OPPERLITE_TEST_PROGRAM names no one-file program"
)


def frame(data: bytes) -> bytes:
    """One zstd frame that holds the data as it is (RFC 8878, 3.1.1)."""
    blocks = [data[start : start + 100_000] for start in range(0, len(data), 100_000)] or [b""]
    frame = b"\x28\xb5\x2f\xfd" + b"\xe0" + len(data).to_bytes(8, "little")
    for number, block in enumerate(blocks):
        frame += (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") + block
    return frame


def bundle(target: Path, script: str = 'echo "$0"', *, build: str = "1.0-a", size: int | None = None) -> Path:
    """A one-file program with a shell script in place of the folder build; `size` is what it says that it takes."""
    whole = PROGRAM.read_bytes()
    found = trailer_of(PROGRAM)
    assert found is not None
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folder = tarfile.TarInfo("lib")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, text, mode in (("lib/data", "x" * 5000, 0o644), ("opperlite", f"#!/bin/sh\n{script}\n", 0o755)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), mode
            archive.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("lib/link")
        link.type, link.linkname = tarfile.SYMTYPE, "data"
        archive.addfile(link)
    payload, launcher = frame(held.getvalue()), whole[: found[1]]
    needs = size if size is not None else len(held.getvalue())
    end = TRAILER.pack(MAGIC, len(launcher), len(payload), needs, build.encode(), b"glibc 9.99 or newer")
    target.write_bytes(launcher + payload + end)
    target.chmod(0o755)
    return target


def start(program: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *words], env=env, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def refused(ran: subprocess.CompletedProcess[str]) -> str:
    """The one line of a start that failed."""
    assert (ran.returncode, ran.stdout) == (CANNOT_START, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def builds(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one-file program, which prints its own path."""
    return bundle(tmp_path_factory.mktemp("small") / "opperlite")


# -------------------------------------------------------------------------------------------------- places


def test_the_first_start_unpacks_and_later_ones_do_not(program: Path, cache: Path) -> None:
    ran = start(program, OPPERLITE_CACHE=str(cache))
    assert (ran.returncode, ran.stderr) == (0, "")
    unpacked = Path(ran.stdout.strip())
    assert unpacked == cache / "1.0-a" / "opperlite"
    assert (unpacked.parent / "lib" / "link").read_text() == "x" * 5000
    assert stat.S_IMODE(cache.stat().st_mode) == stat.S_IMODE(unpacked.stat().st_mode) == 0o700
    before = unpacked.stat()
    assert start(program, OPPERLITE_CACHE=str(cache)).returncode == 0
    assert (unpacked.stat().st_ino, unpacked.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_words_environment_and_exit_code_pass_through(tmp_path: Path, cache: Path) -> None:
    script = '[ "$1" = --version ] && exit; echo "$# $2 $MARK"; umask; exit 3'
    program = bundle(tmp_path / "opperlite", script)
    os.umask(before := os.umask(0o22))
    ran = start(program, "a", "b  c", OPPERLITE_CACHE=str(cache), MARK="m")
    assert ran.returncode == 3
    assert ran.stdout.splitlines()[0] == "2 b  c m"
    assert int(ran.stdout.splitlines()[1], 8) == before


def test_the_cache_is_looked_for_where_caches_are(program: Path, tmp_path: Path) -> None:
    own, home = tmp_path / "own", tmp_path / "home"
    assert start(program, XDG_CACHE_HOME=str(own), HOME=str(home)).stdout.startswith(f"{own}/opperlite/")
    assert start(program, HOME=str(home)).stdout.startswith(f"{home}/.cache/opperlite/")
    assert "absolute" in refused(start(program, OPPERLITE_CACHE="here"))


def test_without_any_environment_it_is_below_var_tmp(tmp_path: Path) -> None:
    build = f"test-{os.getpid()}"
    place = Path(f"/var/tmp/opperlite-{os.geteuid()}")
    there = place.exists()
    try:
        assert start(bundle(tmp_path / "opperlite", build=build)).stdout.strip() == str(place / build / "opperlite")
    finally:
        shutil.rmtree(place / build if there else place, ignore_errors=True)


def test_a_home_that_cannot_be_written_gives_way(tmp_path: Path, program: Path) -> None:
    """To the next place; what was named with the setting does not."""
    (tmp_path / "file").touch()
    ran = start(program, HOME=str(tmp_path / "file"))
    try:
        assert ran.stdout.startswith("/var/tmp/opperlite-")
    finally:
        shutil.rmtree(Path(ran.stdout.strip()).parent, ignore_errors=True)
    line = refused(start(program, OPPERLITE_CACHE=str(tmp_path / "file" / "cache")))
    assert "Not a directory" in line
    assert "OPPERLITE_CACHE" in line


def test_a_folder_that_others_can_write_is_refused(program: Path, cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert "can be written by other users" in refused(start(program, OPPERLITE_CACHE=str(cache)))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("below", ["", "1.0-a"])
def test_a_folder_of_another_user_is_refused(below: str, program: Path, cache: Path) -> None:
    assert start(program, OPPERLITE_CACHE=str(cache)).returncode == 0
    os.chown(cache / below, 65534, 65534)
    assert "belongs to another user" in refused(start(program, OPPERLITE_CACHE=str(cache)))


# ------------------------------------------------------------------------------------------------- versions


def test_versions_stand_side_by_side_and_old_ones_go(tmp_path: Path, cache: Path) -> None:
    programs = [bundle(tmp_path / f"opperlite{n}", build=f"{n}.0-a") for n in range(5)]
    for number, program in enumerate(programs[:3]):
        assert start(program, OPPERLITE_CACHE=str(cache)).returncode == 0
        os.utime(cache / f"{number}.0-a" / "used", (time.time() - 60 + number,) * 2)
    assert builds(cache) == {"0.0-a", "1.0-a", "2.0-a"}
    assert start(programs[3], OPPERLITE_CACHE=str(cache)).returncode == 0
    assert builds(cache) == {"1.0-a", "2.0-a", "3.0-a"}, "two are kept beside the one that starts"
    os.utime(cache / "2.0-a" / "used", (time.time() - 31 * DAY,) * 2)
    assert start(programs[4], OPPERLITE_CACHE=str(cache)).returncode == 0
    assert builds(cache) == {"1.0-a", "3.0-a", "4.0-a"} or builds(cache) == {"3.0-a", "4.0-a"}


def test_a_version_that_runs_is_not_removed(tmp_path: Path, cache: Path) -> None:
    old = bundle(tmp_path / "old", '[ "$1" = --version ] || read line', build="0.1-a")
    running = subprocess.Popen([str(old)], env={"OPPERLITE_CACHE": str(cache)}, stdin=subprocess.PIPE)
    try:
        used = cache / "0.1-a" / "used"
        assert wait_until(used.exists)
        os.utime(used, (time.time() - 31 * DAY,) * 2)
        assert start(bundle(tmp_path / "new", build="0.2-a"), OPPERLITE_CACHE=str(cache)).returncode == 0
        assert builds(cache) == {"0.1-a", "0.2-a"}
    finally:
        running.communicate()
    assert start(bundle(tmp_path / "newer", build="0.3-a"), OPPERLITE_CACHE=str(cache)).returncode == 0
    assert builds(cache) == {"0.2-a", "0.3-a"}


# -------------------------------------------------------------------------------------------------- failures


def test_first_starts_at_the_same_time(tmp_path: Path, cache: Path) -> None:
    program = bundle(tmp_path / "opperlite", '[ "$1" = --version ] && echo tried >> "$LOG"; echo "$0"')
    with ThreadPoolExecutor(8) as pool:
        env = {"OPPERLITE_CACHE": str(cache), "LOG": str(tmp_path / "log")}
        ran = list(pool.map(lambda _: start(program, **env), range(8)))
    assert {one.stdout.strip() for one in ran} == {str(cache / "1.0-a" / "opperlite")}
    assert (tmp_path / "log").read_text() == "tried\n", "unpacked and tried out once"
    assert builds(cache) == {"1.0-a"}


def test_killed_while_it_unpacks(cache: Path) -> None:
    """At any moment: the next start is whole, and nothing of the killed one stays."""
    env = {"OPPERLITE_CACHE": str(cache)}
    for pause in (0.0, 0.05, 0.2):
        killed = subprocess.Popen([str(PROGRAM), "--version"], env=env, stdout=subprocess.DEVNULL)
        assert wait_until(lambda: cache.exists() and any(n.startswith(".new-") for n in builds(cache)), every=0.001)
        time.sleep(pause)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    ran = start(PROGRAM, "--version", **env)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("opperlite ")
    assert len(builds(cache)) == 1
    assert not any(name.startswith(".new-") for name in builds(cache))


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "trailer"])
def test_a_damaged_file(where: str, tmp_path: Path, cache: Path) -> None:
    data = bytearray(PROGRAM.read_bytes())
    found = trailer_of(PROGRAM)
    assert found is not None
    _, offset, length, *_ = found
    places = {
        "start": offset + 1,
        "middle": offset + length // 2,
        "end": offset + length - 2,
        "trailer": len(data) - 200,
    }
    if where == "cut":
        del data[len(data) // 2 :]
    else:
        data[places.get(where, len(data) - 200)] ^= 0x10
    program = tmp_path / "opperlite"
    program.write_bytes(data)
    program.chmod(0o755)
    line = refused(start(program, OPPERLITE_CACHE=str(cache)))
    assert line == f"Error: {program} is damaged: copy it again and compare it with SHA256SUMS"
    assert not cache.exists() or builds(cache) == set()


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, cache: Path) -> None:
    line = refused(start(bundle(tmp_path / "opperlite", size=1 << 50), OPPERLITE_CACHE=str(cache)))
    assert "MB free" in line
    assert builds(cache) == set()


def test_a_system_that_cannot_run_the_program(tmp_path: Path, cache: Path) -> None:
    script = 'echo "some talk" >&2; echo "libc.so.6: version GLIBC_9.99 not found" >&2; exit 1'
    line = refused(start(bundle(tmp_path / "opperlite", script), OPPERLITE_CACHE=str(cache)))
    assert "needs glibc 9.99 or newer" in line
    assert line.endswith("libc.so.6: version GLIBC_9.99 not found")
    assert builds(cache) == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte, on which nothing may be executed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    words = ["-t", "tmpfs", "-o", "noexec,size=1m,mode=700", "tmpfs", str(place)]
    if mount is None or subprocess.run([mount, *words], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_place_without_execution(small_disk: Path, program: Path) -> None:
    line = refused(start(program, OPPERLITE_CACHE=str(small_disk)))
    assert f"{small_disk} is mounted noexec" in line
    assert builds(small_disk) == set()


def test_a_disk_that_fills_up_while_it_unpacks(small_disk: Path, tmp_path: Path) -> None:
    """What the file says of its size does not help then."""
    subprocess.run(["mount", "-o", "remount,exec", str(small_disk)], check=True)
    data = bytearray(PROGRAM.read_bytes())
    found = trailer_of(PROGRAM)
    assert found is not None
    data[-TRAILER.size :] = TRAILER.pack(*found[:3], 0, *found[4:])
    program = tmp_path / "opperlite"
    program.write_bytes(data)
    program.chmod(0o755)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    line = refused(start(program, OPPERLITE_CACHE=str(small_disk)))
    assert "No space left on device" in line
    assert builds(small_disk) == set()
