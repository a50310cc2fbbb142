"""What kind of machine a figure comes from."""

import contextlib
import os
import platform
import re
from pathlib import Path

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


def kind() -> str:
    """What the table says of the machine, such as `two cores, Linux x86-64`."""
    cores = _cores()
    word = _WORDS[cores] if cores < len(_WORDS) else str(cores)
    return f"{word} core{'s' if cores != 1 else ''}, {platform.system()} {platform.machine().replace('_', '-')}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description(folder: Path) -> dict[str, str]:
    """Processor, memory, system, Python, and the filesystem under `folder`."""
    usable = _cores()
    facts = {
        "processor": _found("/proc/cpuinfo", r"model name\s*: (.*)") or platform.processor() or platform.machine(),
        "cores": str(usable),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "filesystem": _filesystem(folder),
    }
    facts["load before"] = f"{_load():.2f}{'; others use this machine, so that times are too long' if busy() else ''}"
    return facts


def busy() -> bool:
    """Whether other work takes the processors now."""
    return _load() > _cores() / 4


def _load() -> float:
    """Processes that ran or waited to run during the last minute, on average; 0 where that is not told."""
    with contextlib.suppress(AttributeError, OSError):
        return os.getloadavg()[0]
    return 0.0


def _found(path: str, pattern: str) -> str | None:
    with contextlib.suppress(OSError):
        match = re.search(pattern, Path(path).read_text())
        return match[1] if match else None
    return None


def _memory() -> str:
    kib = _found("/proc/meminfo", r"MemTotal:\s*(\d+)")
    return f"{int(kib) / 1024**2:.1f} GiB" if kib else "unknown"


def _filesystem(folder: Path) -> str:
    """The type of the mount that holds `folder`: the longest mount point that is one of its parents."""
    best = ("", "unknown")
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, point, kind, *_ = line.split()
            if folder.resolve().is_relative_to(point) and len(point) > len(best[0]):
                best = (point, kind)
    return best[1]
