"""The conformance suite of MetadataStore: every implementation keeps every obligation of the port."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.domain.errors import IdempotencyInProgress, NotFound, QuotaExceeded, TooManyRequests
from opperlite.domain.ports import MetadataStore
from opperlite.domain.types import (
    Claim,
    File,
    Job,
    Key,
    Organisation,
    Project,
    Reply,
    Segment,
    Transcript,
    Usage,
    Warning,
    Word,
)

Opener = Callable[[Path], AbstractAsyncContextManager[MetadataStore]]
IMPLEMENTATIONS: dict[str, Opener] = {"sqlite": lambda folder: SqliteMetadata.open(folder / "store.db")}

T0 = 1_000_000.0
_numbers = itertools.count()


def organisation(name: str = "org", quota_bytes: int = 1000, quota_files: int = 100) -> Organisation:
    return Organisation(name, name, quota_bytes, quota_files, T0)


def project(name: str = "proj", owner: str = "org") -> Project:
    return Project(name, owner, name, 100.0, 50.0, T0, None, False)


def a_file(**members: object) -> File:
    number = next(_numbers)
    values: dict[str, object] = {
        "id": f"file_{number}",
        "project_id": "proj",
        "sha256": f"{number:064x}",
        "bytes": 10,
        "mime_type": "image/png",
        "filename": f"{number}.png",
        "purpose": "reference_media",
        "kind": "upload",
        "created_at": T0,
        "expires_at": T0 + 100,
    }
    return File(**(values | members))  # type: ignore[arg-type]


def a_job(**members: object) -> Job:
    values: dict[str, object] = {
        "id": f"gen_{next(_numbers)}",
        "project_id": "proj",
        "kind": "video",
        "model": "openai/sora-2",
        "provider": "openai",
        "order": b"order",
        "state": "queued",
        "created_at": T0,
    }
    return Job(**(values | members))  # type: ignore[arg-type]


@pytest.fixture(params=IMPLEMENTATIONS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    async with opener(tmp_path) as opened:
        await opened.ensure_project(organisation(), project())
        await opened.ensure_project(organisation(), project("other"))
        yield opened


# -------------------------------------------------------------------------------------- projects and keys


async def test_a_project_is_made_once_and_then_kept(store: MetadataStore) -> None:
    made = await store.ensure_project(organisation(), Project("new", "org", "first", 1.0, 2.0, T0, 3.0, True))
    again = await store.ensure_project(organisation(), Project("new", "org", "second", 9.0, 9.0, T0 + 9))
    assert made == again == await store.project("new") == Project("new", "org", "first", 1.0, 2.0, T0, 3.0, True)
    assert await store.project("unknown") is None
    assert {one.id for one in await store.projects()} == {"proj", "other", "new"}


async def test_making_a_project_at_the_same_time_makes_one(store: MetadataStore) -> None:
    made = await asyncio.gather(*(store.ensure_project(organisation("o"), project("p", "o")) for _ in range(20)))
    assert all(one == made[0] for one in made)
    assert [one.id for one in await store.projects()].count("p") == 1


async def test_a_key_is_found_by_its_hash_until_it_is_revoked(store: MetadataStore) -> None:
    key = Key("key_1", "proj", "name", b"\x00hash\xff", "opl_abc", T0)
    await store.add_key(key)
    assert await store.key_by_hash(b"\x00hash\xff") == (key, await store.project("proj"))
    assert await store.key_by_hash(b"another") is None
    await store.touch_key("key_1", T0 + 5)
    revoked = await store.revoke_key("key_1", T0 + 7)
    assert revoked is not None
    assert (revoked.revoked_at, revoked.last_used_at) == (T0 + 7, T0 + 5)
    assert await store.key_by_hash(b"\x00hash\xff") is None
    assert await store.revoke_key("key_1", T0 + 99) == revoked
    assert await store.revoke_key("unknown", T0) is None
    assert list(await store.keys()) == [revoked]


# -------------------------------------------------------------------------------------------------- files


async def test_a_file_belongs_to_its_project(store: MetadataStore) -> None:
    file = a_file()
    await store.add_files([file], T0)
    assert await store.file("proj", file.id, T0) == file
    assert await store.file("other", file.id, T0) is None
    assert await store.delete_file("other", file.id, T0) is None
    assert (await store.files("other", 10, 0, T0)).total == 0
    assert await store.file("proj", file.id, T0) == file


async def test_a_file_that_is_read_all_the_time_ends_in_time(store: MetadataStore) -> None:
    files = [a_file(expires_at=T0 + 100 + number) for number in range(3)]
    deleted, ended, expired = files
    await store.add_files(files, T0)
    stop = asyncio.Event()

    async def reading() -> None:
        while not stop.is_set():
            await asyncio.gather(*(store.linked_file(file.id, T0) for file in files))

    readers = [asyncio.create_task(reading()) for _ in range(4)]
    await asyncio.sleep(0.02)
    await store.delete_file("proj", deleted.id, T0)
    assert await store.linked_file(deleted.id, T0) is None
    assert await store.end_file("proj", ended.id, T0)
    assert await store.file("proj", ended.id, T0) is None
    assert await store.linked_file(expired.id, T0) == expired
    assert await store.linked_file(expired.id, expired.expires_at) is None
    await store.expired_files(expired.expires_at, 10)
    assert await store.linked_file(expired.id, T0) is None  # also for a clock that was set back
    await asyncio.sleep(0.02)
    assert [await store.linked_file(file.id, T0) for file in files] == [None, None, None]
    stop.set()
    await asyncio.gather(*readers)


async def test_deleting_gives_the_file_once(store: MetadataStore) -> None:
    file = a_file()
    await store.add_files([file], T0)
    gone = await asyncio.gather(*(store.delete_file("proj", file.id, T0) for _ in range(5)))
    assert [one for one in gone if one is not None] == [file]
    assert await store.file("proj", file.id, T0) is None
    assert await store.linked_file(file.id, T0) is None
    assert not await store.blob_wanted(file.sha256)


async def test_a_page_is_newest_first_with_the_total(store: MetadataStore) -> None:
    files = [a_file(created_at=T0 + number) for number in range(7)]
    for file in files:
        await store.add_files([file], T0)
    page = await store.files("proj", 3, 2, T0)
    assert page.total == 7
    assert list(page.files) == files[::-1][2:5]
    assert (await store.files("proj", 3, 7, T0)).files == ()
    assert (await store.files("unknown", 3, 0, T0)).total == 0


async def test_expiry_is_seen_at_once_and_everywhere(store: MetadataStore) -> None:
    short, long = a_file(expires_at=T0 + 10), a_file(expires_at=T0 + 11)
    await store.add_files([short, long], T0)
    assert await store.file("proj", short.id, T0 + 9.999) == short
    at = T0 + 10
    assert await store.file("proj", short.id, at) is None
    assert await store.linked_file(short.id, at) is None
    assert await store.delete_file("proj", short.id, at) is None
    page = await store.files("proj", 10, 0, at)
    assert (page.files, page.total) == ((long,), 1)
    assert await store.usage("org", at) == Usage(10, 1, 1000, 100)
    assert await store.blob_wanted(short.sha256), "until the sweep has removed its row"


async def test_the_sweep_gives_expired_rows_and_keeps_the_counters(store: MetadataStore) -> None:
    files = [a_file(expires_at=T0 + number) for number in range(1, 6)]
    await store.add_files(files, T0)
    temporary = a_file(kind="temporary", expires_at=T0 + 1)
    await store.add_files([temporary], T0)
    gone = [*await store.expired_files(T0 + 3, 2), *await store.expired_files(T0 + 3, 100)]
    assert {file.id for file in gone} == {temporary.id, *(file.id for file in files[:3])}
    assert await store.expired_files(T0 + 3, 100) == []
    assert (await store.usage("org", T0 + 3)).bytes == 20
    assert (await store.files("proj", 10, 0, T0 + 3)).total == 2


async def test_expired_files_free_the_quota_before_any_sweep(store: MetadataStore) -> None:
    await store.add_files([a_file(bytes=1000, expires_at=T0 + 10)], T0)
    with pytest.raises(QuotaExceeded):
        await store.add_files([a_file(bytes=1)], T0 + 9)
    await store.add_files([a_file(bytes=1000, expires_at=T0 + 99)], T0 + 10)
    assert (await store.usage("org", T0 + 10)).bytes == 1000


async def test_temporary_files_are_linked_but_not_listed_counted_or_usable(store: MetadataStore) -> None:
    file = a_file(kind="temporary", bytes=5000)
    await store.add_files([file], T0)
    assert await store.linked_file(file.id, T0) == file
    assert await store.file("proj", file.id, T0) is None
    assert await store.delete_file("proj", file.id, T0) is None
    assert (await store.files("proj", 10, 0, T0)).total == 0
    assert (await store.usage("org", T0)).bytes == 0
    assert await store.blob_wanted(file.sha256)


async def test_files_are_added_all_or_none(store: MetadataStore) -> None:
    with pytest.raises(QuotaExceeded) as caught:
        await store.add_files([a_file(bytes=600), a_file(bytes=600)], T0)
    assert caught.value.details["quota_bytes"] == 1000
    assert await store.usage("org", T0) == Usage(0, 0, 1000, 100)
    assert (await store.files("proj", 10, 0, T0)).total == 0


async def test_the_quota_counts_files_too(store: MetadataStore) -> None:
    await store.ensure_project(organisation("few", quota_files=2), project("p", "few"))
    await store.add_files([a_file(project_id="p"), a_file(project_id="p")], T0)
    with pytest.raises(QuotaExceeded):
        await store.add_files([a_file(project_id="p")], T0)


async def test_ten_adders_for_the_last_bytes_fill_the_quota_exactly(store: MetadataStore) -> None:
    await store.add_files([a_file(bytes=960)], T0)

    async def add() -> bool:
        try:
            await store.add_files([a_file(bytes=10)], T0)
        except QuotaExceeded:
            return False
        return True

    assert sum(await asyncio.gather(*(add() for _ in range(10)))) == 4
    assert await store.usage("org", T0) == Usage(1000, 5, 1000, 100)


async def test_a_failing_method_leaves_its_neighbours_alone(store: MetadataStore) -> None:
    """Methods that are committed together still succeed and fail one by one."""
    good = [a_file() for _ in range(10)]
    bad = [a_file(bytes=100_000) for _ in range(10)]
    outcomes = await asyncio.gather(
        *(store.add_files([file], T0) for pair in zip(good, bad, strict=True) for file in pair), return_exceptions=True
    )
    assert [isinstance(outcome, QuotaExceeded) for outcome in outcomes] == [False, True] * 10
    assert {file.id for file in (await store.files("proj", 100, 0, T0)).files} == {file.id for file in good}
    assert (await store.usage("org", T0)).files == 10


async def test_a_write_happens_though_its_caller_went_away(store: MetadataStore) -> None:
    files = [a_file() for _ in range(5)]
    tasks = [asyncio.create_task(store.add_files([file], T0)) for file in files]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    later = a_file()
    await store.add_files([later], T0)
    assert {file.id for file in (await store.files("proj", 10, 0, T0)).files} == {file.id for file in (*files, later)}


async def test_the_usage_is_right_at_every_moment_of_a_sweep(store: MetadataStore) -> None:
    """Between a file's expiry and its row's end the counters and the rows change; a reader sees one state."""
    await store.ensure_project(organisation("big", 10**9, 10**6), project("p", "big"))
    await store.add_files([a_file(project_id="p", expires_at=T0 + 1) for _ in range(300)], T0)
    kept = a_file(project_id="p", expires_at=T0 + 99)
    await store.add_files([kept], T0)
    seen: set[tuple[int, int]] = set()

    async def sweep() -> None:
        while await store.expired_files(T0 + 1, 5):
            pass

    sweeping = asyncio.create_task(sweep())
    while not sweeping.done():
        usage, page = await asyncio.gather(store.usage("big", T0 + 1), store.files("p", 10, 0, T0 + 1))
        seen.add((usage.files, page.total))
    assert seen == {(1, 1)}


async def test_what_was_written_is_there_after_opening_again(opener: Opener, tmp_path: Path) -> None:
    file, job = a_file(), a_job(inputs=("a" * 64,), warnings=(Warning("code", "message", {"index": 1}),))
    async with opener(tmp_path) as store:
        await store.ensure_project(organisation(), project())
        await store.add_files([file], T0)
        await store.add_job(job, 10)
    async with opener(tmp_path) as store:
        assert await store.file("proj", file.id, T0) == file
        assert await store.job("proj", job.id) == job
        assert await store.usage("org", T0) == Usage(10, 1, 1000, 100)


async def ids_of(store: MetadataStore, limit: int = 10, offset: int = 0, now: float = T0, **query: object) -> list[str]:
    return [file.id for file in (await store.files("proj", limit, offset, now, **query)).files]  # type: ignore[arg-type]


async def test_files_are_paged_by_cursor_order_and_purpose(store: MetadataStore) -> None:
    files = [a_file(purpose="ab"[number % 2]) for number in range(6)]
    await store.add_files([*files, a_file(kind="temporary")], T0)
    ids = [file.id for file in files]
    assert await ids_of(store) == ids[::-1]
    assert await ids_of(store, oldest_first=True) == ids
    assert await ids_of(store, 2, after=ids[3]) == [ids[2], ids[1]]
    assert await ids_of(store, 2, 1, after=ids[3], oldest_first=True) == [ids[5]]
    assert await ids_of(store, purpose="a") == [ids[4], ids[2], ids[0]]
    assert await ids_of(store, purpose="b", after=ids[2]) == [ids[1]]
    assert (await store.files("proj", 1, 0, T0, purpose="a", after=ids[0])).total == 3
    assert (await store.files("proj", 1, 0, T0, purpose="c")).total == 0
    assert (await store.files("other", 1, 0, T0, purpose="a")).total == 0
    for project_id, after in (("proj", "file_none"), ("other", ids[0])):
        with pytest.raises(NotFound):
            await store.files(project_id, 1, 0, T0, after=after)


async def test_purposes_are_counted_through_every_end(store: MetadataStore) -> None:
    async def total(now: float = T0) -> int:
        return (await store.files("proj", 1, 0, now, purpose="p")).total

    files = [a_file(purpose="p", expires_at=T0 + 10 + number) for number in range(4)]
    await store.add_files(files, T0)
    await store.delete_file("proj", files[3].id, T0)
    assert await total() == 3
    assert await total(T0 + 10) == 2
    await store.expired_files(T0 + 11, 10)
    assert await total() == 1
    await store.end_file("proj", files[2].id, T0)
    assert await total() == 0
    await store.expired_files(T0, 10)
    assert await total() == 0


async def test_an_ended_file_is_gone_for_all_but_the_sweep(store: MetadataStore) -> None:
    file, temporary = a_file(bytes=600), a_file(kind="temporary")
    await store.add_files([file, temporary], T0)
    assert not await store.end_file("other", file.id, T0)
    for one in (file, temporary):
        assert await store.end_file("proj", one.id, T0)
        assert not await store.end_file("proj", one.id, T0)
        assert await store.linked_file(one.id, T0) is None
        assert await store.blob_wanted(one.sha256)
    assert await store.file("proj", file.id, T0) is None
    assert (await store.usage("org", T0)).bytes == 0
    assert await ids_of(store) == []
    newest = a_file()
    await store.add_files([newest], T0)
    assert await ids_of(store, oldest_first=True, after=file.id) == [newest.id], "its place is known until it is swept"
    assert {one.id for one in await store.expired_files(T0, 10)} == {file.id, temporary.id}
    assert not await store.blob_wanted(file.sha256)


# --------------------------------------------------------------------------------------------------- jobs


async def taken(store: MetadataStore, job: Job, owner: str = "me", now: float = T0, attempts: int = 3) -> Job | None:
    return await store.take_job(job.id, owner, now, now + 60, attempts)


async def test_a_job_is_taken_by_one(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    outcomes = await asyncio.gather(*(taken(store, job, f"owner{number}") for number in range(10)))
    winners = [outcome for outcome in outcomes if outcome is not None]
    assert len(winners) == 1
    assert (winners[0].state, winners[0].attempts, winners[0].lease_until) == ("running", 1, T0 + 60)
    assert await store.job("proj", job.id) == winners[0]
    assert await store.job("other", job.id) is None
    assert await store.take_job("unknown", "me", T0, T0 + 60, 3) is None


async def test_a_job_whose_lease_ran_out_is_taken_again(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    await taken(store, job, "first")
    assert await taken(store, job, "second", T0 + 59.9) is None
    again = await taken(store, job, "second", T0 + 60)
    assert again is not None
    assert (again.owner, again.attempts) == ("second", 2)
    assert not await store.renew_lease(job.id, "first", T0 + 999)
    assert not await store.save_checkpoint(job.id, "first", "note")
    assert not await store.release_job(job.id, "first")
    ended = a_job(id=job.id, owner="first", state="completed", finished_at=T0 + 61)
    assert not await store.end_job(ended, a_file(), T0 + 61)
    assert (await store.usage("org", T0)).files == 0, "a loser's file is not written"


async def test_a_renewed_lease_holds(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    await taken(store, job, "me")
    assert await store.renew_lease(job.id, "me", T0 + 200)
    assert await taken(store, job, "thief", T0 + 199) is None
    assert await store.unfinished_jobs(T0 + 199) == []
    assert list(await store.unfinished_jobs(T0 + 200)) == [job.id]


async def test_a_checkpoint_meets_the_next_attempt(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    await taken(store, job)
    assert await store.save_checkpoint(job.id, "me", "upstream-42")
    again = await taken(store, job, "next", T0 + 60)
    assert again is not None
    assert again.checkpoint == "upstream-42"


async def test_a_released_job_waits_as_if_never_taken(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    await taken(store, job)
    assert await store.release_job(job.id, "me")
    assert await store.job("proj", job.id) == job
    assert not await store.release_job(job.id, "me")


async def test_a_job_that_was_taken_too_often_fails(store: MetadataStore) -> None:
    job = a_job(inputs=("b" * 64,))
    await store.add_job(job, 10)
    for attempt in range(3):
        assert await taken(store, job, now=T0 + attempt * 60) is not None
    assert await taken(store, job, now=T0 + 180) is None
    failed = await store.job("proj", job.id)
    assert failed is not None
    assert (failed.state, failed.finished_at, failed.owner) == ("failed", T0 + 180, None)
    assert failed.error
    assert not await store.blob_wanted("b" * 64)
    assert await store.unfinished_jobs(T0 + 999) == []


async def test_inputs_are_wanted_until_the_job_ends(store: MetadataStore) -> None:
    first, second = a_job(inputs=("c" * 64,)), a_job(inputs=("c" * 64, "d" * 64))
    await store.add_job(first, 10)
    await store.add_job(second, 10)
    await taken(store, second)
    await store.end_job(a_job(id=second.id, owner="me", state="failed", error="x", finished_at=T0), None, T0)
    assert await store.blob_wanted("c" * 64)
    assert not await store.blob_wanted("d" * 64)
    await store.cancel_job("proj", first.id, T0)
    assert not await store.blob_wanted("c" * 64)


async def test_a_job_ends_together_with_its_file(store: MetadataStore) -> None:
    job, file = a_job(), a_file(kind="generated")
    await store.add_job(job, 10)
    await taken(store, job)
    ended = a_job(
        id=job.id,
        owner="me",
        state="completed",
        progress=1.0,
        file_id=file.id,
        mime_type="video/mp4",
        finished_at=T0 + 5,
        warnings=(Warning("storage_skipped", "words", {"reason": "quota_exceeded", "index": 0}),),
    )
    assert await store.end_job(ended, file, T0 + 5)
    stored = await store.job("proj", job.id)
    assert stored is not None
    assert (stored.state, stored.file_id, stored.owner, stored.warnings) == (
        "completed",
        file.id,
        None,
        ended.warnings,
    )
    assert await store.file("proj", file.id, T0) == file
    assert not await store.end_job(ended, a_file(), T0 + 6), "it ends once"


async def test_a_file_over_the_quota_leaves_the_job_running(store: MetadataStore) -> None:
    job = a_job()
    await store.add_job(job, 10)
    await taken(store, job)
    ended = a_job(id=job.id, owner="me", state="completed", finished_at=T0)
    with pytest.raises(QuotaExceeded):
        await store.end_job(ended, a_file(bytes=10_000), T0)
    assert (await store.job("proj", job.id)).state == "running"  # type: ignore[union-attr]
    assert await store.end_job(ended, a_file(bytes=10_000, kind="temporary"), T0)


async def test_cancelling_ends_what_has_not_ended(store: MetadataStore) -> None:
    queued, running, done = a_job(), a_job(), a_job()
    for job in (queued, running, done):
        await store.add_job(job, 10)
    await taken(store, running)
    await taken(store, done)
    await store.end_job(a_job(id=done.id, owner="me", state="completed", finished_at=T0), None, T0)
    for job in (queued, running):
        cancelled = await store.cancel_job("proj", job.id, T0 + 1)
        assert cancelled is not None
        assert (cancelled.state, cancelled.cancelled, cancelled.finished_at) == ("failed", True, T0 + 1)
        assert await store.cancel_job("proj", job.id, T0 + 9) == cancelled
    assert (await store.cancel_job("proj", done.id, T0 + 1)).state == "completed"  # type: ignore[union-attr]
    assert await store.cancel_job("other", done.id, T0) is None
    assert await store.cancel_job("proj", "unknown", T0) is None
    assert not await store.renew_lease(running.id, "me", T0 + 99)
    assert await taken(store, queued) is None


async def test_a_foreign_project_cancels_nothing(store: MetadataStore) -> None:
    job = a_job(inputs=("e" * 64,))
    await store.add_job(job, 10)
    assert await store.cancel_job("other", job.id, T0) is None
    assert await store.job("proj", job.id) == job
    assert await store.blob_wanted("e" * 64)


async def test_a_project_may_have_so_many_unfinished_jobs(store: MetadataStore) -> None:
    jobs = [a_job() for _ in range(3)]
    outcomes = await asyncio.gather(*(store.add_job(job, 2) for job in jobs), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Job, Job, TooManyRequests]
    assert await store.job("proj", jobs[2].id) is None
    await store.add_job(a_job(project_id="other"), 2)
    await store.cancel_job("proj", jobs[0].id, T0)
    await store.add_job(jobs[2], 2)
    for _ in range(2):
        with pytest.raises(TooManyRequests):
            await store.add_job(a_job(), 2)


async def test_the_count_of_unfinished_jobs_follows_every_way_to_end(store: MetadataStore) -> None:
    async def room() -> int:
        """How many more jobs fit under a limit of 3."""
        added = []
        for _ in range(4):
            try:
                await store.add_job(job := a_job(), 3)
            except TooManyRequests:
                break
            added.append(job)
        for job in added:
            await store.cancel_job("proj", job.id, T0)
        return len(added)

    assert await room() == 3
    for way in ("end", "end queued", "wear out", "cancel twice", "release"):
        job = a_job()
        await store.add_job(job, 3)
        assert await room() == 2, way
        match way:
            case "end":
                await taken(store, job)
                ended = a_job(id=job.id, owner="me", state="failed", error="x", finished_at=T0)
                assert await store.end_job(ended, None, T0)
                assert not await store.end_job(ended, None, T0)
            case "end queued":
                assert await store.end_job(a_job(id=job.id, state="failed", error="x", finished_at=T0), None, T0)
            case "wear out":
                await taken(store, job, attempts=1)
                assert await taken(store, job, now=T0 + 60, attempts=1) is None
            case "cancel twice":
                await store.cancel_job("proj", job.id, T0)
                await store.cancel_job("proj", job.id, T0)
            case "release":
                await taken(store, job)
                await store.release_job(job.id, "me")
                assert await room() == 2
                await store.cancel_job("proj", job.id, T0)
        assert await room() == 3, way


async def test_unfinished_jobs_come_oldest_first(store: MetadataStore) -> None:
    jobs = [a_job() for _ in range(5)]
    for job in jobs:
        await store.add_job(job, 10)
    await taken(store, jobs[1])
    await store.cancel_job("proj", jobs[2].id, T0)
    assert list(await store.unfinished_jobs(T0)) == [jobs[0].id, jobs[3].id, jobs[4].id]
    assert await store.reset_leases() == 1
    assert list(await store.unfinished_jobs(T0)) == [jobs[0].id, jobs[1].id, jobs[3].id, jobs[4].id]
    assert await taken(store, jobs[1], "next") is not None


async def test_records_of_ended_jobs_end(store: MetadataStore) -> None:
    old, new, waiting = a_job(), a_job(), a_job()
    for job in (old, new, waiting):
        await store.add_job(job, 10)
    await store.cancel_job("proj", old.id, T0)
    await store.cancel_job("proj", new.id, T0 + 10)
    assert await store.expired_jobs(T0 + 5, 100) == 1
    assert await store.job("proj", old.id) is None
    assert await store.job("proj", new.id) is not None
    assert await store.job("proj", waiting.id) is not None


# -------------------------------------------------------------------------------------------- idempotency


async def test_a_key_is_claimed_by_one(store: MetadataStore) -> None:
    outcomes = await asyncio.gather(
        *(store.claim_reply("proj", "key", T0, T0 - 100) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, IdempotencyInProgress) for outcome in outcomes) == 4
    (claim,) = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
    assert (claim.again, claim.reply) == (False, None)
    assert len(claim.token) >= 16


async def test_a_saved_reply_comes_back_to_its_project_alone(store: MetadataStore) -> None:
    reply = Reply(202, "application/json", b"\x00\xff{}")
    first = await store.claim_reply("proj", "key", T0, T0 - 100)
    await store.save_reply("proj", "key", b"print", reply)
    assert await store.claim_reply("proj", "key", T0 + 50, T0 - 50) == Claim(first.token, True, b"print", reply)
    others = [
        await store.claim_reply("other", "key", T0 + 50, T0 - 50),
        await store.claim_reply("proj", "another", T0 + 50, T0 - 50),
    ]
    assert [(other.again, other.reply) for other in others] == [(False, None)] * 2
    assert len({first.token, *(other.token for other in others)}) == 3


async def test_old_replies_are_forgotten(store: MetadataStore) -> None:
    first = await store.claim_reply("proj", "key", T0, T0 - 100)
    await store.save_reply("proj", "key", b"print", Reply(200, "", b""))
    second = await store.claim_reply("proj", "key", T0 + 101, T0 + 1)
    assert (second.again, second.reply) == (False, None)
    assert second.token != first.token
    await store.save_reply("proj", "key", b"new", Reply(200, "", b""))
    await store.sweep_replies(T0 + 101)
    assert (await store.claim_reply("proj", "key", T0 + 102, T0)).fingerprint == b"new"
    await store.sweep_replies(T0 + 102)
    assert (await store.claim_reply("proj", "key", T0 + 103, T0)).reply is None


@pytest.mark.parametrize("everything", [False, True])
async def test_a_released_key_is_taken_again_by_its_token(store: MetadataStore, everything: bool) -> None:
    done = await store.claim_reply("proj", "done", T0, T0 - 100)
    await store.save_reply("proj", "done", b"print", Reply(200, "", b""))
    failed = await store.claim_reply("proj", "failed", T0, T0 - 100)
    for _ in range(2):
        if everything:
            await store.release_claims()
        else:
            await store.release_claim("proj", "failed")
            await store.release_claim("proj", "done")
        assert await store.claim_reply("proj", "failed", T0, T0 - 100) == Claim(failed.token, True)
        with pytest.raises(IdempotencyInProgress):
            await store.claim_reply("proj", "failed", T0, T0 - 100)
    assert await store.claim_reply("proj", "done", T0, T0) == Claim(done.token, True, b"print", Reply(200, "", b""))


async def test_adding_a_file_again_changes_nothing(store: MetadataStore) -> None:
    first = a_file(bytes=600)
    assert list(await store.add_files([first], T0)) == [first]
    changed = msgspec.structs.replace(first, sha256="f" * 64, bytes=900)
    assert list(await store.add_files([changed], T0)) == [first]
    assert await store.file("proj", first.id, T0) == first
    assert (await store.usage("org", T0)).bytes == 600


async def test_adding_a_job_again_changes_nothing(store: MetadataStore) -> None:
    job = a_job()
    assert await store.add_job(job, 1) == job
    taken = await store.take_job(job.id, "runner", T0, T0 + 60, 3)
    assert await store.add_job(msgspec.structs.replace(job, model="other"), 1) == taken
    with pytest.raises(TooManyRequests):
        await store.add_job(a_job(), 1)


async def test_only_an_ended_job_is_deleted(store: MetadataStore) -> None:
    jobs = [a_job() for _ in range(3)]
    for job in jobs:
        await store.add_job(job, 10)
    assert [job.id for job in await store.jobs("proj", oldest_first=True)] == [job.id for job in jobs]
    behind = await store.jobs("proj", oldest_first=True, before=jobs[0].id, limit=1)
    assert [job.id for job in behind] == [jobs[1].id]
    assert not await store.delete_job("proj", jobs[0].id)
    await store.cancel_job("proj", jobs[0].id, T0)
    assert not await store.delete_job("other", jobs[0].id)
    assert await store.delete_job("proj", jobs[0].id)
    assert not await store.delete_job("proj", jobs[0].id)
    assert await store.job("proj", jobs[0].id) is None
    assert len(await store.jobs("proj")) == 2


# -------------------------------------------------------------------------------------------- transcripts


async def test_transcripts_live_as_long_as_their_blob_is_named(store: MetadataStore) -> None:
    said = Transcript("hé", "en", 1.5, (Segment(0.0, 1.5, "hé", "A"),), (Word("hé", 0.0, 1.5),))
    named = a_file()
    await store.add_files([named], T0)
    await store.save_transcript(named.sha256, said, T0)
    await store.save_transcript("f" * 64, said, T0)
    assert await store.transcript("f" * 64) == said
    assert await store.transcript("0" * 63 + "f") is None
    await store.sweep_transcripts(T0)
    assert await store.transcript("f" * 64) == said, "not older than the moment given"
    await store.sweep_transcripts(T0 + 1)
    assert await store.transcript("f" * 64) is None
    assert await store.transcript(named.sha256) == said
