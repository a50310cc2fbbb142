"""Seconds from the start of the process to the first answer, and what an idle server holds in memory."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.peers import aimock
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import free_port
from tests.benchmarks.rows import Aim, Row
from tests.e2e.processes import processor_seconds, resident
from tests.e2e.server import PROGRAM, environment

GROUP = "start"
MB = 1_000_000
_ROUNDS = 7
_PROJECT = Path(__file__).parents[2]
_BUILDS = {  # what `packaging/build.py` has made, if it has, and the seconds it may take to start
    "folder build": (_PROJECT / "build" / "folder" / "made" / "opperlite" / "opperlite", 0.35),
    "one file": (_PROJECT / "dist" / "opperlite", 0.45),
}
_REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    """Of the program as it is installed here; aimock in turns with it."""
    fresh: list[Start] = []
    later: list[Start] = []
    theirs: list[Start] = []
    for turn in range(_ROUNDS):
        own = folder / f"fresh{turn}"
        own.mkdir()
        for starts in (fresh, later):
            port = free_port()
            starts.append(_start([*PROGRAM, "serve", "--port", str(port)], port, own))
        port = free_port()
        if words := aimock.command(peers, own, port):
            theirs.append(_start(words, port, own))
    beside = tuple(start.seconds for start in theirs)
    for name, starts in (("first start, to the first 200", fresh), ("later start, to the first 200", later)):
        note = f"{statistics.median(start.processor for start in starts):.2f} s of processor"
        yield Row(GROUP, name, "s", tuple(start.seconds for start in starts), None, note, "aimock", beside)
    held, theirs_held = (tuple(start.held / MB for start in starts) for starts in (later, theirs))
    yield Row(GROUP, "resident when idle", "MB", held, Aim("<=", 60))
    yield Row(GROUP, "resident when idle", "MB", held, None, "", "aimock", theirs_held)
    bare = tuple(_bare() for _ in range(_ROUNDS))
    yield Row(GROUP, "python -c pass, alone", "s", bare)
    yield from _built(folder / "built")


def _built(folder: Path) -> Iterator[Row]:
    """Of the built programs, in turns with the source; the one file has unpacked itself before."""
    builds = {name: str(program) for name, (program, _) in _BUILDS.items() if program.is_file()}
    commands = {**{name: [program] for name, program in builds.items()}, "source": PROGRAM}
    found: dict[str, list[Start]] = {name: [] for name in commands}
    folder.mkdir()
    for _ in range(_ROUNDS + 1 if builds else 0):
        for name, words in commands.items():
            port = free_port()
            found[name].append(_start([*words, "serve", "--port", str(port)], port, folder))
    for name in builds:
        starts = found[name][1:]  # without the first, which made the data folder and unpacked
        source = statistics.median(start.seconds for start in found["source"][1:])
        used = statistics.median(start.processor for start in starts)
        note = f"{used:.2f} s of processor; from source {source:.2f} s"
        seconds, held = (tuple(start.seconds for start in starts), tuple(start.held / MB for start in starts))
        yield Row(GROUP, f"{name}, later start, to the first 200", "s", seconds, Aim("<=", _BUILDS[name][1]), note)
        yield Row(GROUP, f"{name}, resident when idle", "MB", held, Aim("<=", 60))


class Start(NamedTuple):
    """Seconds to the first 200, seconds of processor until then, and resident bytes half a second later."""

    seconds: float
    processor: float
    held: int


def _start(words: Sequence[str], port: int, folder: Path) -> Start:
    """Start a server that answers /health on a port, with all of its state in a folder, and end it again."""
    began = time.perf_counter()
    process = subprocess.Popen(words, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _answers(port):
            assert process.poll() is None, "the server ended"
            time.sleep(0.002)
        took, used = time.perf_counter() - began, processor_seconds(process.pid)
        time.sleep(0.5)
        return Start(took, used, resident(process.pid))
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(_REQUEST)
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    return False


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True, env=os.environ)
    return time.perf_counter() - began
