"""What the system tells of a process and those that it started: memory, processor time, children."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LINUX = sys.platform == "linux"


def children(pid: int) -> list[int]:
    """The processes that `pid` started, and those that these started."""
    parents = _parents()
    found, seen = [], {pid}
    while added := [child for child, parent in parents.items() if parent in seen and child not in seen]:
        found += added
        seen.update(added)
    return found


def resident(pid: int) -> int:
    """Resident bytes of one process, its children not counted."""
    if LINUX:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return int(_ps("rss", pid)) * 1024


def processor_seconds(pid: int) -> float:
    """Seconds of processor that one process has used, its children not counted."""
    if LINUX:
        fields = _stat(Path(f"/proc/{pid}"))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    minutes, _, seconds = _ps("time", pid).rpartition(":")
    hours, _, minutes = minutes.rpartition(":")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def running(pid: int) -> bool:
    """Whether a process lives; one that has ended and was not waited for yet does not."""
    if LINUX:
        with contextlib.suppress(OSError):
            return _stat(Path(f"/proc/{pid}"))[0] != "Z"
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def paused(pids: list[int]) -> Iterator[None]:
    """Hold processes still, so that what they do costs nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def wait_until(condition: Callable[[], bool], patience: float = 30.0, every: float = 0.05) -> bool:
    """Wait for a condition; whether it came true in time."""
    limit = time.monotonic() + patience
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(every)
    return True


def _parents() -> dict[int, int]:
    if LINUX:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # one that has just ended
                found[int(folder.name)] = int(_stat(folder)[1])
        return found
    rows = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(pid): int(parent) for pid, parent in (row.split() for row in rows.splitlines())}


def _stat(folder: Path) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; the name before it may hold spaces (proc(5))."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _ps(column: str, pid: int) -> str:
    ran = subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return ran.stdout.strip()
