"""The access log: one line a request, written in batches so that it costs a request a few microseconds.

The query is left out, since signatures are in it, and so are headers, since keys are in them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

_FLUSH_AFTER = 0.1


class AccessLog:
    """Collects lines and hands them to `write` every tenth of a second, in the form of the rest of the log."""

    def __init__(self, write: Callable[[str], object], form: Literal["text", "json"]) -> None:
        self._write = write
        self._form = form
        self._lines: list[str] = []
        self._second = 0
        self._prefix = ""

    def add(self, method: str, path: str, status: int, seconds: float, client: str, request_id: str) -> None:
        """Log a finished request; `seconds` is what it took."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_FLUSH_AFTER, self.flush)
        shown = path if path.isprintable() else path.encode("unicode_escape").decode("ascii")
        took = round(seconds * 1000, 1)
        if self._form == "text":
            line = (
                f"{self._now()} info    {method} {shown} {status} ms={took} client={client} request_id={request_id}\n"
            )
        else:
            line = self._as_json(method, path, status, took, client, request_id)
        self._lines.append(line)

    def _as_json(self, method: str, path: str, status: int, took: float, client: str, request_id: str) -> str:
        fields = {
            "time": self._now(),
            "level": "info",
            "logger": "opperlite.access",
            "message": f"{method} {path} {status}",
            "ms": took,
            "client": client,
            "request_id": request_id,
        }
        return msgspec.json.encode(fields).decode() + "\n"

    def _now(self) -> str:
        now = time.time()  # a log tells the machine's time
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int((now - second) * 1000):03}Z"

    def flush(self) -> None:
        """Write what has been collected."""
        lines, self._lines = self._lines, []
        if lines:
            self._write("".join(lines))
