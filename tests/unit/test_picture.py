"""Pictures are of exact size, about their prompt, and the same everywhere."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.pictures import gallery, picture, styles, typeface

PROGRAM = """
import hashlib, sys
from opperlite.engine.pictures import picture
for prompt in ("a red fox by a lake at dusk, fog", "neon city in the rain", "watercolour of three tulips"):
    print(hashlib.sha256(picture.draw(prompt, 160, 120, seed=7, caption="a caption").tobytes()).hexdigest())
"""


def drawn_elsewhere(threads: str, *, plain: bool = False) -> str:
    """The hashes that a fresh process with this many threads prints; plain as on the oldest processor."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    environment = {**os.environ, **limits, "PYTHONHASHSEED": threads}
    if plain:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(np._core._multiarray_umath.__cpu_dispatch__)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True, text=True)
    return done.stdout


def test_the_same_bytes_in_every_process_on_any_processor_with_any_number_of_threads() -> None:
    first, second = drawn_elsewhere("1"), drawn_elsewhere("2", plain=True)
    assert first == second
    assert len(set(first.split())) == 3


@settings(max_examples=14, deadline=None)
@given(
    width=st.integers(64, 512),
    height=st.integers(64, 512),
    prompt=st.sampled_from((*gallery.PROMPTS, "", "???", "完全に未知の言葉", "a" * 500)),
    transparent=st.booleans(),
)
def test_any_prompt_at_any_size(width: int, height: int, prompt: str, transparent: bool) -> None:
    drawn = picture.draw(prompt, width, height, seed=width, transparent=transparent)
    assert drawn.shape == (height, width, 4 if transparent else 3)
    assert drawn.flags.c_contiguous


@settings(max_examples=15, deadline=None)
@given(prompt=st.text(max_size=200))
def test_any_text_is_drawn(prompt: str) -> None:
    assert picture.draw(prompt, 64, 64, quality="low").shape == (64, 64, 3)


@pytest.mark.parametrize(("width", "height"), [(4096, 64), (64, 4096), (2048, 2048)])
def test_extreme_sizes(width: int, height: int) -> None:
    assert picture.draw("a lighthouse at sea", width, height).shape == (height, width, 3)


@pytest.mark.parametrize(("width", "height"), [(0, 64), (64, 9000), (-1, 64)])
def test_other_sizes_are_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        picture.draw("a cat", width, height)


def test_seeds_give_different_pictures() -> None:
    hashes = {hashlib.sha256(picture.draw("a cat in a garden", 96, 96, seed=seed)).digest() for seed in range(12)}
    assert len(hashes) == 12


def test_prompts_give_different_pictures() -> None:
    small = [picture.draw(prompt, 64, 64).astype(np.int32) for prompt in gallery.PROMPTS]
    nearest = min(float(np.abs(one - other).mean()) for i, one in enumerate(small) for other in small[:i])
    assert nearest > 2.0


@pytest.mark.parametrize(
    ("prompt", "channel"),
    [("red abstract", 0), ("green abstract", 1), ("blue abstract", 2), ("a red apple", 0), ("a green apple", 1)],
)
def test_colour_words_colour_the_picture(prompt: str, channel: int) -> None:
    drawn = picture.draw(f"{prompt}, white background" if "apple" in prompt else prompt, 128, 128)
    saturated = drawn.max(axis=2).astype(int) - drawn.min(axis=2) > 70
    means = drawn[saturated].mean(axis=0)
    assert int(np.argmax(means)) == channel


def test_night_is_darker_than_day() -> None:
    day, night = (picture.draw(f"a house in a meadow, {time}", 128, 128).mean() for time in ("noon", "night"))
    assert night < day * 0.6


def test_numbers_and_sizes_count() -> None:
    def covered(prompt: str) -> int:
        return int((picture.draw(prompt, 256, 256, transparent=True)[:, :, 3] > 200).sum())

    assert covered("a tiny cat") < covered("a cat") < covered("a huge cat")


def test_transparent_pictures_are_really_transparent() -> None:
    drawn = picture.draw("a red car", 200, 160, transparent=True)
    alpha = drawn[:, :, 3]
    assert int(alpha[0].max()) == 0
    assert int(alpha.max()) == 255
    assert 0.05 < float((alpha > 128).mean()) < 0.9
    assert int((alpha[(alpha > 0) & (alpha < 255)]).size) > 20


def test_transparent_without_things_still_shows_something() -> None:
    alpha = picture.draw("mountains at sunset", 160, 160, transparent=True)[:, :, 3]
    assert int(alpha[0, 0]) == 0
    assert float((alpha > 128).mean()) > 0.2


def test_caption_changes_the_foot_alone() -> None:
    plain, marked = (picture.draw("a cat", 256, 256, caption=text) for text in (None, "model · 256x256 · a cat"))
    rows = np.flatnonzero((plain != marked).any(axis=(1, 2)))
    assert rows.min() > 256 * 0.88
    assert len(rows) > 5


@settings(max_examples=10, deadline=None)
@given(text=st.text(min_size=1, max_size=400), width=st.integers(64, 300))
def test_any_caption_fits(text: str, width: int) -> None:
    assert picture.draw("sky", width, 64, caption=text, quality="low").shape == (64, width, 3)


@pytest.mark.parametrize("name", sorted(styles.FILTERS))
def test_styles_change_the_picture_but_not_its_size(name: str) -> None:
    plain = picture.draw("a house by a lake", 150, 110)
    styled = styles.apply(plain, name, 3)
    assert styled.shape == plain.shape
    assert not np.array_equal(styled, plain)
    assert np.array_equal(styled, styles.apply(plain, name, 3))


def test_style_as_parameter_and_as_word() -> None:
    plain = picture.draw("a cat", 96, 96)
    for style in ("vivid", "natural", "pixel", "watercolour"):
        assert not np.array_equal(picture.draw("a cat", 96, 96, style=style), plain)
    assert np.array_equal(picture.draw("a cat", 96, 96, style="no such style"), plain)


def test_contact_sheet() -> None:
    images = [picture.draw(prompt, 64, 48) for prompt in gallery.PROMPTS[:5]]
    sheet = gallery.contact_sheet(images, 3, list(gallery.PROMPTS[:5]), cell=90)
    assert sheet.shape[1] == 2 + 3 * 92
    with pytest.raises(ValueError, match="label"):
        gallery.contact_sheet(images, 3, ["one"])


def test_there_are_sixty_different_prompts() -> None:
    assert len(set(gallery.PROMPTS)) == 60


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Größe", "Gro\u0308sse"),
        ("naïve — é", "nai\u0308ve - e\u0301"),
        ("猫 and cat", "… and cat"),
        ("ok", "ok"),
    ],
)
def test_captions_are_written_with_the_letters_there_are(text: str, written: str) -> None:
    assert typeface.written(text) == written


def test_marks_are_drawn() -> None:
    plain, marked = (picture.draw(f'a cat "{word}"', 200, 200) for word in ("aaa", "äää"))
    assert not np.array_equal(plain, marked)


def test_quoted_words_are_lettered() -> None:
    said, unsaid = picture.draw('a robot saying "HELLO"', 256, 256), picture.draw("a robot saying", 256, 256)
    bright = (said[15:55].min(axis=2) > 235).sum()
    assert int(bright) > 300 + int((unsaid[15:55].min(axis=2) > 235).sum()) // 2
