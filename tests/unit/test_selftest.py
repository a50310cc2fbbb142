"""How the self-test tells of what works and what does not; what it tries is tried in tests/e2e."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from opperlite.adapters import workers
from opperlite.cli import cli
from opperlite.selftest import command, pictures, services
from opperlite.selftest.checks import CHECKS
from opperlite.selftest.client import every_route, route_of
from opperlite.selftest.running import Bench, Check


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["selftest", *words])


def told(result: Result, code: int) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_needs_of_a_check_stand_before_it() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for place, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:place])


def test_a_path_belongs_to_its_route() -> None:
    assert route_of("GET", "/v1/videos/characters/char_1") == "GET /v1/videos/characters/{character_id}"
    assert route_of("GET", "/v1/videos/video_1/content?variant=thumbnail") == "GET /v1/videos/{video_id}/content"
    assert route_of("GET", "/v1/models/openai/sora-2") == "GET /v1/models/{model}"
    assert route_of("GET", "/nowhere") == "GET /nowhere"
    assert "GET /nowhere" not in every_route()


def test_one_failure_leaves_the_rest_going(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(bench: Bench) -> None:
        await bench.client.get("/v3/files/file_unknown")

    async def wrong(bench: Bench) -> None:
        raise ZeroDivisionError

    async def late(bench: Bench) -> None:
        raise TimeoutError

    checks = (
        Check("broken", broken),
        Check("after", services.models, ("broken",)),
        Check("after that", services.models, ("after",)),
        Check("wrong", wrong),
        Check("late", late),
        Check("models", services.models),
    )
    monkeypatch.setattr(command, "CHECKS", checks)
    report = told(run("--json"), 1)
    rows = {one["name"]: one for one in report["checks"]}
    assert not report["works"]
    assert [name for name, row in rows.items() if row["works"]] == ["starting the server", "models"]
    assert [name for name, row in rows.items() if not row["tried"]] == ["after", "after that"]
    assert rows["broken"]["reason"].startswith("GET /v3/files/{file_id} answered 404 where 200 was due: ")
    assert "broken" in rows["after"]["reason"]
    assert rows["wrong"]["reason"] == "ZeroDivisionError"
    assert rows["late"]["reason"] == "it took longer than 60 s"
    assert all(row["remedy"] for row in rows.values() if not row["works"])
    assert rows["models"]["routes"][0] == "GET /v3/models"
    assert "POST /v3/files" in report["routes_not_asked"]
    assert list(temporary.iterdir()) == []

    text = run()
    assert text.exit_code == 1
    lines = text.output.splitlines()
    assert [line[:4].strip() for line in lines if line[:4].strip()][:7] == [
        *("ok", "FAIL", "skip", "skip", "FAIL", "FAIL", "ok"),
    ]
    assert lines[-1].startswith("5 of 7 do not work on this machine; ")
    assert "ZeroDivisionError" in run("--verbose").output
    assert "Traceback" not in text.output


def test_an_engine_that_does_not_run_here_is_told_so(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "worker_command", lambda: [sys.executable, "-c", "import os; os.abort()"])
    monkeypatch.setattr(command, "CHECKS", (Check("pictures", pictures.formats),))
    report = told(run("--json"), 1)
    [_, row] = report["checks"]
    assert "worker process died (SIGABRT)" in row["reason"] or sys.platform == "win32"
    assert "for this system and processor" in row["remedy"]
    assert report["log"] != []


def test_a_place_that_cannot_be_written_is_told_so(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    report = told(run("--json"), 1)
    assert [one["tried"] for one in report["checks"]] == [True] + [False] * len(CHECKS)
    assert "TMPDIR" in report["checks"][0]["remedy"]
    assert run().output.splitlines()[-1].startswith(f"{len(CHECKS) + 1} of {len(CHECKS) + 1} do not work")


def test_what_takes_too_long_is_given_up(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(bench: Bench) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr("opperlite.selftest.running._PATIENCE", 0.1)
    monkeypatch.setattr(command, "CHECKS", (Check("endless", endless),))
    report = told(run("--json"), 1)
    assert report["checks"][1]["reason"].startswith("it took longer than")
    assert report["seconds"] < 30


def test_settings_of_the_user_have_no_say(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPERLITE_DATA", str(temporary / "own"))
    monkeypatch.setenv("OPPERLITE_HOST", "203.0.113.1")
    monkeypatch.setattr(command, "CHECKS", (Check("models", services.models),))
    assert told(run("--json"), 0)["works"]
    assert not (temporary / "own").exists()
    assert os.listdir(temporary) == []
