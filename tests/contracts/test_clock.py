"""The conformance suite of Clock, for the machine's and the one of the tests."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from opperlite.adapters.clock_system import SystemClock
from opperlite.domain.ports import Clock
from tests.fakes import FakeClock

IMPLEMENTATIONS: dict[str, Callable[[], Clock]] = {"system": SystemClock, "fake": FakeClock}


@pytest.fixture(params=IMPLEMENTATIONS)
def clock(request: pytest.FixtureRequest) -> Clock:
    return IMPLEMENTATIONS[request.param]()


def test_it_tells_unix_seconds_of_our_time(clock: Clock) -> None:
    now = clock.now()
    assert isinstance(now, float)
    assert 1_700_000_000 < now < 4_000_000_000


def test_it_does_not_go_back(clock: Clock) -> None:
    moments = [clock.now() for _ in range(100)]
    assert moments == sorted(moments)


def test_the_system_clock_is_the_machines() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()


def test_the_fake_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock(100.0)
    assert clock.now() == clock.now() == 100.0
    clock.advance(2.5)
    assert clock.now() == 102.5
