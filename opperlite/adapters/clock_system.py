"""The clock of the machine."""

from __future__ import annotations

import time


class SystemClock:
    """`ports.Clock` as the operating system tells it."""

    def now(self) -> float:
        return time.time()
