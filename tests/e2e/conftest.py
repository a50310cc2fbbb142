"""Servers that several tests share; each test takes a key of its own, so they never meet."""

import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.clients import CURL, ByCurl, ByRequests, Client
from tests.e2e.server import Server, serving


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the defaults."""
    with serving(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def key() -> str:
    """A key whose files nobody else sees."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture(
    params=[
        pytest.param(ByRequests, id="requests"),
        pytest.param(ByCurl, id="curl", marks=pytest.mark.skipif(CURL is None, reason="curl is not installed")),
    ]
)
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param()
    return chosen
