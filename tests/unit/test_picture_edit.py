"""Edits keep the source, do what the words say, and stay within the mask."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.pictures import picture
from opperlite.engine.pictures.noise import white
from opperlite.engine.pictures.pixels import Pixels, resize


@cache
def source(width: int = 160, height: int = 120) -> Pixels:
    return picture.draw("a red house by a lake, trees", width, height, seed=2)


def edited(prompt: str) -> Pixels:
    return picture.edit(prompt, source(), 160, 120, seed=1)


def likeness(one: Pixels, other: Pixels) -> float:
    """The correlation of two pictures' lightness: 1 for the same shapes."""
    first, second = (side[:, :, :3].mean(axis=2).ravel() for side in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


WORDS = """make it night; winter; autumn leaves; at sunset; sepia; black and white; blur it; warmer; add a bird;
more contrast; make it blue; rainy; something nobody understands; oil painting"""


@pytest.mark.parametrize("prompt", WORDS.split(";"))
def test_the_source_stays_recognisable_and_changes(prompt: str) -> None:
    result = edited(prompt)
    assert result.shape == source().shape
    assert not np.array_equal(result, source())
    assert likeness(result, source()) > 0.6


@settings(max_examples=15, deadline=None)
@given(
    prompt=st.sampled_from(("a flamingo", "a desert", "remove it", "make it blue", "snow", "neon", "xyzzy")),
    box=st.tuples(st.integers(0, 90), st.integers(0, 70), st.integers(1, 70), st.integers(1, 50)),
    alpha=st.booleans(),
    hard=st.booleans(),
)
def test_outside_the_mask_every_pixel_stays(
    prompt: str, box: tuple[int, int, int, int], alpha: bool, hard: bool
) -> None:
    left, top, wide, tall = box
    inside = np.zeros((120, 160), np.uint8)
    inside[top : top + tall, left : left + wide] = 255 if hard else white(1, tall, wide)
    mask = np.dstack((np.zeros((120, 160, 3), np.uint8), 255 - inside)) if alpha else np.dstack([inside] * 3)
    result = picture.edit(prompt, source(), 160, 120, mask=np.ascontiguousarray(mask), seed=3)
    assert np.array_equal(result[inside == 0], source()[inside == 0])
    if hard and wide * tall > 400:
        assert not np.array_equal(result[inside > 0], source()[inside > 0])


def test_mask_of_another_size_and_output_of_another_size() -> None:
    mask = np.zeros((30, 40, 3), np.uint8)
    mask[:15] = 255
    result = picture.edit("snow", source(), 320, 240, mask=mask)
    scaled = resize(source(), 320, 240)
    assert np.array_equal(result[140:], scaled[140:])


def test_a_mask_that_opens_nothing_changes_nothing() -> None:
    mask = np.zeros((120, 160, 3), np.uint8)
    assert np.array_equal(picture.edit("add a dragon", source(), 160, 120, mask=mask, caption="no"), source())


def test_black_and_white_has_no_colour() -> None:
    result = edited("in black and white").astype(int)
    assert int((result.max(axis=2) - result.min(axis=2)).max()) == 0


def test_blur_softens_and_sharpen_does_the_reverse() -> None:
    def roughness(pixels: Pixels) -> float:
        return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())

    assert roughness(edited("blur")) < roughness(source()) < roughness(edited("sharpen"))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("rotate 180 degrees", lambda s: s[::-1, ::-1]),
        ("mirror", lambda s: s[:, ::-1]),
        ("flip vertically", lambda s: s[::-1]),
        ("upside down", lambda s: s[::-1, ::-1]),
    ],
)
def test_turning_is_exact(prompt: str, expected: object) -> None:
    assert np.array_equal(edited(prompt), expected(source()))  # type: ignore[operator]


def test_rotate_by_a_quarter_and_crop() -> None:
    square = np.ascontiguousarray(source()[:, :120])
    assert np.array_equal(picture.edit("rotate 90", square, 120, 120), np.rot90(square, -1))
    assert np.array_equal(picture.edit("rotate 90 left", square, 120, 120), np.rot90(square, 1))
    assert np.array_equal(picture.edit("crop the left half", square, 60, 120), square[:, :60])


def test_colour_words_and_light_words() -> None:
    assert edited("brighter").mean() > source().mean() > edited("darker").mean()
    warm, cold = edited("warmer").mean(axis=(0, 1)), edited("cooler").mean(axis=(0, 1))
    assert warm[0] - warm[2] > cold[0] - cold[2]
    assert edited("make it night").mean() < source().mean() * 0.75


