"""The conformance suite of Upkeep, beside a store that is open."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.adapters.upkeep_sqlite import SqliteUpkeep
from opperlite.domain.errors import StorageFailed
from opperlite.domain.ports import MetadataStore, Upkeep
from opperlite.domain.types import BlobRef, Miscount, Transcript
from tests.contracts.test_metadata import T0, a_file, a_job, organisation, project

Opener = Callable[[Path], AbstractAsyncContextManager[Upkeep]]
STORES = {"sqlite": lambda folder: SqliteMetadata.open(folder / "store.db")}
IMPLEMENTATIONS: dict[str, Opener] = {"sqlite": lambda folder: SqliteUpkeep.open(folder / "store.db", writable=True)}


@pytest.fixture(params=IMPLEMENTATIONS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    async with STORES[request.param](tmp_path) as opened:
        await opened.ensure_project(organisation(), project())
        yield opened


@pytest.fixture
async def upkeep(store: MetadataStore, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Upkeep]:
    async with IMPLEMENTATIONS["sqlite"](tmp_path) as opened:
        yield opened


def spoil(folder: Path, statement: str) -> None:
    """Change a row behind the store's back."""
    with closing(sqlite3.connect(folder / "store.db")) as connection, connection:
        connection.execute(statement)


async def all_blobs(upkeep: Upkeep, limit: int) -> list[BlobRef]:
    found: list[BlobRef] = []
    while page := await upkeep.blobs(found[-1].sha256 if found else "", limit):
        found += page
    return found


async def test_a_sound_store_has_nothing_to_tell(store: MetadataStore, upkeep: Upkeep) -> None:
    await store.add_files([a_file(), a_file(kind="temporary")], T0)
    await store.add_job(a_job(), 5)
    assert list(await upkeep.damage()) == []
    assert list(await upkeep.miscounts()) == []
    assert await upkeep.newest() == T0


async def test_wrong_counters_are_told_and_set_right(store: MetadataStore, upkeep: Upkeep, tmp_path: Path) -> None:
    await store.add_files([a_file(bytes=10), a_file(bytes=3, kind="temporary")], T0)
    await store.add_job(a_job(), 5)
    spoil(tmp_path, "UPDATE organisations SET used_bytes = 99, used_files = 0")
    spoil(tmp_path, "UPDATE projects SET files = 7, unfinished_jobs = 4")
    assert set(await upkeep.miscounts()) == {
        Miscount("org", "organisations.used_bytes", 99, 10),
        Miscount("org", "organisations.used_files", 0, 1),
        Miscount("proj", "projects.files", 7, 1),
        Miscount("proj", "projects.unfinished_jobs", 4, 1),
    }
    await upkeep.recount()
    assert list(await upkeep.miscounts()) == []
    assert (await store.usage("org", T0)).bytes == 10


async def test_a_row_without_its_project_is_damage(store: MetadataStore, upkeep: Upkeep, tmp_path: Path) -> None:
    await store.add_files([a_file()], T0)
    spoil(tmp_path, "UPDATE files SET project_id = 'nowhere'")
    assert len(await upkeep.damage()) == 1


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_blobs_are_told_once_each_in_pages(store: MetadataStore, upkeep: Upkeep, limit: int) -> None:
    shared = [a_file(sha256="a" * 64, bytes=5), a_file(sha256="a" * 64, bytes=5, kind="temporary")]
    await store.add_files([*shared, a_file(sha256="c" * 64, bytes=1)], T0)
    await store.add_job(a_job(inputs=("b" * 64, "c" * 64)), 5)
    assert await all_blobs(upkeep, limit) == [BlobRef("a" * 64, 5), BlobRef("b" * 64, -1), BlobRef("c" * 64, 1)]
    assert await upkeep.blob_total() == (3, 6)


async def test_a_forgotten_blob_takes_its_files_and_fails_its_jobs(store: MetadataStore, upkeep: Upkeep) -> None:
    file, job = a_file(), a_job(inputs=("b" * 64,))
    other = a_job(inputs=("c" * 64,))
    await store.add_files([file], T0)
    await store.add_job(job, 5)
    await store.add_job(other, 5)
    for sha256 in (file.sha256, "b" * 64):
        assert await upkeep.blob_wanted(sha256)
        await upkeep.forget_blob(sha256)
        assert not await upkeep.blob_wanted(sha256)
    await upkeep.recount()
    assert await store.file("proj", file.id, T0) is None
    failed = await store.job("proj", job.id)
    assert failed is not None
    assert (failed.state, bool(failed.error), failed.finished_at) == ("failed", True, T0)
    assert list(await store.unfinished_jobs(T0)) == [other.id]
    assert list(await upkeep.miscounts()) == []


async def test_a_project_is_told_in_pages_of_what_lives(store: MetadataStore, upkeep: Upkeep) -> None:
    await store.ensure_project(organisation(), project("other"))
    files = [a_file(), a_file(kind="temporary"), a_file()]
    await store.add_files([*files, a_file(expires_at=T0 + 1), a_file(project_id="other")], T0)
    ended, waiting = a_job(), a_job()
    for job in (ended, waiting):
        await store.add_job(job, 5)
    await store.cancel_job("proj", ended.id, T0 + 1)
    after, found = 0, []
    while page := await upkeep.files("proj", after, 2, T0 + 2):
        after = page[-1][0]
        found += [file for _, file in page]
    assert found == files
    assert [job.id for _, job in await upkeep.ended_jobs("proj", 0, 10)] == [ended.id]
    await store.save_transcript(files[0].sha256, Transcript("hi", "en", 1.0), T0)
    assert await upkeep.transcript(files[0].sha256) == Transcript("hi", "en", 1.0)
    assert await upkeep.transcript("0" * 64) is None


async def test_a_copy_is_of_one_moment_and_stands_alone(store: MetadataStore, upkeep: Upkeep, tmp_path: Path) -> None:
    before, after = a_file(), a_file()
    await store.add_files([before], T0)
    await upkeep.copy(tmp_path / "copy.db")
    await store.add_files([after], T0)
    assert {path.name for path in tmp_path.glob("copy*")} == {"copy.db"}
    async with SqliteMetadata.open(tmp_path / "copy.db") as copied:
        assert await copied.file("proj", before.id, T0) == before
        assert await copied.file("proj", after.id, T0) is None
    with pytest.raises(StorageFailed):
        await upkeep.copy(tmp_path / "copy.db")


@pytest.mark.parametrize("version", [0, 99])
async def test_a_database_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    async with SqliteMetadata.open(tmp_path / "store.db"):
        pass
    spoil(tmp_path, f"PRAGMA user_version = {version}")
    with pytest.raises(StorageFailed, match="newer" if version else "older"):
        async with SqliteUpkeep.open(tmp_path / "store.db"):
            pass


async def test_a_reading_one_makes_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        async with SqliteUpkeep.open(tmp_path / "missing.db"):
            pass
    assert list(tmp_path.iterdir()) == []
    async with SqliteMetadata.open(tmp_path / "store.db"):
        pass
    async with SqliteUpkeep.open(tmp_path / "store.db") as reading:
        with pytest.raises(StorageFailed, match="read-only"):
            await reading.recount()
