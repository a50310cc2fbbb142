"""A backup of many files while uploads go on."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.load import Outcome, burst, drive
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.uploads import Small, after_sync
from tests.e2e.server import PROGRAM, Server, environment, serving

GROUP = "backup"
FILES = 10_000
_SIZE, ROUNDS, _FILLING, _MEANWHILE = 4_000, 3, 16, 4


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    seconds, alone, beside = [], [], []
    with serving(folder, "--quota-files", "10000000", "--quota-bytes", "1TiB") as server:
        small = Small(server.port, server.key, _SIZE)
        burst(server.port, [small.upload() for _ in range(FILES)], _FILLING, 200)
        for turn in range(ROUNDS):
            after_sync()
            took, outcome = _backed_up(server, small, folder / f"backup-{turn}.tar")
            seconds.append(took)
            beside.append(outcome)
            alone.append(_uploading(server, small, time.perf_counter() + took))
    name = f"backup of {FILES:,} files while uploads go on"
    sent = sum(outcome.requests for outcome in beside)
    yield Row(GROUP, f"{name}: its time", "s", tuple(seconds))
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


def _uploading(server: Server, small: Small, until: float) -> Outcome:
    def requests() -> Iterator[bytes]:
        while time.perf_counter() < until:
            yield small.upload()

    return drive(server.port, requests(), _MEANWHILE, 200)
