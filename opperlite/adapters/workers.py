"""Processes that do the heavy work, so that the event loop never waits on a processor.

Parent and worker speak msgpack messages with a 4-byte length over the worker's standard input and output. A worker
does one task at a time; one that crashes or overruns its time fails its task and is replaced; one that has been idle
for a while ends. When the parent dies, the worker sees the end of its input and ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from opperlite.adapters.offline_tasks import Outcome, Task, perform
from opperlite.domain.errors import ProviderFailed, SourceUnusable
from opperlite.domain.ports import Made
from opperlite.domain.types import Media, Transcript

T = TypeVar("T")

_CANCEL_GRACE = 1.0
_IDLE_LIFE = 120.0
_REPORT_EVERY = 0.05


class Begin(Struct, frozen=True, tag=True):
    """To the worker: do this."""

    task: Task


class Cancel(Struct, frozen=True, tag=True):
    """To the worker: stop what you do."""


class Advanced(Struct, frozen=True, tag=True):
    """From the worker: that fraction is done."""

    fraction: float


class Done(Struct, frozen=True, tag=True):
    """From the worker: the result."""

    media: Media | None = None
    made: list[Made] | None = None
    transcript: Transcript | None = None


class Failed(Struct, frozen=True, tag=True):
    """From the worker: it could not be done; `bad_media` when the source (of that `field`) is to blame."""

    message: str
    bad_media: bool = False
    field: str | None = None
    trace: str | None = None


Order = Begin | Cancel
Report = Advanced | Done | Failed


def _to_wire(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _from_wire(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_wire)
_orders = msgspec.msgpack.Decoder(Order, dec_hook=_from_wire)
_reports = msgspec.msgpack.Decoder(Report, dec_hook=_from_wire)


def _framed(message: Order | Report) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(4, "big") + body


# -------------------------------------------------------------------------------------------- the parent


def worker_command() -> list[str]:
    """How to start a worker: the same program, from source or frozen."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "worker"]
    return [sys.executable, "-m", "opperlite", "worker"]


class Worker:
    """One process and the pipe to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ready = True  # False while a reply is owed: what comes next on the pipe is then not known
        self.idle_since = 0.0
        self.skills: set[type] = set()

    @classmethod
    async def start(cls) -> Worker:
        process = await asyncio.create_subprocess_exec(
            *worker_command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=os.name != "nt",  # the terminal's Ctrl-C is for the server alone
            limit=1 << 24,
        )
        return cls(process)

    @property
    def usable(self) -> bool:
        """Whether it lives and waits for a task."""
        return self._process.returncode is None and self._ready

    async def do(self, task: Task, report: Callable[[float], None] | None) -> Done:
        """Raises SourceUnusable or ProviderFailed; when cancelled, stops the work or else the process."""
        self._ready = False
        try:
            await self._send(Begin(task))
            self.skills.add(type(task))
            while isinstance(message := await self._receive(), Advanced):
                if report is not None:
                    report(message.fraction)
        except asyncio.CancelledError:
            await asyncio.shield(self._abandon())
            raise
        self._ready = True
        if isinstance(message, Failed):
            raise _failure(message)
        return message

    async def _abandon(self) -> None:
        """Ask the worker to stop; one that does not within a second is killed."""
        try:
            async with asyncio.timeout(_CANCEL_GRACE):
                await self._send(Cancel())
                while isinstance(await self._receive(), Advanced):
                    pass
                self._ready = True
        except (TimeoutError, ProviderFailed, msgspec.DecodeError):
            await self.kill()

    async def _send(self, order: Order) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reply's end tells of a dead worker
            self._process.stdin.write(_framed(order))
            await self._process.stdin.drain()

    async def _receive(self) -> Report:
        assert self._process.stdout is not None
        try:
            size = int.from_bytes(await self._process.stdout.readexactly(4), "big")
            report: Report = _reports.decode(await self._process.stdout.readexactly(size))
            return report
        except asyncio.IncompleteReadError:
            code = await self._process.wait()
            raise ProviderFailed(f"The engine's worker process died ({_ending(code)}); the work was not done") from None

    def drop(self) -> None:
        """End the process at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def kill(self) -> None:
        self.drop()
        await self._process.wait()

    async def end(self) -> None:
        """Let an idle worker go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_CANCEL_GRACE):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


def _failure(message: Failed) -> Exception:
    if message.bad_media:
        return SourceUnusable(message.message, field=message.field)
    return ProviderFailed(message.message, trace=message.trace)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


class Workers:
    """A bounded set of workers, started when there is work and ended when there has been none for a while."""

    def __init__(self, size: int, *, time_limit: float = 1800.0) -> None:
        self._free = asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._time_limit = time_limit
        self._reaper: asyncio.Task[None] | None = None
        self._closed = False

    async def do(self, task: Task, report: Callable[[float], None] | None = None) -> Done:
        """Do a task in the next free worker; raises SourceUnusable or ProviderFailed."""
        async with self._free:
            worker = self._pick(type(task)) or await self._start()
            try:
                async with asyncio.timeout(self._time_limit):
                    return await worker.do(task, report)
            except TimeoutError:
                await worker.kill()
                raise ProviderFailed(f"The work took longer than {self._time_limit:g} s and was stopped") from None
            finally:
                self._give_back(worker)

    async def _start(self) -> Worker:
        try:
            return await Worker.start()
        except OSError as error:
            raise ProviderFailed(f"The engine's worker process cannot be started: {error.strerror}") from error

    def _pick(self, kind: type) -> Worker | None:
        self._idle = [worker for worker in self._idle if worker.usable]
        skilled = [worker for worker in self._idle if kind in worker.skills] or self._idle
        if not skilled:
            return None
        chosen = skilled[-1]
        self._idle.remove(chosen)
        return chosen

    def _give_back(self, worker: Worker) -> None:
        if self._closed or not worker.usable:
            worker.drop()
        else:
            worker.idle_since = time.monotonic()
            self._idle.append(worker)
            if self._reaper is None or self._reaper.done():
                self._reaper = asyncio.create_task(self._reap(), name="workers-reaper")

    async def _reap(self) -> None:
        while self._idle:
            await asyncio.sleep(_IDLE_LIFE / 4)
            old = [worker for worker in self._idle if time.monotonic() - worker.idle_since > _IDLE_LIFE]
            self._idle = [worker for worker in self._idle if worker not in old]
            for worker in old:
                await worker.end()

    async def close(self) -> None:
        """End every idle worker; nothing may be asked any more."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
        workers, self._idle = self._idle, []
        await asyncio.gather(*(worker.end() for worker in workers))


