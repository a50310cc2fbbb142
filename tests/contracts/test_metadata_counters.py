"""MetadataStore against a model: whatever happens, the counters and the pages equal the files that are live."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opperlite.domain.errors import QuotaExceeded
from opperlite.domain.ports import MetadataStore
from opperlite.domain.types import File
from tests.contracts.test_metadata import IMPLEMENTATIONS, T0, Opener, a_file, organisation, project

QUOTA_BYTES, QUOTA_FILES = 60, 6
PROJECTS = st.sampled_from(["one", "two"])


class Accounts(RuleBasedStateMachine):
    """Two projects of one organisation; `rows` is what the store should hold, in the order it came."""

    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self._context: AbstractAsyncContextManager[MetadataStore] = type(self).opener(Path(self._folder.name))
        self.store: MetadataStore = self._loop.run(self._context.__aenter__())
        for name in ("one", "two"):
            self._loop.run(
                self.store.ensure_project(organisation("org", QUOTA_BYTES, QUOTA_FILES), project(name, "org"))
            )
        self.now = T0
        self.rows: list[File] = []

    def live(self) -> list[File]:
        return [file for file in self.rows if file.expires_at > self.now and file.kind != "temporary"]

    @rule(
        owner=PROJECTS,
        sizes=st.lists(st.integers(0, 30), min_size=1, max_size=3),
        life=st.integers(1, 20),
        kind=st.sampled_from(["upload", "generated", "temporary"]),
    )
    def add(self, owner: str, sizes: list[int], life: int, kind: str) -> None:
        files = [
            a_file(project_id=owner, bytes=size, kind=kind, created_at=self.now, expires_at=self.now + life)
            for size in sizes
        ]
        taken = self.live() if kind == "temporary" else [*self.live(), *files]
        fits = sum(file.bytes for file in taken) <= QUOTA_BYTES and len(taken) <= QUOTA_FILES
        try:
            self._loop.run(self.store.add_files(files, self.now))
        except QuotaExceeded:
            assert not fits
        else:
            assert fits or kind == "temporary"
            self.rows += files

    @rule(owner=PROJECTS, place=st.integers(0, 10))
    def delete(self, owner: str, place: int) -> None:
        if place < len(self.rows):
            file = self.rows[place]
            gone = self._loop.run(self.store.delete_file(owner, file.id, self.now))
            expected = file if file in self.live() and file.project_id == owner else None
            assert gone == expected
            if gone is not None:
                self.rows.remove(gone)

    @rule(seconds=st.integers(0, 12))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(limit=st.integers(1, 4))
    def sweep(self, limit: int) -> None:
        gone = self._loop.run(self.store.expired_files(self.now, limit))
        expired = [file for file in self.rows if file.expires_at <= self.now]
        assert len(gone) == min(limit, len(expired))
        for file in gone:
            assert file in expired
            self.rows.remove(file)

    @invariant()
    def counters_tell_the_truth(self) -> None:
        usage = self._loop.run(self.store.usage("org", self.now))
        assert usage.bytes == sum(file.bytes for file in self.live())
        assert usage.files == len(self.live())

    @invariant()
    def pages_show_what_is_live(self) -> None:
        for owner in ("one", "two"):
            page = self._loop.run(self.store.files(owner, 100, 0, self.now))
            assert list(page.files) == [file for file in reversed(self.live()) if file.project_id == owner]
            assert page.total == len(page.files)

    def teardown(self) -> None:
        self._loop.run(self._context.__aexit__(None, None, None))
        self._loop.close()
        self._folder.cleanup()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_counters_and_pages_equal_the_live_files(name: str) -> None:
    machine = type("Accounts", (Accounts,), {"opener": staticmethod(IMPLEMENTATIONS[name])})
    case = machine.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=20)
    case().runTest()
