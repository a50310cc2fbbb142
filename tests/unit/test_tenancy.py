"""Organisations, projects and keys: their rules, their commands, and that changes reach who serves meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.cli import cli
from opperlite.domain import projects as projects_module
from opperlite.domain.errors import NotFound, StorageFailed, Unauthorized, ValidationFailed
from opperlite.domain.projects import Projects
from opperlite.domain.tenants import checked_name
from opperlite.domain.types import OrganisationChanges, Policy, ProjectChanges
from tests.contracts.test_metadata import a_file
from tests.fakes import NOW, FakeClock

Run = Callable[..., Result]


@asynccontextmanager
async def projects_on(folder: Path, mode: Any = "open", clock: FakeClock | None = None) -> AsyncIterator[Projects]:
    async with SqliteMetadata.open(folder / "store.db") as store:
        yield Projects(store, clock or FakeClock(), Policy(), b"s" * 32, mode)


@pytest.fixture(autouse=True)
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store be asked for changes at every request, so that no test waits."""
    monkeypatch.setattr(projects_module, "_FRESH", 0.0)


# ------------------------------------------------------------------------------------------------ the rules


@given(st.text(max_size=120))
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    allowed = 1 <= len(name) <= 100 and name.isprintable() and "/" not in name and name == name.strip()
    if allowed and not name.startswith(("org_", "proj_")):
        assert checked_name(name) == name
    else:
        with pytest.raises(ValidationFailed):
            checked_name(name)


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "org_1", "proj_1", "a\nb", "x" * 101])
def test_names_that_could_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(ValidationFailed):
        checked_name(name)


async def test_references_are_ids_names_or_paths(tmp_path: Path) -> None:
    async with projects_on(tmp_path) as projects:
        tenants = projects.tenants
        for owner in ("acme", "initech"):
            await tenants.create_organisation(owner)
            await tenants.create_project("web", owner)
        only = await tenants.create_project("only", "acme")
        assert await tenants.project("only") == await tenants.project(only.id) == await tenants.project("acme/only")
        assert (await tenants.project("initech/web")).organisation_id == (
            await tenants.organisation("initech")
        ).organisation.id
        with pytest.raises(NotFound, match=r"2 projects .* take the id: proj_"):
            await tenants.project("web")
        for unknown in ("nothing", "acme/nothing", "nothing/web"):
            with pytest.raises(NotFound, match="nothing"):
                await tenants.project(unknown)
        assert {one.name for one in await tenants.projects("acme")} == {"web", "only"}


async def test_a_project_without_an_organisation_belongs_to_the_default_one(tmp_path: Path) -> None:
    async with projects_on(tmp_path) as projects:
        made = await projects.tenants.create_project("web")
        assert made.organisation_id == "org_default"
        assert (await projects.tenants.project("proj_default")).organisation_id == "org_default"


async def test_a_retention_ends_older_files_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        tenants = Projects(store, clock, Policy(), b"s" * 32, "open").tenants
        project = await tenants.default_project()
        young = a_file(project_id=project.id, created_at=NOW, expires_at=NOW + 1000)
        old = a_file(project_id=project.id, created_at=NOW - 60, expires_at=NOW + 1000)
        await store.add_files([young, old], NOW)
        await tenants.change_project(project.id, ProjectChanges(retention=60.0))
        page = await store.files(project.id, 10, 0, clock.now())
        assert [(file.id, file.expires_at) for file in page.files] == [(young.id, NOW + 60)]


# ------------------------------------------------------------------------------------- changes that hold


async def test_an_open_server_sees_what_another_process_changes(tmp_path: Path) -> None:
    async with projects_on(tmp_path) as serving, projects_on(tmp_path) as administering:
        await serving.authenticate("demo")
        project = await serving.authenticate("demo")
        assert await serving.authenticate("demo") is project  # remembered
        await administering.tenants.change_project(project.id, ProjectChanges(upload_ttl=5.0, zero_data_retention=True))
        changed = await serving.authenticate("demo")
        assert (changed.id, changed.upload_ttl, changed.zero_data_retention) == (project.id, 5.0, True)


async def test_an_open_server_asks_the_store_at_most_ten_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects_module, "_FRESH", 0.1)
    asked = 0

    async def revision(store: SqliteMetadata) -> int:
        nonlocal asked
        asked += 1
        return 1

    monkeypatch.setattr(SqliteMetadata, "revision", revision)
    async with projects_on(tmp_path) as serving:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(300):
            await serving.authenticate("demo")
        assert 1 <= asked <= 1 + (loop.time() - began) / 0.1


