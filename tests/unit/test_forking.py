"""Work shared with forked processes is the same as work done here, whatever becomes of the processes."""

import os
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.engine.sound import forking


def squared(number: int) -> int:
    return number * number


def ends_elsewhere(home: int, number: int) -> int:
    """Works in the process of the test alone; others end without a word."""
    if os.getpid() != home:
        os._exit(1)
    return -number


def refuses(number: int) -> int:
    raise KeyError(number)


@given(st.lists(st.integers(-9, 9), max_size=9), st.integers(1, 4))
def test_results_come_in_order_on_any_number_of_processors(numbers: list[int], processors: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forking, "processors", lambda: processors)
        assert forking.shared(squared, numbers) == [number * number for number in numbers]


def test_what_a_process_fails_to_do_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "processors", lambda: 3)
    assert forking.shared(partial(ends_elsewhere, os.getpid()), [1, 2, 3, 4]) == [-1, -2, -3, -4]


def test_errors_are_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "processors", lambda: 2)
    with pytest.raises(KeyError):
        forking.shared(refuses, [1, 2])
