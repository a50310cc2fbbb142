"""A crash campaign: the process is killed at random moments while everything goes on, again and again on one folder.

After each restart every acknowledged file reads back, nothing that was not acknowledged is there except what a retried
key completes, the counters are true, every job ends, and the sweep leaves no orphan. `OPPERLITE_TEST_KILLS=300` makes
it as long as that; `OPPERLITE_TEST_SEED` begins with another seed.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.media import large_wave
from tests.e2e.processes import wait_until
from tests.e2e.server import Server, serving
from tests.truth import faults, orphans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folder is looked at while the server has it open")

KILLS = int(os.environ.get("OPPERLITE_TEST_KILLS", "3"))
SEED = int(os.environ.get("OPPERLITE_TEST_SEED", "1"))
FLAGS = ("--orphan-grace", "0.5", "--sweep-interval", "1s", "--jobs", "1", "--workers", "1", "--job-attempts", "100")
LANES = 3
KEPT = 60  # about as many files are there at each check, however long the campaign is
IMAGE = {"model": "local/image", "prompt": "a kite", "size": "256x256", "response_format": "url"}
VIDEO = {"model": "local/video", "prompt": "a kite", "parameters": {"duration": 1, "size": "320x180"}}


class Ledger:
    """What the server has acknowledged, and the requests whose replies were lost."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.files: dict[str, str] = {}  # id, sha256
        self.gone: set[str] = set()  # ids whose deletion was acknowledged
        self.doubtful: set[str] = set()  # ids whose deletion was asked
        self.jobs: dict[str, bool] = {}  # id, whether its cancelling was acknowledged
        self.broken: list[Callable[[Server], None]] = []  # what to ask again, with the same key
        self.read_back = 0  # times that a file was read back and was whole


class Lane(threading.Thread):
    """Random requests one after the other until the server is gone."""

    def __init__(self, server: Server, ledger: Ledger, seed: int) -> None:
        super().__init__()
        self._server = server
        self._ledger = ledger
        self._random = random.Random(seed)
        self.failures: list[BaseException] = []

    def run(self) -> None:
        try:
            while True:
                self._choose()()
        except requests.RequestException:
            return  # killed
        except BaseException as error:
            self.failures.append(error)

    def _choose(self) -> Callable[[], None]:
        if len(self._ledger.files) > KEPT and self._random.random() < 0.5:
            return self._remove
        return self._random.choice((self._upload, self._upload, self._image, self._video, self._remove, self._cancel))

    def _kept(self, ask: Callable[[Server], None]) -> None:
        try:
            ask(self._server)
        except requests.RequestException:
            with self._ledger.lock:
                self._ledger.broken.append(ask)
            raise

    def _key(self) -> dict[str, str]:
        return {"Idempotency-Key": f"{self._random.getrandbits(64):x}"}

    def _upload(self) -> None:
        data = b"".join(large_wave(self._random.choice((3_000, 300_000, 2_000_000)), seed=self._random.getrandbits(32)))
        key, sha256 = self._key(), hashlib.sha256(data).hexdigest()

        def ask(server: Server) -> None:
            reply = post(server, "/v3/files", headers=key, files={"file": (f"{sha256}.wav", data)})
            assert reply.status_code == 200, reply.text
            self._acknowledge(reply.json()["id"], sha256)

        self._kept(ask)

    def _image(self) -> None:
        key, body = self._key(), IMAGE | {"prompt": f"kite {self._random.getrandbits(32)}"}

        def ask(server: Server) -> None:
            reply = post(server, "/v3/images", headers=key, json=body)
            assert reply.status_code == 200, reply.text
            (item,) = reply.json()["data"]
            seen = requests.get(item["url"].replace(item["url"].split("/")[2], f"127.0.0.1:{server.port}"), timeout=30)
            if seen.status_code == 200:
                self._acknowledge(item["file_id"], hashlib.sha256(seen.content).hexdigest())

        self._kept(ask)

    def _video(self) -> None:
        key, body = self._key(), VIDEO | {"prompt": f"kite {self._random.getrandbits(32)}"}
        if len(self._ledger.jobs) > 20 * KILLS:
            return

        def ask(server: Server) -> None:
            reply = post(server, "/v3/videos", headers=key, json=body)
            assert reply.status_code == 202, reply.text
            with self._ledger.lock:
                self._ledger.jobs.setdefault(reply.json()["id"], False)

        self._kept(ask)
        time.sleep(0.3)  # not to queue more than can be made

    def _remove(self) -> None:
        with self._ledger.lock:
            mine = sorted(self._ledger.files)
            if not mine:
                return
            file_id = self._random.choice(mine)
            del self._ledger.files[file_id]
            self._ledger.doubtful.add(file_id)
        reply = requests.delete(
            f"{self._server.url}/v3/files/{file_id}", headers={"Authorization": "Bearer demo"}, timeout=30
        )
        assert reply.status_code == 204, reply.text
        self._ledger.gone.add(file_id)

    def _cancel(self) -> None:
        with self._ledger.lock:
            running = [job for job, cancelled in self._ledger.jobs.items() if not cancelled]
        if not running:
            return
        job = running[-1]
        reply = post(self._server, f"/v3/artifacts/{job}/cancel")
        assert reply.status_code == 200, reply.text
        if reply.json().get("cancelled"):
            self._ledger.jobs[job] = True

    def _acknowledge(self, file_id: str, sha256: str) -> None:
        with self._ledger.lock:
            assert file_id not in self._ledger.files
            self._ledger.files[file_id] = sha256


