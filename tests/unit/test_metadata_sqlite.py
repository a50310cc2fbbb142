"""What is SQLite's own of the metadata store: migrations, group commit, damaged and newer files."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from opperlite.adapters import metadata_sqlite
from opperlite.adapters.metadata_sqlite import MIGRATIONS, SqliteMetadata, migrate
from opperlite.domain.errors import StorageFailed
from opperlite.domain.types import File, Organisation, Project

ORGANISATION = Organisation("org", "org", 1000, 100, 0.0)
PROJECT = Project("proj", "org", "proj", 1.0, 1.0, 0.0)


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        return sorted(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND sql NOT NULL")
        )


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def database_of(path: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database as the program left it when it had so many migrations."""
    connection = sqlite3.connect(path, isolation_level=None)
    with monkeypatch.context() as patch:
        patch.setattr(metadata_sqlite, "MIGRATIONS", MIGRATIONS[:steps])
        migrate(connection, path)
    connection.close()


@pytest.mark.parametrize("steps", range(len(MIGRATIONS) + 1))
async def test_every_earlier_version_becomes_the_newest(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, old = tmp_path / "fresh.db", tmp_path / "old.db"
    database_of(fresh, len(MIGRATIONS), monkeypatch)
    database_of(old, steps, monkeypatch)
    assert version(old) == steps
    async with SqliteMetadata.open(old) as store:
        await store.ensure_project(ORGANISATION, PROJECT)
    async with SqliteMetadata.open(old) as store:
        assert await store.project("proj") == PROJECT
    assert schema(old) == schema(fresh)
    assert version(old) == len(MIGRATIONS)


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with SqliteMetadata.open(path) as store:
        await store.ensure_project(ORGANISATION, PROJECT)
    newer = len(MIGRATIONS) + 1
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    with pytest.raises(StorageFailed, match=rf"schema {newer}; this one knows {len(MIGRATIONS)}"):
        async with SqliteMetadata.open(path):
            pass
    assert version(path) == newer


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    database_of(path, len(MIGRATIONS), monkeypatch)
    before = schema(path)
    monkeypatch.setattr(metadata_sqlite, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (id); SELECT broken FROM more"))
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path)
    connection.close()
    assert (schema(path), version(path)) == (before, len(MIGRATIONS))


async def test_two_processes_may_open_a_new_database_together(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def opened(name: str) -> None:
        async with SqliteMetadata.open(path, readers=1) as store:
            await store.ensure_project(ORGANISATION, Project(name, "org", name, 1.0, 1.0, 0.0))

    await asyncio.gather(*(opened(f"p{number}") for number in range(4)))
    async with SqliteMetadata.open(path) as store:
        assert {project.id for project in await store.projects()} == {"p0", "p1", "p2", "p3"}


async def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageFailed):
        async with SqliteMetadata.open(path):
            pass


async def test_a_folder_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StorageFailed):
        async with SqliteMetadata.open(tmp_path / "store.db"):
            pass


async def test_writes_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with SqliteMetadata.open(path) as store:
        commits: list[str] = []
        await store._writer.run(lambda connection: connection.set_trace_callback(commits.append))
        await asyncio.gather(
            *(store.ensure_project(ORGANISATION, Project(f"p{n}", "org", "n", 1.0, 1.0, 0.0)) for n in range(50))
        )
        assert len(await store.projects()) == 50
        assert 1 <= commits.count("COMMIT") <= 3


async def test_everything_is_flushed_to_the_disk_before_it_counts(tmp_path: Path) -> None:
    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        synchronous = await store._writer.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone())
        journal = await store._writer.run(lambda connection: connection.execute("PRAGMA journal_mode").fetchone())
    assert (synchronous[0], journal[0]) == (2, "wal")


async def test_closing_finishes_the_writes_of_callers_that_went_away(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with SqliteMetadata.open(path) as store:
        writes = [
            asyncio.create_task(store.ensure_project(ORGANISATION, Project(f"p{n}", "org", "n", 1.0, 1.0, 0.0)))
            for n in range(20)
        ]
        await asyncio.sleep(0)
        for write in writes:
            write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    with pytest.raises(StorageFailed, match="closed"):
        await store.ensure_project(ORGANISATION, PROJECT)
    async with SqliteMetadata.open(path) as store:
        assert len(await store.projects()) == 20


async def test_the_writer_survives_work_that_breaks_its_transaction(tmp_path: Path) -> None:
    async with SqliteMetadata.open(tmp_path / "store.db") as store:

        def spoil(connection: sqlite3.Connection) -> None:
            connection.execute("ROLLBACK")

        with pytest.raises(StorageFailed):
            await store._write(spoil)
        await store.ensure_project(ORGANISATION, PROJECT)
        assert await store.project("proj") == PROJECT


async def test_a_slow_disk_under_a_write_stops_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for rows that were never read nor for those in memory, whose freshness the writer's connection tells."""
    monkeypatch.setattr(metadata_sqlite, "_FRESH", 0.0)
    original, begun, go_on = metadata_sqlite._transaction, threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return original(*args)

    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        await store.ensure_project(ORGANISATION, PROJECT)
        file = File("file_1", "proj", "0" * 64, 1, "image/png", "a.png", "reference_media", "upload", 0.0, 9.0)
        await store.add_files([file], 0.0)
        assert await store.linked_file("file_1", 0.0) == file
        monkeypatch.setattr(metadata_sqlite, "_transaction", slow)
        ending = asyncio.create_task(store.end_file("proj", "file_1", 1.0))
        try:
            await asyncio.to_thread(begun.wait, 30)
            async with asyncio.timeout(10):
                assert await store.linked_file("file_1", 0.0) == file
        finally:
            go_on.set()
        assert await ending
        assert await store.linked_file("file_1", 1.0) is None
