"""Scenes are composed from their prompts, deterministic, and move coherently."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.pictures import drawing, scene
from opperlite.engine.pictures.layers import Flash, Plate, Sprite, Veil, Water
from opperlite.engine.pictures.spots import Spot

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


def spots_of(text: str, seed: int = 0) -> list[Spot]:
    return scene.compose(text, seed=seed).renderer(320, 320).spots


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_the_first_named_stands_whole_in_the_middle(seed: int) -> None:
    spots = spots_of("a pagoda and cherry blossoms", seed)
    pagoda = next(spot for spot in spots if spot.thing.motif == "pagoda")
    half = pagoda.tall * pagoda.symbol.width / pagoda.symbol.height / 2
    assert pagoda.x - half >= 0
    assert pagoda.x + half <= 320
    assert 0.25 < pagoda.x / 320 < 0.75


def test_riders_are_seated_side_by_side() -> None:
    ducks = [spot for spot in spots_of("four ducks on a boat") if spot.thing.motif == "duck"]
    assert {spot.place for spot in ducks} == {"seat"}
    assert len({spot.x for spot in ducks}) == 4


def test_a_silhouette_leaves_the_sky_as_it_is() -> None:
    plain = scene.compose("a lion in the savanna at sunset, silhouette").frame(160, 160)
    drawn = drawing.drawn(scene.compose("a lion in the savanna at sunset, silhouette"), 160, 160)
    assert np.array_equal(plain, drawn)
    assert (drawn.max(axis=2) < 40).mean() > 0.05
    assert drawn[:20].min() > 20


def test_lightning_is_behind_what_stands() -> None:
    layers = scene.compose("a ship in a storm").renderer(160, 120).layers
    flash = next(number for number, layer in enumerate(layers) if isinstance(layer, Flash))
    assert all(isinstance(layer, Plate | Sprite | Veil) for layer in layers[:flash])
    assert any(isinstance(layer, Water) for layer in layers[flash:])


def test_balloons_float_in_a_room() -> None:
    places = {spot.thing.motif: spot.place for spot in spots_of("a birthday cake with balloons")}
    assert places == {"cake": "ground", "balloon": "sky"}
