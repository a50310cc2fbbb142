"""The server answers while it works, and stops working for callers that have gone."""

import contextlib
import json
import socket
import statistics
import sys
import time
from collections.abc import Iterator

import pytest

from tests.benchmarks.latencies import generating, latencies
from tests.e2e.processes import children, processor_seconds, wait_until
from tests.e2e.server import Server, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are looked at by the means of POSIX")

LONG = {"model": "local/image", "prompt": "a harbour with many boats", "size": "4096x4096", "n": 4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("responsive"), "--workers", "2", "--jobs", "2") as running:
        yield running


def test_health_answers_while_four_generations_run(server: Server) -> None:
    with generating(server) as made:
        assert len(children(server.pid)) >= 3  # those that make videos are not those that draw
        (took,) = latencies([server.port], 3)
    assert made[0] > 0
    assert len(took) > 50
    assert statistics.median(took) < 250  # milliseconds; the benchmark tells the figures


def test_an_image_whose_caller_has_gone_is_not_made(server: Server, key: str) -> None:
    assert server.post("/v3/images", {"model": "local/image", "prompt": "a boat"}).status_code == 200  # warm
    workers = children(server.pid)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = json.dumps(LONG)
        connection.sendall(
            (
                f"POST /v3/images HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )
        before = used(workers)
        assert wait_until(lambda: used(workers) > before + 0.1), "no worker takes it up"
    assert wait_until(lambda: idle(server), patience=6, every=0), "the work goes on"

    assert server.post("/v3/images", {"model": "local/image", "prompt": "a boat"}, key=key).status_code == 200
    assert server.get("/v3/files", key=key).json()["meta"]["total"] == 1  # nothing of the four was kept


def used(pids: list[int]) -> float:
    """Processor seconds of those that still live."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += processor_seconds(pid)
    return total


def idle(server: Server) -> bool:
    """Whether no worker uses the processor for a quarter of a second."""
    workers = children(server.pid)
    before = used(workers)
    time.sleep(0.25)
    return used(workers) - before <= 0.02 if workers == children(server.pid) else False


def test_a_cancelled_job_stops_its_worker(server: Server) -> None:
    job = server.submit({"model": "local/video", "prompt": "waves", "parameters": {"duration": 60, "size": "1280x720"}})
    assert wait_until(lambda: server.get(job["status_url"]).json()["progress"] > 0)
    assert server.post(f"/v3/artifacts/{job['id']}/cancel").json()["status"] == "failed"
    assert wait_until(lambda: idle(server), patience=6, every=0)
