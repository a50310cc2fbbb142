"""The self-test as a user runs it, and the probe, on real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from opperlite.selftest.client import every_route
from tests.e2e.server import PROGRAM, command, environment, serving

resource = pytest.importorskip("resource")  # which Windows does not have

PROCESSOR_SECONDS = 20.0  # ten seconds on two processors; other tests' load does not count


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the self-test told, with what it cost."""
    folder = tmp_path_factory.mktemp("selftest")
    (folder / "tmp").mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [*PROGRAM, "selftest", "--json"],
        env=environment(folder) | {"TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told: dict[str, Any] = json.loads(ran.stdout)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told | {"code": ran.returncode, "spent": spent, "left": list((folder / "tmp").iterdir()), "own": folder}


def test_everything_works_on_this_machine(report: dict[str, Any]) -> None:
    assert [one for one in report["checks"] if not one["works"]] == []
    assert (report["works"], report["code"]) == (True, 0)


def test_every_route_is_asked(report: dict[str, Any]) -> None:
    asked = {route for one in report["checks"] for route in one["routes"]}
    assert report["routes_not_asked"] == []
    assert set(every_route()) == asked


def test_it_is_quick_and_leaves_nothing(report: dict[str, Any]) -> None:
    assert report["spent"] < PROCESSOR_SECONDS
    assert report["left"] == []
    assert not (report["own"] / "data").exists()


# ------------------------------------------------------------------------------------------------- health


def test_the_probe_tells_whether_a_server_can_work(tmp_path: Path) -> None:
    with serving(tmp_path, "--public-url", "https://media.example.com:444") as server:
        told = json.loads((server.data / "server.json").read_text("utf-8"))
        here = f"http://127.0.0.1:{told['port']}"
        for words in ((), (here,), (f"http://localhost:{told['port']}/",)):
            ran = command(tmp_path, "health", *words)
            assert (ran.returncode, ran.stderr) == (0, ""), words
        shown = json.loads(command(tmp_path, "health", "--json").stdout)
        assert shown == {"url": here, "ready": True, "reason": None}
        assert command(tmp_path, "health", f"{here}/v3").stderr.startswith(f"{here}/v3 answers 404: ")
    ran = command(tmp_path, "health", "--port", str(told["port"]))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"{here} cannot be reached: Connection refused.\n"


def test_the_probe_does_not_wait_for_ever(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ran = command(tmp_path, "health", url, "--timeout", "0.2")
        assert (ran.returncode, ran.stderr) == (1, f"{url} did not answer within 0.2 s.\n")

        def chatter() -> None:
            with silent.accept()[0] as first, silent.accept()[0] as connection:
                first.recv(1000)
                connection.recv(1000)
                connection.sendall(b"220 mail\r\n")

        speaker = threading.Thread(target=chatter)
        speaker.start()
        ran = command(tmp_path, "health", url)
        speaker.join()
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    for url in ("ftp://localhost", "localhost:8080", "http://[::1"):
        ran = command(tmp_path, "health", url)
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
