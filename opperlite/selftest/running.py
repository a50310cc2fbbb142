"""Running the checks on a server of their own: in what order, for how long, and what came of each."""

from __future__ import annotations

import asyncio
import errno
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from msgspec import Struct
from msgspec.structs import replace

from opperlite.config import Settings
from opperlite.domain.errors import OpperliteError, StorageFailed
from opperlite.listening import CannotListen, listen
from opperlite.selftest.client import Asked, Client, Trouble
from opperlite.serving import server_of
from opperlite.wiring import open_services

START = "starting the server"
_AT_ONCE = 3
_PATIENCE = 60.0  # seconds for one check

_ENGINE = (
    "the engine's libraries do not work here: take the build that was made for this system and processor, or install "
    "opperlite anew"
)
_SPACE = "make room in the temporary folder, or name another one that can be written with TMPDIR"
_DEFECT = "report this, with what `opperlite selftest --verbose` and `opperlite version` print"
_NEEDED = "first mend what it needs"
_NO_PLACE = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EDQUOT)
_REMEDIES: Mapping[str | None, str] = {"generation_failed": _ENGINE, "storage_error": _SPACE}


class Bench(Struct, frozen=True):
    """What a check works with: its own client, the server's settings and the folder for everything."""

    client: Client
    settings: Settings
    folder: Path


class Check(Struct, frozen=True):
    """One capability. `run` gets the bench and what the checks that it `needs` returned; it raises when it fails."""

    name: str
    run: Callable[..., Awaitable[Any]]
    needs: tuple[str, ...] = ()


class Result(Struct, frozen=True):
    """What came of a check: `reason` and `remedy` tell of a failure, `tried` is False when it could not begin."""

    name: str
    works: bool
    seconds: float
    reason: str | None = None
    remedy: str | None = None
    tried: bool = True
    trace: str | None = None
    asked: tuple[Asked, ...] = ()


async def run(checks: Sequence[Check], tell: Callable[[Result], None]) -> list[Result]:
    """Start a server in a temporary folder and run every check on it; `tell` hears of each in the table's order."""
    began = time.perf_counter()
    try:
        with TemporaryDirectory(prefix="opperlite-selftest-") as folder:
            async with _serving(Path(folder)) as bench:
                first = Result(START, True, time.perf_counter() - began)
                tell(first)
                return [first, *await _Round(checks, bench).run(tell)]
    except (OpperliteError, CannotListen, OSError) as error:
        failed = _failed(START, error, time.perf_counter() - began)
        tell(failed)
        return [failed, *[_untried(check, START, tell) for check in checks]]


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Bench]:
    """The whole application with its worker processes, on a free port of this machine."""
    settings = Settings(data=folder / "data", port=0, access_log=False, allow_source=("127.0.0.1",), jobs=2)
    sockets = listen(settings.host, settings.port)
    base = f"http://{settings.host}:{sockets[0].getsockname()[1]}"
    ready = asyncio.Event()
    async with open_services(settings) as services:
        server = server_of(services, settings, ready.set)
        serving = asyncio.create_task(server.serve(sockets))
        started = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait([serving, started], return_when=asyncio.FIRST_COMPLETED)
            async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as http:
                yield Bench(Client(http, base, "selftest"), settings, folder)
        finally:
            server.should_exit = True
            started.cancel()
            await asyncio.gather(serving, started, return_exceptions=True)


class _Round:
    """All checks once, a few side by side, each after those that it needs."""

    def __init__(self, checks: Sequence[Check], bench: Bench) -> None:
        self._checks = checks
        self._bench = bench
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._running: dict[str, asyncio.Task[tuple[Result, Any]]] = {}

    async def run(self, tell: Callable[[Result], None]) -> list[Result]:
        results = []
        try:
            for check in self._checks:
                self._running[check.name] = asyncio.create_task(self._outcome(check))
            for task in self._running.values():
                result, _ = await task
                tell(result)
                results.append(result)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        return results

    async def _outcome(self, check: Check) -> tuple[Result, Any]:
        needed = [await self._running[name] for name in check.needs]
        for result, _ in needed:
            if not result.works:
                return _untried(check, result.name), None
        async with self._places:
            return await self._attempt(check, [value for _, value in needed])

    async def _attempt(self, check: Check, needed: list[Any]) -> tuple[Result, Any]:
        bench = replace(self._bench, client=self._bench.client.forked())
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE):
                value = await check.run(bench, *needed)
        except Exception as error:  # whatever it is: the other checks go on, and this one tells it
            result = _failed(check.name, error, time.perf_counter() - began)
            return replace(result, asked=tuple(bench.client.asked)), None
        return Result(check.name, True, time.perf_counter() - began, asked=tuple(bench.client.asked)), value


def _failed(name: str, error: Exception, seconds: float) -> Result:
    reason, remedy = str(error) or type(error).__name__, _DEFECT
    if isinstance(error, TimeoutError):
        reason, remedy = f"it took longer than {_PATIENCE:.0f} s", _ENGINE
    elif isinstance(error, Trouble):
        remedy = _REMEDIES.get(error.code, _DEFECT)
    elif isinstance(error, StorageFailed) or (isinstance(error, OSError) and error.errno in _NO_PLACE):
        remedy = _SPACE
    trace = "".join(traceback.format_exception(error))
    return Result(name, False, seconds, reason, remedy, trace=trace)


def _untried(check: Check, needed: str, tell: Callable[[Result], None] = lambda result: None) -> Result:
    result = Result(check.name, False, 0.0, f"not tried, since it needs this: {needed}", _NEEDED, tried=False)
    tell(result)
    return result