async def test_a_key_opens_its_project_until_it_is_revoked(tmp_path: Path) -> None:
    async with projects_on(tmp_path, "keys") as serving, projects_on(tmp_path) as administering:
        made = await administering.tenants.create_project("web")
        key, plain = await administering.create_key("laptop", "web")
        assert (key.project_id, key.name) == (made.id, "laptop")
        assert plain.encode() not in (tmp_path / "store.db").read_bytes()
        assert plain.encode() not in (tmp_path / "store.db-wal").read_bytes()
        assert await serving.authenticate(plain) == made
        assert [one.last_used_at for one in await administering.list_keys("web")] == [NOW]
        await administering.tenants.change_project("web", ProjectChanges(generated_ttl=1.0))
        assert (await serving.authenticate(plain)).generated_ttl == 1.0
        await administering.revoke_key(key.id)
        with pytest.raises(Unauthorized):
            await serving.authenticate(plain)
        with pytest.raises(NotFound):
            await administering.create_key("x", "nothing")


async def test_a_clock_that_is_set_back_and_a_full_disk_let_keys_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    async with projects_on(tmp_path, "keys", clock) as serving:
        _, plain = await serving.create_key()
        await serving.authenticate(plain)
        clock.advance(-86400)
        await serving.authenticate(plain)
        assert [key.last_used_at for key in await serving.list_keys()] == [NOW - 86400]

        async def full(store: SqliteMetadata, key_id: str, now: float) -> None:
            raise StorageFailed

        monkeypatch.setattr(SqliteMetadata, "touch_key", full)
        clock.advance(3600)
        assert (await serving.authenticate(plain)).id == "proj_default"


async def test_a_quota_below_what_is_used_keeps_the_files(tmp_path: Path) -> None:
    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        tenants = Projects(store, FakeClock(), Policy(), b"s" * 32, "open").tenants
        project = await tenants.default_project()
        await store.add_files([a_file(project_id=project.id, expires_at=NOW + 10)], NOW)
        tenancy = await tenants.change_organisation("default", OrganisationChanges(quota_bytes=1, quota_files=0))
        assert (tenancy.usage.files, tenancy.usage.quota_files) == (1, 0)


# --------------------------------------------------------------------------------------------- the commands


@pytest.fixture
def run(tmp_path: Path) -> Run:
    environment: dict[str, str | None] = {
        **{name: None for name in os.environ if name.startswith("OPPERLITE_")},
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "OPPERLITE_DATA": str(tmp_path / "data"),
    }
    return lambda *words, **more: CliRunner(env=environment).invoke(cli, [str(word) for word in words], **more)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_commands_make_show_and_change(run: Run) -> None:
    made = told(run("orgs", "create", "acme", "--quota-bytes", "5MB", "--json"))
    assert (made["quota_bytes"], made["quota_files"], made["used_files"]) == (5_000_000, 10_000, 0)
    project = told(run("projects", "create", "web", "--org", "acme", "--retention", "7d", "--json"))
    assert (project["organisation"], project["retention"]) == (made["id"], 604800.0)

    assert told(run("orgs", "set", "acme", "--quota-files", "3", "--json"))["quota_files"] == 3
    assert told(run("orgs", "show", made["id"], "--json"))["quota_files"] == 3
    assert [one["id"] for one in told(run("orgs", "list", "--json"))] == [made["id"]]

    changed = told(run("projects", "set", "acme/web", "--retention", "none", "--zero-data-retention", "--json"))
    assert changed == told(run("projects", "show", "web", "--json"))
    assert changed == project | {"retention": None, "zero_data_retention": True}
    assert told(run("projects", "list", "--org", "acme", "--json")) == [changed]

    key = told(run("keys", "create", "--project", "web", "--name", "ci", "--json"))
    assert key["project"] == project["id"]
    assert [one["id"] for one in told(run("keys", "list", "--project", "acme/web", "--json"))] == [key["id"]]
    assert told(run("keys", "revoke", key["id"], "--json"))["revoked"] is not None


def test_the_tables_are_for_people(run: Run) -> None:
    run("orgs", "create", "acme", "--quota-bytes", "5MiB")
    run("projects", "create", "web", "--org", "acme")
    assert "5 MiB" in run("orgs", "list").stdout
    assert "30d" in run("projects", "show", "web").stdout
    assert len(run("projects", "list").stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["orgs", "create", "a/b"], 1, "a/b"),
        (["orgs", "create", "taken"], 1, "taken"),
        (["orgs", "show", "nothing"], 1, "There is no organisation 'nothing'"),
        (["orgs", "set", "taken"], 2, "Nothing to change"),
        (["orgs", "set", "taken", "--quota-bytes", "1PB"], 2, "'--quota-bytes': found '1PB'"),
        (["orgs", "set", "taken", "--quota-files", "-1"], 2, "--quota-files"),
        (["projects", "create", "x", "--org", "nothing"], 1, "nothing"),
        (["projects", "set", "nothing", "--name", "x"], 1, "nothing"),
        (["projects", "set", "x", "--retention", "0"], 2, "'--retention': found '0'"),
        (["keys", "create", "--project", "nothing"], 1, "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_calls_say_what_is_wrong(words: list[str], code: int, message: str, run: Run) -> None:
    run("orgs", "create", "taken")
    result = run(*words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
