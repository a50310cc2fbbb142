from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.clips import ambience
from opperlite.engine.clips.sounds import EVENTS, TEXTURES
from opperlite.engine.clips.soundtrack import Soundtrack
from opperlite.engine.clips.video_writer import SOUND_RATE

NAMES = st.lists(st.sampled_from([*TEXTURES, *EVENTS]), min_size=1, max_size=4, unique=True)


@settings(max_examples=8, deadline=None)
@given(names=NAMES, seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 2 * SOUND_RATE), max_size=4))
def test_blocks_of_any_size_make_the_same_sound(names: list[str], seed: int, cuts: list[int]) -> None:
    made = ambience.Ambience(names, seed, 2.0)
    whole = made.block(0, made.samples)
    assert whole.shape == (2 * SOUND_RATE, 2)
    edges = sorted({0, made.samples, *(cut for cut in cuts if cut < made.samples)})
    parts = [made.block(start, end - start) for start, end in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(ambience.Ambience(names, seed, 2.0).block(0, made.samples), whole)


@pytest.mark.parametrize("name", TEXTURES)
def test_textures_are_steady_and_begin_and_end_in_silence(name: str) -> None:
    made = ambience.Ambience([name], 3, 9.0)
    sound = made.block(0, made.samples)
    assert np.abs(sound).max() < 0.9
    assert 0.02 < float(np.sqrt(np.mean(sound**2))) < 0.2
    assert np.abs(sound[[0, -1]]).max() < 1e-3
    # A seam of the loop would show as a step far beyond what neighbouring samples differ by.
    steps = np.abs(np.diff(sound, axis=0)).max(axis=1)
    assert steps.max() < 12 * np.median(steps) + 1e-4


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_heard_and_do_not_click(name: str) -> None:
    for seed in range(4):
        sound = EVENTS[name].voice(np.random.Generator(np.random.PCG64(seed)))
        assert np.isfinite(sound).all()
        assert 0.05 < np.abs(sound).max() <= 1.0
        assert len(sound) < ambience.LONGEST_EVENT
        assert np.abs(sound[-1]).max() < 0.03


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("waves on a beach", {"waves"}),
        ("eine Katze am Meer", {"waves", "meow"}),
        ("un perro", {"bark"}),
        ("birds in the forest", {"bird", "leaves"}),
        ("a thunderstorm", {"rain", "thunder"}),
        ("campfire", {"fire", "crackle"}),
        ("a busy street in the city", {"city"}),
        ("a galaxy", {"space", "pad"}),
    ],
)
def test_prompt_chooses_the_sounds(prompt: str, expected: set[str]) -> None:
    assert expected <= set(ambience.chosen(prompt))


@given(prompt=st.text(max_size=60))
@settings(max_examples=40, deadline=None)
def test_every_prompt_has_a_sound(prompt: str) -> None:
    names = ambience.chosen(prompt)
    assert names
    assert all(name in TEXTURES or name in EVENTS for name in names)


def test_low_and_high_textures_differ() -> None:
    def centre(name: str) -> float:
        sound = ambience.Ambience([name], 0, 3.0).block(SOUND_RATE, SOUND_RATE)[:, 0]
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float((power * np.fft.rfftfreq(len(sound), 1 / SOUND_RATE)).sum() / power.sum())

    assert centre("space") < 300 < 1000 < centre("rain")


def test_quoted_words_are_spoken_over_a_quieter_ambience() -> None:
    silent = Soundtrack("waves", (), 4.0, 0)
    spoken = Soundtrack("waves", ("good morning to all of you",), 4.0, 0)
    before, after = (track.block(0, track.samples).astype(float) for track in (silent, spoken))
    assert before.shape == after.shape == (4 * SOUND_RATE, 2)
    voice = slice(round(0.6 * SOUND_RATE), round(1.2 * SOUND_RATE))
    assert np.abs(after[voice]).mean() > 1.5 * np.abs(before[voice]).mean()
    tail = slice(round(3.6 * SOUND_RATE), round(3.7 * SOUND_RATE))
    np.testing.assert_array_equal(before[tail], after[tail])


def test_long_speech_is_fitted_into_a_short_clip() -> None:
    track = Soundtrack("", ("a long sentence, " * 20,), 2.0, 0)
    sound = track.block(0, track.samples)
    assert sound.shape == (2 * SOUND_RATE, 2)
    assert np.abs(sound[-1]).max() < 200
