"""Scenes are composed from their prompts, deterministic, and move coherently."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.pictures import scene

MOVING = "two hot air balloons over a lake at sunset, wind"


def test_understands_a_prompt() -> None:
    composed = scene.compose('three red cats in a forest at night in the rain, saying "hello there"')
    assert composed.words == ("cat",)
    assert composed.reading.things[0].count == 3
    assert composed.setting == "forest"
    assert composed.time_of_day == "night"
    assert composed.weather == ("rain",)
    assert composed.quoted == ("hello there",)


@settings(max_examples=12, deadline=None)
@given(width=st.integers(64, 512), height=st.integers(64, 512), time=st.floats(0, 90))
def test_any_size_is_exact(width: int, height: int, time: float) -> None:
    frame = scene.compose(MOVING, seed=3).frame(width, height, time=time)
    assert frame.shape == (height, width, 3)
    assert frame.dtype == np.uint8


def test_a_renderer_gives_the_same_frame_in_any_order() -> None:
    first, second = scene.compose(MOVING).renderer(160, 120), scene.compose(MOVING).renderer(160, 120)
    frames = [first.frame(time) for time in (0.0, 1.0, 2.0)]
    assert np.array_equal(second.frame(2.0), frames[2])
    assert np.array_equal(second.frame(0.0), frames[0])


def test_motion_is_there_and_coherent() -> None:
    renderer = scene.compose(MOVING, seed=1).renderer(320, 180)
    frames = [renderer.frame(number / 24).astype(np.int32) for number in range(24)]
    steps = [float(np.abs(after - before).mean()) for before, after in pairwise(frames)]
    assert float(np.abs(frames[-1] - frames[0]).mean()) > 0.5
    assert max(steps) < 8.0


def test_size_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0x10"):
        scene.compose("a cat").renderer(0, 10)
