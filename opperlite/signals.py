"""What the signals that end a program do to a server."""

import contextlib
import os
import signal
from types import FrameType
from typing import Protocol

STOPPED_AT_ONCE = 130


class Stoppable(Protocol):
    """A server that ends when it sees its flag set."""

    should_exit: bool


class Stop:
    """What SIGINT and SIGTERM do: the first asks the server to finish, a second Ctrl-C ends the process at once.

    Ending at once is safe: every acknowledged change is on the disk, and what ran is taken up at the next start.
    """

    def __init__(self) -> None:
        self.asked = False
        self.server: Stoppable | None = None

    def install(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self.receive)

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            os._exit(STOPPED_AT_ONCE)
        first, self.asked = not self.asked, True
        if self.server is not None:
            self.server.should_exit = True
        if first:
            with contextlib.suppress(OSError):  # nobody has to read it
                os.write(2, b"Stopping when what is in flight is finished; Ctrl-C stops at once.\n")