def post(server: Server, path: str, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
    headers = {"Authorization": "Bearer demo"} | (headers or {})
    return requests.post(server.url + path, headers=headers, timeout=30, **options)


def test_no_kill_loses_what_was_acknowledged(tmp_path: Path) -> None:
    ledger, chance = Ledger(), random.Random(SEED)
    for number in range(KILLS):
        with serving(tmp_path, *FLAGS) as server:
            check(server, ledger)
            lanes = [Lane(server, ledger, chance.getrandbits(32)) for _ in range(LANES)]
            for lane in lanes:
                lane.start()
            time.sleep(chance.uniform(0.05, 1.5))
            server.kill()
            for lane in lanes:
                lane.join()
            assert [failure for lane in lanes for failure in lane.failures] == [], number
        assert faults(server.data) == [], number
    with serving(tmp_path, *FLAGS) as server:
        check(server, ledger)
        for job, cancelled in ledger.jobs.items():
            status = server.ended_job(f"/v3/artifacts/{job}/status")
            assert status["status"] == ("failed" if cancelled else "completed") or status.get("cancelled"), status
        assert wait_until(lambda: orphans(server.data) == [], patience=10), orphans(server.data)
        assert faults(server.data) == []
        assert server.end()[0] == 0
        assert "Traceback" not in server.log
    ended = f"{len(ledger.jobs)} jobs ended, {sum(ledger.jobs.values())} of them cancelled"
    print(f"{KILLS} kills: files read back {ledger.read_back} times, {len(ledger.gone)} deleted, {ended}")
    assert len(ledger.files) + len(ledger.gone) > KILLS, "next to nothing was asked"


def check(server: Server, ledger: Ledger) -> None:
    """Finish what broke off, by its key; then exactly what was acknowledged is there, and whole."""
    broken, ledger.broken = ledger.broken, []
    for ask in broken:
        ask(server)
    for file_id, sha256 in ledger.files.items():
        link = server.get(f"/v3/files/{file_id}/content")
        assert link.status_code == 200, (file_id, link.text)
        assert hashlib.sha256(server.download(link.json()["url"])).hexdigest() == sha256
        ledger.read_back += 1
    listed = [file for file in all_files(server) if not file["filename"].startswith("gen_")]
    unknown = {file["id"] for file in listed} - set(ledger.files)
    assert unknown <= ledger.doubtful - ledger.gone, unknown
    assert {job["id"] for job in all_jobs(server)} == set(ledger.jobs)
    assert faults(server.data) == []


def all_files(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := server.get(f"/v3/files?limit=100&offset={len(found)}").json()["data"]:
        found += page
    return found


def all_jobs(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := server.get("/v3/artifacts?limit=100" + (f"&before={found[-1]['id']}" if found else "")).json()[
        "data"
    ]:
        found += page
    return found
