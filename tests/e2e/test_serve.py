"""`opperlite serve` as a real process: its start, its banner, its keys and its end."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from tests.e2e import multipart
from tests.e2e.decoding import frames
from tests.e2e.media import sine_wave
from tests.e2e.processes import children, running, wait_until
from tests.e2e.server import PATIENCE, PROGRAM, command, environment, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")

VIDEO = {"model": "local/video", "prompt": "waves", "parameters": {"duration": 3, "size": "640x360"}}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# ---------------------------------------------------------------------------------------- start and banner


def test_the_banner_tells_where_and_its_command_works_as_it_stands(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.banner.startswith("opperlite ")
        assert server.told("Data") == str(tmp_path / "data")
        assert server.told("Docs") == f"{server.url}/docs"
        assert server.told("Key").startswith("any bearer token")
        assert requests.get(f"{server.url}/health", timeout=PATIENCE).json() == {"status": "ok"}
        assert requests.get(server.told("Docs"), timeout=PATIENCE).status_code == 200

        line = re.search(r"^  (curl .*)$", server.banner, re.MULTILINE)
        assert line is not None
        if shutil.which("curl"):
            reply = subprocess.run(shlex.split(line[1]), capture_output=True, text=True, timeout=PATIENCE, check=True)
            url = json.loads(reply.stdout)["data"][0]["url"]
            assert requests.get(url, timeout=PATIENCE).content.startswith(b"\x89PNG")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_0_and_says_so_once(number: int, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        requests.get(f"{server.url}/health", timeout=PATIENCE)
        code, errors = server.end(number)
        assert code == 0
        assert errors.count("Stopping") == 1
        assert "Traceback" not in errors
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_signal_during_the_start_ends_with_0(tmp_path: Path) -> None:
    for delay in (0.15, 0.3):
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        assert b"Traceback" not in errors
        assert process.returncode in (0, -signal.SIGTERM)  # before Python itself is ready, the signal's default holds


def test_a_request_in_flight_is_finished(tmp_path: Path) -> None:
    """An upload whose second half comes after the signal is answered, and nothing new is let in."""
    with serving(tmp_path) as server:
        before, after = multipart.part("a.wav")
        body = before + sine_wave() + after
        head = multipart.request(server.port, "k", len(body))
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
            client.sendall(head + body[:500])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", server.port), timeout=1)
            client.sendall(body[500:])
            reply = b"".join(iter(lambda: client.recv(65536), b""))
        assert reply.startswith(b"HTTP/1.1 200"), reply
        assert server.process.wait(PATIENCE) == 0


def test_an_image_in_the_making_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        replies: list[requests.Response] = []
        body = {"model": "local/image", "prompt": "a harbour", "size": "2048x2048", "store": False}
        asking = threading.Thread(target=lambda: replies.append(server.post("/v3/images", body)))
        asking.start()
        assert wait_until(lambda: bool(children(server.pid)), every=0.005)
        code, _ = server.end()
        asking.join()
        assert replies[0].status_code == 200
        assert code == 0


def test_a_job_that_runs_is_finished_and_one_that_waits_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", "1") as server:
        jobs = [server.submit(VIDEO)["id"] for _ in range(2)]
        assert wait_until(lambda: server.get(f"/v3/artifacts/{jobs[0]}/status").json()["progress"] > 0, every=0.01)
        workers = children(server.pid)
        assert server.end()[0] == 0
        assert not any(map(running, workers))
    with serving(tmp_path, "--jobs", "1") as server:
        assert server.get(f"/v3/artifacts/{jobs[0]}/status").json()["status"] == "completed"
        status = server.ended_job(f"/v3/artifacts/{jobs[1]}/status")
        assert frames(server.download(status["url"])).count == 72


def test_a_stop_without_patience_puts_a_job_back_and_does_not_fail_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--shutdown-grace", "0s") as server:
        path = f"/v3/artifacts/{server.submit(VIDEO | {'parameters': {'duration': 6}})['id']}/status"
        assert wait_until(lambda: server.get(path).json()["progress"] > 0, every=0.01)
        began = time.monotonic()
        assert server.end()[0] == 0
        assert time.monotonic() - began < 5
    with serving(tmp_path, "--job-attempts", "1") as server:  # being put back is no attempt
        assert server.get(path).json()["status"] == "processing"
        assert server.ended_job(path)["status"] == "completed"


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(
            f"POST /v3/files HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer k\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n".encode()
        )
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        code, _ = server.end(signal.SIGINT)
        assert code == 130


# ------------------------------------------------------------------------------------------------- refusals


def test_a_data_folder_serves_one_server_and_then_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        second = command(tmp_path, "serve", "--port", "0")
        assert second.returncode == 3
        assert len(second.stderr.strip().splitlines()) == 1
        assert str(tmp_path / "data") in second.stderr
        assert server.end()[0] == 0
    with serving(tmp_path) as third:
        assert third.end()[0] == 0


def test_a_data_folder_that_cannot_be_made_ends_with_3(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    result = command(tmp_path, "serve", "--port", "0")
    assert result.returncode == 3
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_told_with_the_server_that_has_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        result = command(tmp_path / "other", "serve", "--port", str(server.port))
        assert result.returncode == 4
        assert f"Port {server.port} on 127.0.0.1 is taken" in result.stderr
        if sys.platform == "linux":
            assert f"Process {server.process.pid} has it: " in result.stderr
        assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_keys(host: str, tmp_path: Path) -> None:
    refused = command(tmp_path, "serve", "--port", "0", "--host", host)
    assert refused.returncode == 2
    assert "--auth keys" in refused.stderr
    assert "--open-to-network" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_an_address_of_the_network_is_served_with_keys_or_when_opened(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", "--auth", "keys") as server:
        assert server.get("/v3/files").status_code == 401
        assert server.get("/v3/files", key=server.told("Key").split()[0]).status_code == 200
        server.end()
    with serving(tmp_path, "--host", "0.0.0.0", "--open-to-network") as server:
        assert server.get("/v3/files").status_code == 200


# ---------------------------------------------------------------------------------------------------- keys


def test_keys_mode_makes_a_first_key_once_and_takes_only_keys(tmp_path: Path) -> None:
    with serving(tmp_path, "--auth", "keys") as server:
        key = server.told("Key").split()[0]
        assert key in re.findall(r"Bearer (\S+)\"", server.banner)
        assert requests.get(f"{server.url}/v3/files", headers=bearer(key), timeout=PATIENCE).status_code == 200
        assert requests.get(f"{server.url}/v3/files", headers=bearer("demo"), timeout=PATIENCE).status_code == 401
        server.end()
    with serving(tmp_path, "--auth", "keys") as server:
        assert key not in server.banner
        assert server.told("Key").endswith("made")
        assert requests.get(f"{server.url}/v3/files", headers=bearer(key), timeout=PATIENCE).status_code == 200


def test_keys_are_made_and_revoked_beside_a_running_server(tmp_path: Path) -> None:
    with serving(tmp_path, "--auth", "keys") as server:

        def status(key: str) -> int:
            return requests.get(f"{server.url}/v3/files", headers=bearer(key), timeout=PATIENCE).status_code

        created = json.loads(command(tmp_path, "keys", "create", "--name", "laptop", "--json").stdout)
        plain = command(tmp_path, "keys", "create").stdout.strip()
        assert (status(created["key"]), status(plain)) == (200, 200)

        listed = json.loads(command(tmp_path, "keys", "list", "--json").stdout)
        assert {row["id"]: row["name"] for row in listed}[created["id"]] == "laptop"
        assert all("key" not in row and created["key"] not in row.values() for row in listed)
        assert created["hint"] in command(tmp_path, "keys", "list").stdout

        assert command(tmp_path, "keys", "revoke", created["id"]).returncode == 0
        assert (status(created["key"]), status(plain)) == (401, 200)
        assert json.loads(command(tmp_path, "keys", "revoke", plain, "--json").stdout)["revoked"] is not None
        assert status(plain) == 401


@pytest.mark.parametrize("words", [["keys", "revoke", "key_unknown"], ["keys", "create", "--project", "proj_unknown"]])
def test_an_unknown_key_or_project_ends_with_1(words: Sequence[str], tmp_path: Path) -> None:
    result = command(tmp_path, *words)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert words[-1] in result.stderr
