"""Administration and upkeep beside a real server: changes that hold at once, copies while uploads go on, a kill."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from opperlite.cli import cli
from tests.e2e.server import Server, command, environment, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")

_HOLDS_AFTER = 0.2  # seconds within which a server takes what a command changed; it asks ten times a second


def wave(size: int = 2000) -> bytes:
    """A WAV file of random samples: no two are the same."""
    held = io.BytesIO()
    held.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt ")
    held.write(struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + struct.pack("<I", size))
    return held.getvalue() + os.urandom(size)


def told(folder: Path, *words: str) -> Any:
    """What a command answers; it runs in the process of the tests, which is not that of the server."""
    ran = CliRunner(env=environment(folder)).invoke(cli, [*words, "--json"])
    assert ran.exit_code == 0, (words, ran.output)
    return json.loads(ran.stdout)


def only_project(folder: Path) -> dict[str, Any]:
    [project] = told(folder, "projects", "list")
    return dict(project)


class Traffic:
    """Uploads and deletes without pause in a thread of their own; what was acknowledged, and what was not."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kept: dict[str, bytes] = {}
        self.failures: list[str] = []
        self.done = 0

    def _run(self) -> None:
        while not self._stopped.is_set():
            data = wave()
            reply = self._server.upload(data, "a.wav")
            if reply.status_code != 200:
                self.failures.append(reply.text)
                continue
            self.done += 1
            self.kept[reply.json()["id"]] = data
            if len(self.kept) > 20:
                oldest = next(iter(self.kept))
                del self.kept[oldest]
                gone = self._server.request("DELETE", f"/v3/files/{oldest}")
                if gone.status_code != 204:
                    self.failures.append(gone.text)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()


def test_what_an_administrator_changes_holds_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.upload(wave(), "a.wav").status_code == 200
        project = only_project(tmp_path)

        told(tmp_path, "orgs", "set", project["organisation"], "--quota-files", "1")
        assert server.upload(wave(), "a.wav").status_code == 413
        told(tmp_path, "orgs", "set", project["organisation"], "--quota-files", "10")
        assert server.upload(wave(), "a.wav").status_code == 200

        told(tmp_path, "projects", "set", project["id"], "--zero-data-retention")
        time.sleep(_HOLDS_AFTER)
        assert server.upload(wave(), "a.wav").json()["status"] == "skipped"
        assert server.get("/v3/files").json()["meta"]["total"] == 2

        told(tmp_path, "projects", "set", project["id"], "--retention", "1s")
        time.sleep(1.1)
        assert server.get("/v3/files").json()["meta"]["total"] == 0


def test_a_revoked_key_is_refused_at_once(tmp_path: Path) -> None:
    made = told(tmp_path, "projects", "create", "web")
    key = told(tmp_path, "keys", "create", "--project", "web")
    with serving(tmp_path, "--auth", "keys", key=key["key"]) as server:
        assert server.get("/v3/files").status_code == 200
        [listed] = told(tmp_path, "keys", "list", "--project", made["id"])
        assert listed["last_used"] is not None
        told(tmp_path, "keys", "revoke", key["id"])
        assert server.get("/v3/files").status_code == 401


def test_copies_are_whole_while_uploads_and_deletes_go_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        keeper = {server.upload(data, "a.wav").json()["id"]: data for data in (wave(), wave(300_000))}
        with Traffic(server) as traffic:
            for number in range(2):
                done = told(tmp_path, "backup", str(tmp_path / f"{number}.tar"))
                assert done["lost"] == []
                assert told(tmp_path, "backup", f"{tmp_path}/backups/")["lost"] == []
            assert told(tmp_path, "export", only_project(tmp_path)["id"], str(tmp_path / "project.tar"))["lost"] == []
            looked = told(tmp_path, "doctor", "--port", "0")
        assert (looked["healthy"], looked["server"]) == (True, str(server.pid))
        assert traffic.failures == []
        assert traffic.done > 4  # on a busy machine; what matters is that it went on meanwhile
        assert command(tmp_path, "gc").returncode == 3
        code, _ = server.end()
        assert code == 0

    for place in ("0.tar", "1.tar", "backups"):
        target = tmp_path / f"from-{place}"
        told(tmp_path, "restore", str(tmp_path / place), "--data", str(target))
        assert told(tmp_path, "doctor", "--port", "0", "--data", str(target))["healthy"]
    told(tmp_path, "import", str(tmp_path / "project.tar"), "--data", str(tmp_path / "imported"))
    assert told(tmp_path, "doctor", "--port", "0", "--data", str(tmp_path / "imported"))["healthy"]

    with serving(tmp_path, "--data", str(tmp_path / "from-1.tar")) as restored:
        for file_id, data in keeper.items():
            link = restored.get(f"/v3/files/{file_id}/content").json()["url"]
            assert restored.download(link) == data


def test_after_a_kill_the_next_start_looks_and_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Traffic(server) as traffic:
        while traffic.done < 5:
            time.sleep(0.01)
        traffic.__exit__()
        server.kill()
    (tmp_path / "data" / "staging" / "left").touch()
    with serving(tmp_path) as server:
        assert "did not end properly; its database is sound" in server.log
        for file_id, data in traffic.kept.items():
            assert server.download(server.get(f"/v3/files/{file_id}/content").json()["url"]) == data
        assert server.end()[0] == 0
    assert told(tmp_path, "doctor", "--port", "0")["healthy"]
    assert told(tmp_path, "gc")["temporary"] == 1
    with serving(tmp_path) as server:
        assert server.log.count("did not end properly") == 1


def test_a_folder_that_cannot_be_served_says_why_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "opperlite.db").write_bytes(b"no database" * 1000)
    ran = command(tmp_path, "serve", "--port", "0")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.startswith("Error: The database is damaged")
    assert ran.stderr.count("\n") == 1
