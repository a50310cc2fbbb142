"""The job queue of a single process: ids in the order they came."""

from __future__ import annotations

import asyncio
from itertools import count


class InProcessQueue:
    """`ports.JobQueue` in memory; it forgets with the process, and the runner refills it from the rows."""

    def __init__(self) -> None:
        self._tickets: dict[str, int] = {}  # in the order of their tickets
        self._numbers = count()
        self._filled = asyncio.Event()

    async def put(self, job_id: str) -> None:
        if job_id not in self._tickets:
            self._tickets[job_id] = next(self._numbers)
            self._filled.set()

    async def get(self) -> str:
        while not self._tickets:
            self._filled.clear()
            await self._filled.wait()
        job_id = next(iter(self._tickets))
        del self._tickets[job_id]
        return job_id

    def __len__(self) -> int:
        return len(self._tickets)

    def waiting(self, job_id: str) -> int | None:
        ticket = self._tickets.get(job_id)
        return None if ticket is None else ticket - self._tickets[next(iter(self._tickets))]
