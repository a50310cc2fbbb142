"""Fixtures for tests of programs that use Opper's or OpenAI's media APIs: a server of its own, a project for each test.

Nothing but pytest and the standard library is imported until a fixture is used.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

_PATIENCE = 60.0


@dataclass(frozen=True)
class OpperliteServer:
    """A server that runs for the whole session."""

    url: str
    folder: Path

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"{self.url}/v1"

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "server.log").read_text("utf-8", "replace")


@dataclass
class OpperliteClient:
    """One test's access to the server: a key whose files, jobs and quota are the test's own.

    The clients are made when they are first asked for; their packages must be installed.
    """

    server: OpperliteServer
    key: str
    _made: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base URL for Opper's clients, and for plain HTTP."""
        return self.server.url

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients."""
        return self.server.openai_url

    @property
    def headers(self) -> dict[str, str]:
        """What plain HTTP needs to send."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def openai(self) -> Any:
        """A client of the `openai` package."""
        return self._client("openai", "OpenAI", self.openai_url)

    @property
    def async_openai(self) -> Any:
        """An asynchronous client of the `openai` package, for the test to close."""
        return self._client("openai", "AsyncOpenAI", self.openai_url)

    @property
    def opperai(self) -> Any:
        """A client of the `opperai` package; its asynchronous methods end in `_async`."""
        return self._client("opperai", "Opper", self.url)

    def _client(self, package: str, name: str, base_url: str) -> Any:
        """The client of that class; skips the test where its package is not installed."""
        if name not in self._made:
            self._made[name] = getattr(pytest.importorskip(package), name)(base_url=base_url, api_key=self.key)
        return self._made[name]

    def close(self) -> None:
        """Close what can be closed outside an event loop."""
        if "OpenAI" in self._made:
            self._made["OpenAI"].close()
        # opperai 2.1 has no way of its own to close its connections, and strict warnings take them for leaks.
        held = getattr(getattr(self._made.get("Opper"), "_client", None), "_sync_client", None)
        if held is not None:
            held.close()


@pytest.fixture(scope="session")
def opperlite_flags() -> tuple[str, ...]:
    """Flags for the server, such as `("--strict-retired",)`; override it to set them."""
    return ()


@pytest.fixture(scope="session")
def opperlite_program() -> tuple[str, ...]:
    """The command that the server is started by; override it to test against a built program."""
    return (sys.executable, "-m", "opperlite")


@pytest.fixture(scope="session")
def opperlite(
    tmp_path_factory: pytest.TempPathFactory, opperlite_program: tuple[str, ...], opperlite_flags: tuple[str, ...]
) -> Iterator[OpperliteServer]:
    """An opperlite server on a free port, with a temporary folder."""
    folder = tmp_path_factory.mktemp("opperlite")
    (folder / "opperlite.toml").touch()
    own = {name: value for name, value in os.environ.items() if not name.startswith("OPPERLITE_")}
    command = [*opperlite_program, "serve", "--port", "0", "--data", str(folder / "data")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            [*command, *opperlite_flags],
            env=own | {"OPPERLITE_CONFIG": str(folder / "opperlite.toml")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield OpperliteServer(_url(process, folder), folder)
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _url(process: subprocess.Popen[str], folder: Path) -> str:
    """The URL from the banner; fails with the log when the server ends before it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        if name == "URL":
            return value.strip()
    told = (folder / "server.log").read_text("utf-8", "replace")
    raise RuntimeError(f"opperlite ended with {process.wait()} before it was ready:\n{told}")


@pytest.fixture
def opperlite_client(opperlite: OpperliteServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpperliteClient]:
    """A project of the test's own, with ready clients; the packages' environment variables name it."""
    client = OpperliteClient(opperlite, f"test-{uuid4().hex}")
    for name, value in (
        ("OPPER_BASE_URL", client.url),
        ("OPPER_API_KEY", client.key),
        ("OPENAI_BASE_URL", client.openai_url),
        ("OPENAI_API_KEY", client.key),
    ):
        monkeypatch.setenv(name, value)
    yield client
    client.close()
