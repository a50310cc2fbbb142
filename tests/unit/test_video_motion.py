import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.clips import motion, precipitation
from opperlite.engine.clips.pipeline import Progress, ahead
from opperlite.engine.clips.video_writer import ColorConverter
from tests.unit.video_samples import photograph

SIDES = st.integers(1, 70).map(lambda half: half * 2)


def planes_of(width: int, height: int) -> motion.Planes:
    return np.asarray(ColorConverter()(photograph(width, height)).to_ndarray(), np.uint8)


@given(width=SIDES, height=SIDES)
@settings(max_examples=20, deadline=None)
def test_split_and_join_are_inverse(width: int, height: int) -> None:
    planes = np.random.default_rng(0).integers(0, 256, (height * 3 // 2, width), np.uint8)
    parts = motion.split(planes)
    assert [part.shape for part in parts] == [(height, width), *[(height // 2, width // 2)] * 2]
    np.testing.assert_array_equal(motion.join(*parts), planes)


@given(width=SIDES, height=SIDES, seed=st.integers(0, 999), seconds=st.floats(0.5, 60))
@settings(max_examples=15, deadline=None)
def test_warp_begins_at_the_picture_and_moves_evenly(width: int, height: int, seed: int, seconds: float) -> None:
    planes = planes_of(width, height)
    camera = motion.Camera.planned(seed, seconds)
    warp = motion.Warp(planes, motion.depth_map(photograph(width, height)), camera, 100)
    np.testing.assert_array_equal(warp.at(0.0), planes)
    ways = np.linspace(0, 1, 40)
    frames = [warp.at(way).astype(np.int16) for way in ways]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(frames)]
    assert max(steps) < 6
    assert all(frame[:height].min() > 0 for frame in frames)  # no black edges


@given(share=st.floats(0, 1))
def test_easing_is_monotonic(share: float) -> None:
    assert motion.eased(0) == 0
    assert motion.eased(1) == pytest.approx(1)
    assert 0 <= motion.eased(share) <= motion.eased(min(1.0, share + 0.01)) <= 1.0000001


@pytest.mark.parametrize("words", [{"snow"}, {"rain"}, {"fire"}, {"snow", "rain", "fire"}])
@pytest.mark.parametrize("size", [(16, 16), (320, 180)])
def test_weather_sets_in_softly_and_stays(words: set[str], size: tuple[int, int]) -> None:
    width, height = size
    dark = np.full((height, width), 60, np.uint8)
    changes = []
    for seconds in (0.0, 0.5, 2.0, 59.0):
        luma = dark.copy()
        for overlay in precipitation.overlays(words, width, height, 1):
            overlay.apply(luma, seconds)
        changes.append(float(luma.mean() - 60))
        assert luma.max() <= 235
    assert changes[0] == 0
    if size[0] > 16:
        assert 0 < changes[1] < changes[2] * 1.2
        assert changes[3] == pytest.approx(changes[2], rel=0.6)


def test_no_weather_without_its_word() -> None:
    assert precipitation.overlays({"sun"}, 64, 48, 0) == []


def test_items_are_made_ahead_in_order() -> None:
    assert list(ahead(iter(range(50)))) == list(range(50))


def test_errors_of_the_source_come_through() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    made = ahead(broken())
    assert next(made) == 1
    with pytest.raises(KeyError):
        next(made)


def test_closing_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    made = ahead(endless())
    next(made)
    made.close()
    assert "drawing" not in [thread.name for thread in threading.enumerate()]


def test_progress_is_told_at_most_twenty_times_a_second() -> None:
    told: list[float] = []
    progress = Progress(told.append, 10_000)
    started = time.monotonic()
    for count in range(1, 10_001):
        progress.done(count)
    assert len(told) <= 3 + 20 * (time.monotonic() - started)
    assert told[-1] == 1.0
