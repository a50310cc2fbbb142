"""A server that is killed amid its work and started again on the same folder loses nothing that it acknowledged."""

import hashlib
import os
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from tests.e2e import multipart
from tests.e2e.decoding import frames
from tests.e2e.media import large_wave
from tests.e2e.processes import children, running, wait_until
from tests.e2e.server import Server, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folder is looked at while the server has it open")

JOBS, UPLOADS, STALLED, LANES = 10, 50, 5, 5
KILLED_AFTER = 20  # uploads acknowledged
GRACE = 0.5
FLAGS = ("--orphan-grace", str(GRACE), "--sweep-interval", "1s")
VIDEO = {
    "model": "local/video",
    "prompt": "waves roll onto a beach",
    "parameters": {"duration": 2, "size": "640x360"},
}


class Uploads(threading.Thread):
    """Fifty uploads on five connections; the server is killed at the twentieth reply, others being under way."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._numbers = iter(range(UPLOADS))
        self._lock = threading.Lock()
        self.sent: dict[str, str] = {}  # name, sha256
        self.acknowledged: dict[str, str] = {}  # id, sha256

    def run(self) -> None:
        lanes = [threading.Thread(target=self._lane) for _ in range(LANES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _lane(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (number := self._next()) is not None:
                data = b"".join(large_wave(1_500_000 + 40_000 * number, seed=number))
                sha256 = hashlib.sha256(data).hexdigest()
                self.sent[f"{number}.wav"] = sha256
                try:
                    reply = session.post(
                        f"{self._server.url}/v3/files",
                        headers={"Authorization": f"Bearer {self._server.key}"},
                        files={"file": (f"{number}.wav", data)},
                        timeout=30,
                    )
                except requests.RequestException:
                    return  # killed meanwhile
                assert reply.status_code == 200, reply.text
                self.acknowledged[reply.json()["id"]] = sha256
                if len(self.acknowledged) >= KILLED_AFTER:
                    self._server.process.kill()


def stall(server: Server, stack: ExitStack) -> None:
    """Begin uploads that never get further than two mebibytes of three."""
    for number in range(STALLED):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        head, tail = multipart.part(f"stalled{number}.wav")
        whole = b"".join(large_wave(3 << 20, seed=1000 + number))
        request = multipart.request(server.port, server.key, len(head) + len(whole) + len(tail))
        connection.sendall(request + head + whole[: 2 << 20])


def test_a_kill_amid_ten_jobs_and_fifty_uploads_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, *FLAGS) as server, ExitStack() as stack:
        stall(server, stack)
        jobs = [server.submit(VIDEO | {"prompt": f"wave {number}"})["id"] for number in range(JOBS)]
        assert wait_until(lambda: amid(server, jobs), every=0.005), "the jobs do not start"
        workers = children(server.pid)
        uploads = Uploads(server)
        uploads.start()
        uploads.join()
        server.process.wait()
    assert KILLED_AFTER <= len(uploads.acknowledged) < len(uploads.sent) <= KILLED_AFTER + 2 * LANES
    assert wait_until(lambda: not any(map(running, workers)), patience=10), "workers outlive their server"
    assert any((server.data / "staging").iterdir()), "nothing was in the making"

    time.sleep(GRACE)  # so that the first sweep finds everything that the kill left old enough
    with serving(tmp_path, *FLAGS) as server:
        assert amid(server, jobs), "the kill did not come amid the jobs"
        files_are_whole(server, uploads)
        jobs_have_ended(server, jobs)
        for name, truth in (("counters", counters), ("blobs", blobs)):
            found: list[object] = []
            same = wait_until(equal(truth, server.data, found), patience=10)
            assert same, f"{name}: kept and true differ: {found[-1]}"
        assert wait_until(lambda: not list((server.data / "staging").iterdir()), patience=10)
        assert server.end()[0] == 0
        assert "Traceback" not in server.log


def amid(server: Server, jobs: list[str]) -> bool:
    """Whether the first job has been begun, and others are not completed yet."""
    status = [server.get(f"/v3/artifacts/{job}/status").json() for job in jobs]
    return sum(one["status"] == "processing" for one in status) >= 3 and "queue_position" not in status[0]


def files_are_whole(server: Server, uploads: Uploads) -> None:
    for file_id, sha256 in uploads.acknowledged.items():
        content = server.get(f"/v3/files/{file_id}/content").json()
        assert hashlib.sha256(server.download(content["url"])).hexdigest() == sha256
    # One whose reply was cut off by the kill may have been written already: then it is whole. Halves never are.
    page = server.get("/v3/files?limit=100").json()
    unacknowledged = [
        file
        for file in page["data"]
        if file["purpose"] == "reference_media"
        and file["mime_type"].startswith("audio/")
        and file["id"] not in uploads.acknowledged
    ]
    assert len(unacknowledged) <= LANES  # as many as were under way
    for file in unacknowledged:
        url = server.get(f"/v3/files/{file['id']}/content").json()["url"]
        assert hashlib.sha256(server.download(url)).hexdigest() == uploads.sent[file["filename"]]


def jobs_have_ended(server: Server, jobs: list[str]) -> None:
    for number, job in enumerate(jobs):
        status = server.ended_job(f"/v3/artifacts/{job}/status")
        assert status["status"] == "completed", status
        video = server.download(status["url"])
        if number in (0, JOBS - 1):
            assert (frames(video).width, frames(video).height) == (640, 360)


# ------------------------------------------------------------------------------------------- the folder


def equal(truth: Callable[[Path], tuple[object, object]], data: Path, found: list[object]) -> Callable[[], bool]:
    def same() -> bool:
        found.append(truth(data))
        kept, true = found[-1]  # type: ignore[misc]
        return bool(kept == true)

    return same


def rows(data: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{(data / 'opperlite.db').as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def counters(data: Path) -> tuple[object, object]:
    """What the counters say of each organisation and project, and what counting says."""
    kept = rows(data, "SELECT id, used_bytes, used_files FROM organisations ORDER BY id")
    kept += rows(data, "SELECT id, files FROM projects ORDER BY id")
    counted = rows(
        data,
        "SELECT o.id, coalesce(sum(f.bytes), 0), count(f.id) FROM organisations o "
        "LEFT JOIN files f ON f.organisation_id = o.id AND f.kind != 'temporary' GROUP BY o.id ORDER BY o.id",
    )
    counted += rows(
        data,
        "SELECT p.id, count(f.id) FROM projects p "
        "LEFT JOIN files f ON f.project_id = p.id AND f.kind != 'temporary' GROUP BY p.id ORDER BY p.id",
    )
    return kept, counted


def blobs(data: Path) -> tuple[object, object]:
    """The blobs that lie in the folder, and those that something names."""
    lying = {name for _, _, names in os.walk(data / "blobs") for name in names}
    named = {str(row[0]) for row in rows(data, "SELECT sha256 FROM files UNION SELECT sha256 FROM job_inputs")}
    return lying, named
