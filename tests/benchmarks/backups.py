"""A backup of many files while uploads go on."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.load import Outcome, burst, drive
from tests.benchmarks.peers.installation import Installation, program
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.uploads import Small, after_sync
from tests.e2e.server import PROGRAM, Server, environment, serving

GROUP = "backup"
FILES = 10_000
_SIZE, ROUNDS, _FILLING, _MEANWHILE = 4_000, 3, 16, 4


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    seconds, copying, alone, beside = [], [], [], []
    with serving(folder, "--quota-files", "10000000", "--quota-bytes", "1TiB") as server:
        small = Small(server.port, server.key, _SIZE)
        burst(server.port, [small.upload() for _ in range(FILES)], _FILLING, 200)
        for turn in range(ROUNDS):
            after_sync()
            took, outcome = _backed_up(server, small, folder / f"backup-{turn}.tar")
            seconds.append(took)
            beside.append(outcome)
            copying.append(_copied(server.data, folder / "copy"))
            alone.append(_uploading(server, small, time.perf_counter() + took))
    name = f"backup of {FILES:,} files while uploads go on"
    sent = sum(outcome.requests for outcome in beside)
    copied = tuple(copying) if all(copying) else ()
    yield Row(GROUP, f"{name}: its time", "s", tuple(seconds), None, "", "cp -r alone, then sync", copied)
    note = f"of {sent:,} uploads"
    yield Row(GROUP, f"{name}: failed uploads", "", tuple(float(one.wrong) for one in beside), Aim("<=", 0), note)
    p99s, p99s_alone = (tuple(outcome.p99 for outcome in found) for found in (beside, alone))
    yield Row(GROUP, f"{name}: their p99", "ms", p99s, None, "", "without the backup", p99s_alone)


def _backed_up(server: Server, small: Small, target: Path) -> tuple[float, Outcome]:
    """Seconds that the backup took and what became of the uploads meanwhile; each backup is whole."""
    began = time.perf_counter()
    words = [*PROGRAM, "backup", "--json", str(target)]
    process = subprocess.Popen(words, env=environment(server.folder), stdout=subprocess.PIPE, text=True)
    ended: list[float] = []

    def requests() -> Iterator[bytes]:
        while process.poll() is None:
            yield small.upload()
        ended.append(time.perf_counter())

    outcome = drive(server.port, requests(), _MEANWHILE, 200)
    told, _ = process.communicate()
    assert process.returncode == 0, told
    assert json.loads(told)["added"] >= FILES, told
    target.unlink()
    return ended[0] - began, outcome


def _copied(data: Path, target: Path) -> float:
    """Seconds of copying the data folder as it lies there, which is no backup while it changes; 0 without cp."""
    if program("cp") is None:
        return 0.0
    after_sync()
    began = time.perf_counter()
    subprocess.run(["cp", "-r", str(data), str(target)], check=True)
    after_sync()
    took = time.perf_counter() - began
    shutil.rmtree(target)
    return took


def _uploading(server: Server, small: Small, until: float) -> Outcome:
    def requests() -> Iterator[bytes]:
        while time.perf_counter() < until:
            yield small.upload()

    return drive(server.port, requests(), _MEANWHILE, 200)
