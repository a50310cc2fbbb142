"""MetadataStore's pages of files and jobs, soft ends, repeated inserts, organisations, and the number of its state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from opperlite.domain.errors import NotFound, TooManyRequests, ValidationFailed
from opperlite.domain.ports import MetadataStore
from opperlite.domain.types import File, Job, OrganisationChanges, Usage
from tests.contracts.test_metadata import IMPLEMENTATIONS, T0, Opener, a_file, a_job, organisation, project, taken


@pytest.fixture(params=IMPLEMENTATIONS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    async with opener(tmp_path) as opened:
        await opened.ensure_project(organisation(), project())
        await opened.ensure_project(organisation(), project("other"))
        yield opened


# -------------------------------------------------------------------------------------------- pages of files


async def filled(store: MetadataStore) -> list[File]:
    """Nine files, oldest first, of two purposes in turn; the fifth has ended."""
    files = [a_file(purpose=("a", "b")[number % 2], expires_at=T0 + (1 if number == 4 else 100)) for number in range(9)]
    for file in files:
        await store.add_files([file], T0)
    await store.add_files([a_file(project_id="other", purpose="a"), a_file(kind="temporary", purpose="a")], T0)
    return files


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("purpose", [None, "a", "b", "none"])
async def test_walking_behind_the_last_file_shows_each_once(
    store: MetadataStore, purpose: str | None, oldest_first: bool
) -> None:
    files = await filled(store)
    now = T0 + 1
    wanted = [file for file in files if file.expires_at > now and purpose in (None, file.purpose)]
    walked: list[File] = []
    after = None
    while True:
        page = await store.files("proj", 2, 0, now, purpose=purpose, after=after, oldest_first=oldest_first)
        assert page.total == len(wanted)
        if not page.files:
            break
        walked += page.files
        after = page.files[-1].id
    assert walked == (wanted if oldest_first else wanted[::-1])


async def test_a_page_may_begin_behind_a_file_that_has_ended(store: MetadataStore) -> None:
    files = await filled(store)
    page = await store.files("proj", 2, 0, T0 + 1, after=files[4].id)
    assert list(page.files) == [files[3], files[2]]


@pytest.mark.parametrize("name", ["unknown", "of another project"])
async def test_a_page_behind_an_unknown_file_is_not_found(store: MetadataStore, name: str) -> None:
    foreign = a_file(project_id="other")
    await store.add_files([foreign], T0)
    with pytest.raises(NotFound):
        await store.files("proj", 2, 0, T0, after=foreign.id if name == "of another project" else "file_unknown")


async def test_ending_a_file_hides_it_and_frees_its_room(store: MetadataStore) -> None:
    file, temporary = a_file(bytes=900), a_file(kind="temporary")
    await store.add_files([file, temporary], T0)
    assert not await store.end_file("other", file.id, T0 + 5)
    assert await store.end_file("proj", file.id, T0 + 5)
    assert not await store.end_file("proj", file.id, T0 + 5)
    assert await store.file("proj", file.id, T0 + 5) is None
    assert await store.linked_file(file.id, T0 + 5) is None
    assert (await store.files("proj", 10, 0, T0 + 5)).total == 0
    await store.add_files([a_file(bytes=900, expires_at=T0 + 500)], T0 + 5)
    assert await store.blob_wanted(file.sha256)
    assert await store.end_file("proj", temporary.id, T0 + 5)
    assert {one.id for one in await store.expired_files(T0 + 5, 10)} == {file.id, temporary.id}
    assert (await store.usage("org", T0 + 5)) == Usage(900, 1, 1000, 100)


async def test_adding_a_file_again_changes_nothing(store: MetadataStore) -> None:
    file = a_file(bytes=600)
    assert list(await store.add_files([file], T0)) == [file]
    again = a_file(id=file.id, bytes=600, filename="other.png")
    assert list(await store.add_files([again], T0)) == [file]
    assert await store.usage("org", T0) == Usage(600, 1, 1000, 100)
    assert (await store.files("proj", 10, 0, T0)).total == 1


# --------------------------------------------------------------------------------------------- pages of jobs


async def listed(store: MetadataStore, **query: object) -> list[str]:
    return [job.id for job in await store.jobs("proj", **query)]  # type: ignore[arg-type]


async def some_jobs(store: MetadataStore) -> list[Job]:
    """Six jobs, oldest first: queued, running, failed, queued image, completed, cancelled."""
    jobs = [a_job(kind="image" if number == 3 else "video", created_at=T0 + number) for number in range(6)]
    for job in jobs:
        await store.add_job(job, 100)
    await store.add_job(a_job(project_id="other"), 100)
    for number in (1, 2, 4):
        await taken(store, jobs[number])
    await store.end_job(a_job(id=jobs[2].id, owner="me", state="failed", error="x", finished_at=T0 + 10), None, T0)
    await store.end_job(a_job(id=jobs[4].id, owner="me", state="completed", finished_at=T0 + 20), None, T0)
    await store.cancel_job("proj", jobs[5].id, T0 + 30)
    return jobs


async def test_jobs_are_listed_by_state_kind_and_age(store: MetadataStore) -> None:
    ids = [job.id for job in await some_jobs(store)]
    assert await listed(store) == ids[::-1]
    assert await listed(store, oldest_first=True) == ids
    assert await listed(store, states=("queued",)) == [ids[3], ids[0]]
    assert await listed(store, states=("running", "completed")) == [ids[4], ids[1]]
    assert await listed(store, kind="image") == [ids[3]]
    assert await listed(store, kind="video", states=("failed",)) == [ids[5], ids[2]]
    assert await listed(store, ended_after=T0 + 20) == [ids[5], ids[3], ids[1], ids[0]]
    assert list(await store.jobs("unknown")) == []


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_walking_behind_the_last_job_shows_each_once(store: MetadataStore, oldest_first: bool) -> None:
    ids = [job.id for job in await some_jobs(store)]
    walked: list[str] = []
    while page := await listed(store, limit=2, before=walked[-1] if walked else None, oldest_first=oldest_first):
        walked += page
    assert walked == (ids if oldest_first else ids[::-1])


async def test_only_a_job_that_has_ended_is_deleted(store: MetadataStore) -> None:
    jobs = await some_jobs(store)
    for number in (0, 1, 3):
        assert not await store.delete_job("proj", jobs[number].id)
    assert not await store.delete_job("other", jobs[2].id)
    assert not await store.delete_job("proj", "unknown")
    for number in (2, 4, 5):
        assert await store.delete_job("proj", jobs[number].id)
        assert not await store.delete_job("proj", jobs[number].id)
        assert await store.job("proj", jobs[number].id) is None
    assert await listed(store, oldest_first=True) == [jobs[0].id, jobs[1].id, jobs[3].id]


async def test_adding_a_job_again_changes_nothing(store: MetadataStore) -> None:
    job = a_job()
    assert await store.add_job(job, 1) == job
    running = await taken(store, job)
    assert await store.add_job(job, 1) == running
    with pytest.raises(TooManyRequests):
        await store.add_job(a_job(), 1)


# ------------------------------------------------------------------------------------ organisations, revision


async def test_an_organisations_quota_can_be_changed(store: MetadataStore) -> None:
    await store.add_files([a_file(bytes=600)], T0)
    changed = await store.change_organisation("org", OrganisationChanges(quota_bytes=5000))
    assert changed is not None
    assert (changed.quota_bytes, changed.quota_files, changed.name) == (5000, 100, "org")
    assert await store.usage("org", T0) == Usage(600, 1, 5000, 100)
    assert await store.change_organisation("unknown", OrganisationChanges(quota_bytes=1)) is None


async def test_organisations_have_names_of_their_own(store: MetadataStore) -> None:
    await store.add_organisation(organisation("second"))
    with pytest.raises(ValidationFailed):
        await store.add_organisation(replace(organisation("third"), name="second"))
    assert [one.id for one in await store.organisations("second")] == ["second"]
    assert {one.id for one in await store.organisations()} == {"org", "second"}
    assert list(await store.organisations("unknown")) == []


async def test_usages_tell_what_usage_tells(store: MetadataStore) -> None:
    await store.add_organisation(organisation("idle", 7, 3))
    await store.add_files([a_file(bytes=10, expires_at=T0 + 1), a_file(bytes=20), a_file(kind="temporary")], T0)
    for now in (T0, T0 + 1):
        usages = await store.usages(now)
        assert set(usages) == {"org", "idle"}
        for name, usage in usages.items():
            assert usage == await store.usage(name, now)
    assert (await store.usages(T0 + 1))["org"] == Usage(20, 1, 1000, 100)


async def test_the_revision_is_another_after_every_change(store: MetadataStore, opener: Opener, tmp_path: Path) -> None:
    seen = [await store.revision()]
    assert await store.revision() == seen[0]
    await store.add_files([a_file()], T0)
    seen.append(await store.revision())
    async with opener(tmp_path) as other:
        await other.add_files([a_file()], T0)
    seen.append(await store.revision())
    assert len(set(seen)) == 3
    assert await store.revision() == seen[-1]
