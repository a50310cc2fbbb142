from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.clips import motion
from opperlite.engine.clips.daylight import Drift, course
from opperlite.engine.clips.scene_clip import SceneClip
from opperlite.engine.pictures import scene


def luma(clip: SceneClip, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    frame = clip.frame(index)
    return frame.to_ndarray()[: frame.height].astype(np.int16)


@pytest.mark.parametrize(
    ("prompt", "hours"),
    [
        ("day turns to night over a lake", "day sunset night"),
        ("from day to night in a city", "day sunset night"),
        ("a lake, day -> night", "day sunset night"),
        ("vom Tag zur Nacht am See", "day sunset night"),
        ("du jour à la nuit sur la mer", "day sunset night"),
        ("del día a la noche en la ciudad", "day sunset night"),
        ("dag blir natt över sjön", "day sunset night"),
        ("dawn till dusk in a village", "dawn day sunset dusk"),
        ("night slowly becomes morning", "night dawn"),
        ("timelapse of clouds over mountains", "day sunset night"),
        ("time-lapse of the night sky", "night dawn day"),
        ("sunrise over the sea", "dawn day"),
        ("the sun sets behind hills", "sunset dusk"),
        ("Sonnenuntergang am Meer", "sunset dusk"),
        ("nightfall in the forest", "dusk night"),
        ("a cat at dawn", ""),
        ("balloons at sunset", ""),
        ("ein Boot bei Sonnenuntergang", ""),
        ("a day trip to the night market", ""),
        ("a robot says 'from day to night'", ""),
        ("", ""),
    ],
)
def test_prompts_say_which_hours_pass(prompt: str, hours: str) -> None:
    assert course(prompt, scene.compose(prompt)) == tuple(hours.split())


@settings(max_examples=6, deadline=None)
@given(seconds=st.integers(1, 60), fps=st.sampled_from([Fraction(5), Fraction(24), Fraction(60)]))
def test_day_turns_to_night_without_a_jump(seconds: int, fps: Fraction) -> None:
    clip = SceneClip(scene.compose("day turns to night over hills"), 96, 64, fps, seconds)
    count = round(seconds * fps)
    shown = [float(luma(clip, index).mean()) for index in np.linspace(0, count - 1, 12).astype(int)]
    assert shown[0] > shown[-1] + 30
    steps = [abs(b - a) for a, b in pairwise(shown)]
    assert max(steps) < 4 * 60 / 11 + 4
    close = [luma(clip, index) for index in range(count // 2, min(count, count // 2 + 4))]
    assert all(float(np.abs(b - a).mean()) < 4 + 150 / count for a, b in pairwise(close))


def test_frames_are_the_same_in_any_order() -> None:
    forth, back = (SceneClip(scene.compose("sunrise, a lake"), 64, 48, Fraction(10), 2.0) for _ in range(2))
    frames = [luma(forth, index) for index in range(20)]
    for index in reversed(range(20)):
        np.testing.assert_array_equal(luma(back, index), frames[index])


def test_the_sun_goes_down() -> None:
    clip = SceneClip(scene.compose("sunset over the sea"), 160, 96, Fraction(10), 4.0)
    rows = []
    for index in (0, 12, 24):
        sky = luma(clip, index)[:48]
        rows.append(float(np.mean(np.nonzero(sky >= sky.max() - 12)[0])))
    assert rows[0] < rows[1] < rows[2]


def test_a_styled_scene_turns_as_well() -> None:
    clip = SceneClip(scene.compose("day turns to night, a house, watercolour"), 96, 64, Fraction(5), 2.0)
    assert luma(clip, 0).mean() > luma(clip, 9).mean() + 25


@pytest.mark.parametrize(
    ("prompt", "sign"), [("a boat at dawn", 1), ("a boat in the evening", -1), ("dusk, a boat", -1)]
)
def test_light_drifts_as_at_its_hour(prompt: str, sign: int) -> None:
    drift = Drift(scene.compose(prompt), 96, 64, 8.0)
    planes = np.random.default_rng(0).integers(16, 236, (96, 96), np.uint8)
    means = []
    for time in (0.0, 2.0, 4.0, 8.0, 99.0):
        lit = drift.applied(planes, time)
        assert not np.shares_memory(lit, planes)
        means.append(float(motion.split(lit)[0].mean()) * sign)
    np.testing.assert_array_equal(drift.applied(planes, 0.0), planes)
    assert means[0] < means[1] < means[2] < means[3] == means[4]


@given(seconds=st.floats(0.1, 60), height=st.integers(1, 40).map(lambda half: half * 2))
@settings(max_examples=20, deadline=None)
def test_drift_takes_every_size_and_duration(seconds: float, height: int) -> None:
    drift = Drift(scene.compose("a meadow"), 16, height, seconds)
    planes = np.full((height * 3 // 2, 16), 120, np.uint8)
    lit = drift.applied(planes, seconds).astype(int)
    assert lit.shape == planes.shape
    assert np.abs(lit - 120).max() <= 12