# -------------------------------------------------------------------------------------------- the worker


class _Loop:
    """The worker's side: reads orders on a thread, works on the main one."""

    def __init__(self, orders: BinaryIO, reports: BinaryIO) -> None:
        self._orders = orders
        self._reports = reports
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._cancelled = threading.Event()
        self._reported = 0.0

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            task = self._tasks.get()
            self._send(self._outcome(task))

    def _listen(self) -> None:
        while True:
            head = self._orders.read(4)
            body = self._orders.read(int.from_bytes(head, "big")) if len(head) == 4 else b""
            if not body:
                os._exit(0)  # the server is gone, or lets this worker go
            order = _orders.decode(body)
            if isinstance(order, Begin):
                self._cancelled.clear()
                self._tasks.put(order.task)
            else:
                self._cancelled.set()

    def _outcome(self, task: Task) -> Report:
        from opperlite.engine.errors import BadMedia, Cancelled

        try:
            return _done(perform(task, self._advance))
        except BadMedia as error:
            return Failed(str(error), bad_media=True, field=next(iter(getattr(error, "__notes__", ())), None))
        except Cancelled:
            return Failed("cancelled")
        except MemoryError:
            return Failed("The work needs more memory than there is")
        except Exception as error:
            return Failed(f"{type(error).__name__}: {error}", trace=traceback.format_exc())

    def _advance(self, fraction: float) -> None:
        from opperlite.engine.errors import Cancelled

        if self._cancelled.is_set():
            raise Cancelled()
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self._send(Advanced(fraction))

    def _send(self, report: Report) -> None:
        try:
            self._reports.write(_framed(report))
            self._reports.flush()
        except OSError:
            os._exit(0)


def _done(outcome: Outcome) -> Done:
    if isinstance(outcome, Media):
        return Done(media=outcome)
    if isinstance(outcome, Transcript):
        return Done(transcript=outcome)
    return Done(made=outcome)


def main() -> None:
    """Run as a worker: orders on standard input, reports on what was standard output."""
    for name in ("SIGINT", "SIGTERM"):  # the server decides when a worker ends
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not break the messages
    _Loop(sys.stdin.buffer, reports).run()
