"""The conformance suite of MetadataStore, on organisations, projects, their changes and whole projects that move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opperlite.domain.errors import QuotaExceeded, ValidationFailed
from opperlite.domain.ports import MetadataStore
from opperlite.domain.types import OrganisationChanges, ProjectChanges, Segment, Transcript, Usage
from tests.contracts.test_metadata import IMPLEMENTATIONS, T0, Opener, a_file, a_job, organisation, project

TRANSCRIPT = Transcript("hello", "en", 1.0, (Segment(0.0, 1.0, "hello"),))


@pytest.fixture(params=IMPLEMENTATIONS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    async with opener(tmp_path) as opened:
        yield opened


async def test_an_organisation_is_found_by_its_id_and_by_its_name(store: MetadataStore) -> None:
    first, second = organisation("org_a"), organisation("org_b")
    await store.add_organisation(first)
    await store.add_organisation(second)
    assert list(await store.organisations()) == [first, second]
    assert list(await store.organisations("org_b")) == [second]
    assert list(await store.organisations("unknown")) == []
    renamed = await store.change_organisation("org_a", OrganisationChanges(name="acme"))
    assert renamed is not None
    assert list(await store.organisations("acme")) == [renamed]


async def test_a_name_is_taken_once(store: MetadataStore) -> None:
    await store.add_organisation(organisation("org_a"))
    await store.add_organisation(organisation("org_b"))
    with pytest.raises(ValidationFailed, match="org_a"):
        await store.change_organisation("org_b", OrganisationChanges(name="org_a"))
    await store.change_organisation("org_a", OrganisationChanges(name="org_a"))  # its own
    await store.add_project(project("one", "org_a"))
    await store.add_project(project("two", "org_a"))
    with pytest.raises(ValidationFailed, match="one"):
        await store.change_project("two", ProjectChanges(name="one"))
    await store.add_project(project("elsewhere", "org_b"))
    assert await store.change_project("elsewhere", ProjectChanges(name="one")) is not None
    assert [found.id for found in await store.projects("one")] == ["one"]  # the id goes before the names


async def test_only_what_is_named_changes(store: MetadataStore) -> None:
    await store.add_organisation(organisation("org"))
    await store.add_project(project("proj"))
    before = await store.project("proj")
    assert before is not None
    assert await store.change_project("proj", ProjectChanges()) == before
    changed = await store.change_project("proj", ProjectChanges(retention=5.0, zero_data_retention=True))
    assert changed is not None
    assert (changed.retention, changed.zero_data_retention, changed.upload_ttl) == (5.0, True, before.upload_ttl)
    lifted = await store.change_project("proj", ProjectChanges(retention=None))
    assert lifted == await store.project("proj")
    assert lifted is not None
    assert (lifted.retention, lifted.zero_data_retention) == (None, True)
    assert await store.change_project("unknown", ProjectChanges(name="x")) is None
    assert await store.change_organisation("unknown", OrganisationChanges(name="x")) is None


async def test_usages_are_those_of_each(store: MetadataStore) -> None:
    for name in ("a", "b", "c"):
        await store.ensure_project(organisation(name), project(f"p_{name}", name))
    await store.add_files([a_file(project_id="p_a", bytes=7), a_file(project_id="p_a", expires_at=T0 + 1)], T0)
    await store.add_files([a_file(project_id="p_b", kind="temporary")], T0)
    usages = await store.usages(T0 + 2)
    assert usages == {name: await store.usage(name, T0 + 2) for name in ("a", "b", "c")}
    assert usages["a"] == Usage(7, 1, 1000, 100)


async def test_a_smaller_quota_holds_for_the_next_file(store: MetadataStore) -> None:
    await store.ensure_project(organisation(), project())
    await store.add_files([a_file(bytes=10)], T0)
    await store.change_organisation("org", OrganisationChanges(quota_bytes=15))
    with pytest.raises(QuotaExceeded):
        await store.add_files([a_file(bytes=10)], T0)
    await store.change_organisation("org", OrganisationChanges(quota_bytes=20))
    await store.add_files([a_file(bytes=10)], T0)


async def test_lives_are_shortened_by_age_and_never_lengthened(store: MetadataStore) -> None:
    await store.ensure_project(organisation(), project())
    await store.ensure_project(organisation(), project("other"))
    files = [a_file(created_at=T0 - age, expires_at=T0 + life) for age, life in ((0, 100), (50, 100), (0, 5))]
    other = a_file(project_id="other")
    await store.add_files([*files, other], T0)
    assert await store.shorten_lives("proj", 20.0, 1) == 1
    assert await store.shorten_lives("proj", 20.0, 10) == 1
    assert await store.shorten_lives("proj", 20.0, 10) == 0
    lives = [await store.file("proj", file.id, T0) for file in files]
    assert [file and file.expires_at for file in lives] == [T0 + 20, None, T0 + 5]
    assert await store.file("other", other.id, T0) == other
    assert (await store.usage("org", T0)).files == 3


async def test_lives_that_another_process_shortens_are_shorter_soon(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as served, opener(tmp_path) as administered:
        await served.ensure_project(organisation(), project())
        file = a_file(created_at=T0, expires_at=T0 + 100)
        await served.add_files([file], T0)
        assert await served.file("proj", file.id, T0 + 50) == file
        assert await administered.shorten_lives("proj", 20.0, 10) == 1
        await asyncio.sleep(0.15)
        assert await served.file("proj", file.id, T0 + 50) is None
        assert await served.linked_file(file.id, T0 + 50) is None


async def test_the_revision_moves_with_every_change_of_another(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as served, opener(tmp_path) as administered:
        await served.ensure_project(organisation(), project())
        before = await served.revision()
        assert await served.revision() == before
        await administered.change_organisation("org", OrganisationChanges(quota_files=1))
        between = await served.revision()
        assert between != before
        await administered.change_project("proj", ProjectChanges(upload_ttl=1.0))
        assert await served.revision() not in (before, between)


async def test_a_project_moves_whole(store: MetadataStore) -> None:
    files = [a_file(project_id="moved", bytes=4), a_file(project_id="moved", kind="temporary")]
    job = a_job(project_id="moved", state="completed", finished_at=T0 + 1, file_id=files[0].id, inputs=("0" * 64,))
    moved = project("moved", "new")
    await store.import_project(organisation("new"), moved, files, [job], [(files[0].sha256, TRANSCRIPT)], T0)
    assert await store.project("moved") == moved
    assert await store.file("moved", files[0].id, T0) == files[0]
    assert await store.linked_file(files[1].id, T0) == files[1]
    assert await store.job("moved", job.id) == job
    assert not await store.blob_wanted("0" * 64)  # the job has ended
    assert await store.transcript(files[0].sha256) == TRANSCRIPT
    assert await store.usage("new", T0) == Usage(4, 1, 1000, 100)


@pytest.mark.parametrize("taken", ["project", "file", "job", "name", "quota"])
async def test_a_project_that_does_not_fit_leaves_nothing(store: MetadataStore, taken: str) -> None:
    await store.ensure_project(organisation(), project("here"))
    file, job = a_file(project_id="here"), a_job(project_id="here")
    await store.add_files([file], T0)
    await store.add_job(job, 10)
    moved = project("here" if taken == "project" else "moved")
    if taken == "name":
        await store.change_project("here", ProjectChanges(name="moved"))
    files = [a_file(project_id="moved"), a_file(project_id="moved", bytes=990 if taken == "quota" else 1)]
    if taken == "file":
        files[1] = a_file(project_id="moved", id=file.id)
    jobs = [a_job(project_id="moved", state="failed", finished_at=T0, id=job.id if taken == "job" else "gen_x")]
    with pytest.raises(QuotaExceeded if taken == "quota" else ValidationFailed):
        await store.import_project(organisation(), moved, files, jobs, [], T0)
    assert [found.id for found in await store.projects()] == ["here"]
    assert await store.linked_file(files[0].id, T0) is None
    assert await store.usage("org", T0) == Usage(10, 1, 1000, 100)