def test_background_is_removed_with_real_alpha() -> None:
    cat = picture.draw("a cat, white background", 200, 200, seed=1)
    result = picture.edit("remove the background", cat, 200, 200, transparent=True)
    assert result.shape == (200, 200, 4)
    alpha = result[:, :, 3]
    assert int(alpha[:8].max()) == 0
    assert int(alpha[-4:].max()) == 0
    assert 0.05 < float((alpha > 200).mean()) < 0.6
    assert np.array_equal(result[alpha == 255][:, :3], cat[alpha == 255])


def test_background_is_replaced_by_a_place() -> None:
    cat = picture.draw("a cat, white background", 200, 200, seed=1)
    result = picture.edit("put it in a desert", cat, 200, 200)
    assert float(np.abs(result[:20].astype(int) - cat[:20]).mean()) > 15


def test_references_appear_and_lend_their_colours() -> None:
    reference = np.full((80, 80, 3), (255, 0, 255), np.uint8)
    result = picture.edit("use this", source(), 160, 120, references=[reference]).astype(int)
    magenta = (result[:, :, 0] > 200) & (result[:, :, 1] < 80) & (result[:, :, 2] > 200)
    assert float(magenta.mean()) > 0.03
    top = result[:10].mean(axis=(0, 1)) - source()[:10].mean(axis=(0, 1))
    assert top[1] < 0


def test_alpha_of_the_source_is_kept() -> None:
    drawn = picture.draw("a red car", 160, 120, transparent=True)
    result = picture.edit("make it blue", drawn, 160, 120)
    assert np.array_equal(result[:, :, 3], drawn[:, :, 3])


def test_seed_and_repetition() -> None:
    one, two, three = (picture.edit("add two sheep", source(), 160, 120, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_an_editor_is_stable_over_time() -> None:
    editor = picture.editor("watercolour, snow", seed=4)
    first, again = editor.apply(source(), 0.0), picture.apply("watercolour, snow", source(), 0.0, seed=4)
    later = editor.apply(source(), 0.2)
    assert np.array_equal(first, again)
    assert later.shape == first.shape
    assert 0 < float(np.abs(later.astype(int) - first).mean()) < 12


@settings(max_examples=15, deadline=None)
@given(prompt=st.text(max_size=80), width=st.integers(32, 200), height=st.integers(32, 200))
def test_any_words_at_any_size(prompt: str, width: int, height: int) -> None:
    assert picture.edit(prompt, source(), width, height).shape[:2] == (height, width)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed"):
        picture.edit("x", np.zeros((4, 4), np.uint8), 64, 64)


def test_the_sky_alone_is_coloured() -> None:
    result = picture.edit("make the sky purple", source(), 160, 120).astype(int) - source()
    assert float(np.abs(result[:12]).mean()) > 15
    assert int(np.abs(result[-8:]).max()) == 0


def test_a_plain_background_of_a_colour() -> None:
    cat = picture.draw("a cat, white background", 200, 200, seed=1)
    corner = picture.edit("change the background to blue", cat, 200, 200)[:10, :10].mean(axis=(0, 1))
    assert corner[2] > corner[0] + 60
    middle = picture.edit("change the background to blue", cat, 200, 200)[110:130, 90:110].mean(axis=(0, 1))
    assert np.abs(middle - cat[110:130, 90:110].mean(axis=(0, 1))).max() < 30


@pytest.mark.parametrize(
    ("words", "added"),
    [
        ("add a red hat to the cat", ["hat"]),
        ("replace the house with a castle", ["castle"]),
        ("make the cat blue", []),
        ("remove the dog", []),
        ("a bird", ["bird"]),
    ],
)
def test_what_is_there_already_is_not_added(words: str, added: list[str]) -> None:
    assert [thing.motif for thing in picture.editor(words).reading.things] == added


def test_the_subject_is_removed_where_it_stands_out() -> None:
    apple = picture.draw("a tiny red apple, white background", 160, 160, seed=1)
    result = picture.edit("remove the apple", apple, 160, 160)
    assert int((apple[:, :, 0].astype(int) - apple[:, :, 2]).max()) > 120
    assert int((result[:, :, 0].astype(int) - result[:, :, 2]).max()) < 60
