"""The pieces of work, small and without peers: each runs, and tells what was absent."""

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import backups, memory, uploads
from tests.benchmarks.peers import aimock, installation, litellm, moto, nginx
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import free_port, running


@pytest.fixture
def absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A machine where nothing is installed."""
    for module in (installation, nginx, aimock):
        monkeypatch.setattr(module, "program", lambda name: None)
    for module in (uploads, backups):
        monkeypatch.setattr(module, "after_sync", lambda: None)  # it would wait for what others write
    return Installation(tmp_path / "peers")


def test_peers_that_are_not_installed_are_none(absent: Installation, tmp_path: Path) -> None:
    with (
        aimock.serving(absent, tmp_path) as first,
        moto.serving(absent, tmp_path) as second,
        litellm.serving(absent, tmp_path, 100) as third,
        nginx.serving(tmp_path, tmp_path) as fourth,
    ):
        assert (first, second, third, fourth) == (None,) * 4
    assert absent.versions() == {}


def test_installed_peers_are_found_with_their_versions(absent: Installation) -> None:
    package = absent.folder / "node" / "node_modules" / aimock.PACKAGE
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": "1.43.0"}))
    (absent.folder / "python" / "lib" / "moto-5.2.5.dist-info").mkdir(parents=True)
    assert absent.versions() == {"moto": "5.2.5"}  # a Node package is nothing without node


def test_a_peer_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "print('hello')"]
    with (
        pytest.raises(AssertionError, match="a peer does not start:\nhello"),
        running("a peer", words, free_port(), tmp_path / "log"),
    ):
        pass


def test_uploads(absent: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LARGE": 1_000_000, "COUNT": 8, "LARGE_ROUNDS": 1, "SMALL_ROUNDS": 1}.items():
        monkeypatch.setattr(uploads, name, value)
    large, small, _, commits = uploads.rows(tmp_path, absent)
    assert large.value > 0
    assert small.skipped
    assert commits.theirs


def test_memory(absent: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SIZE", 2_000_000)
    assert [row.met for row in memory.rows(tmp_path, absent)] == [True, True]


def test_backups(absent: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "FILES", 20)
    monkeypatch.setattr(backups, "ROUNDS", 1)
    took, failed, p99 = backups.rows(tmp_path, absent)
    assert took.value > 0
    assert failed.met
    assert p99.theirs
