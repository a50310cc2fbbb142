"""What a stop does, also where nobody reads what it says."""

from __future__ import annotations

import os
import signal

import pytest

from opperlite.signals import Stop


class Stopping:
    should_exit = False


@pytest.mark.parametrize("heard", [True, False])
def test_the_first_signal_asks_to_stop_though_nobody_may_hear_it(heard: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bytes] = []

    def write(handle: int, text: bytes) -> int:
        if not heard:
            raise BrokenPipeError
        said.append(text)
        return len(text)

    monkeypatch.setattr(os, "write", write)
    stop, server = Stop(), Stopping()
    stop.server = server
    stop.receive(signal.SIGTERM, None)
    stop.receive(signal.SIGTERM, None)
    assert stop.asked
    assert server.should_exit
    assert len(said) == heard
