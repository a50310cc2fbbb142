"""Projects and keys: who is known by what, and what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.domain.errors import NotFound, Unauthorized
from opperlite.domain.projects import KEY_PREFIX, Projects
from opperlite.domain.types import Policy
from tests.fakes import FakeClock

POLICY = Policy(quota_bytes=7, quota_files=3, upload_ttl=10.0, generated_ttl=5.0, retention=20.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteMetadata]:
    async with SqliteMetadata.open(tmp_path / "store.db") as opened:
        yield opened


def projects_of(
    store: SqliteMetadata, mode: Literal["open", "keys"], secret: bytes = b"s" * 32, clock: FakeClock | None = None
) -> Projects:
    return Projects(store, clock or FakeClock(), POLICY, secret, mode)


async def test_an_open_token_is_a_project_with_the_policys_terms(store: SqliteMetadata) -> None:
    projects = projects_of(store, "open")
    project = await projects.authenticate("a")
    assert (project.upload_ttl, project.generated_ttl, project.retention) == (10.0, 5.0, 20.0)
    usage = await store.usage(project.organisation_id, 0)
    assert (usage.quota_bytes, usage.quota_files) == (7, 3)
    assert await projects.authenticate("a") == project
    assert await projects_of(store, "open").authenticate("a") == project, "also after a restart"
    others = [await projects.authenticate(token) for token in ("b", "A", "a ", "é")]
    assert len({project.id, *(other.id for other in others)}) == 5
    assert len({project.organisation_id, *(other.organisation_id for other in others)}) == 5


async def test_no_token_is_kept_in_the_open(store: SqliteMetadata) -> None:
    project = await projects_of(store, "open").authenticate("a-secret-token")
    other = await projects_of(store, "open", b"t" * 32).authenticate("a-secret-token")
    assert "secret" not in repr(project)
    assert other.id != project.id, "the name depends on the server's secret"


@pytest.mark.parametrize("mode", ["open", "keys"])
async def test_nothing_and_too_much_are_no_token(store: SqliteMetadata, mode: Literal["open", "keys"]) -> None:
    projects = projects_of(store, mode)
    for token in ("", "k" * 4097):
        with pytest.raises(Unauthorized):
            await projects.authenticate(token)
    assert await store.projects() == []


async def test_a_key_opens_its_project_until_it_is_revoked(store: SqliteMetadata) -> None:
    clock = FakeClock()
    projects = projects_of(store, "keys", clock=clock)
    first = await projects.ensure_first_key()
    assert first is not None
    assert await projects.ensure_first_key() is None
    key, plain = await projects.create_key("laptop")
    assert plain.startswith(KEY_PREFIX)
    assert plain.startswith(key.hint)
    assert len(plain) - len(KEY_PREFIX) >= 40
    assert (await projects.authenticate(plain)).id == key.project_id
    assert await projects.authenticate(first) == await projects.authenticate(plain)
    revoked = await projects.revoke_key(plain)
    assert revoked.revoked_at == clock.now()
    with pytest.raises(Unauthorized):
        await projects.authenticate(plain)
    assert (await projects.authenticate(first)).id == key.project_id
    keys = await projects.list_keys()
    assert {one.name for one in keys} == {"first", "laptop"}
    assert all(plain.encode() not in one.hash and len(one.hash) == 32 for one in keys)


async def test_a_key_revoked_by_another_process_is_soon_of_no_use(store: SqliteMetadata) -> None:
    clock = FakeClock()
    server, command = projects_of(store, "keys", clock=clock), projects_of(store, "keys", clock=clock)
    key, plain = await command.create_key("laptop")
    await server.authenticate(plain)
    await command.revoke_key(key.id)
    clock.advance(5)
    with pytest.raises(Unauthorized):
        await server.authenticate(plain)


async def test_unknown_names_are_told(store: SqliteMetadata) -> None:
    projects = projects_of(store, "keys")
    with pytest.raises(NotFound):
        await projects.create_key("x", project="proj_unknown")
    for name in ("key_unknown", "", "opl_"):
        with pytest.raises(NotFound):
            await projects.revoke_key(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(max_codepoint=255), min_size=1, max_size=200))
async def test_no_token_breaks_the_door(store: SqliteMetadata, token: str) -> None:
    """Headers are Latin-1, so a token may be any of its characters."""
    with pytest.raises(Unauthorized):
        await projects_of(store, "keys").authenticate(token)
