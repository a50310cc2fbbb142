"""Where there is no ground, or another one: space, the moon, above the clouds."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures import contours, gradients, raster, terrain
from opperlite.engine.pictures.bands import Band
from opperlite.engine.pictures.layers import Plate, Sprite, Strip
from opperlite.engine.pictures.light import lit, mix, scale
from opperlite.engine.pictures.noise import smooth
from opperlite.engine.pictures.outlines import ellipse
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.skies import sky, stars
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour

_SPHERES: Final = ("planet", "moon", "earth", "sun")


def outer_space(stage: Stage) -> None:
    stream = stage.stream("nebula")
    colours = stage.reading.colours or stream.choice(
        (((92, 44, 140), (30, 96, 160)), ((150, 40, 96), (44, 60, 160)), ((24, 110, 120), (92, 48, 150)))
    )
    tint = stage.reading.tints.get("sky_tint", (8, 8, 24))
    plate = gradients.column(
        stage.width, stage.height, [(0.0, scale(tint, 0.8)), (1.0, mix(scale(tint, 0.8), colours[-1], 0.14))]
    )
    half = (max(2, stage.height // 4), max(2, stage.width // 4))
    shades = (*colours, (214, 120, 190))[:3]
    for number, (colour, noise) in enumerate(zip(shades, _swirled(stage, half, len(shades)), strict=True)):
        mask = scaled(
            Image.fromarray(np.clip((noise - 132) * 2, 0, 185).astype(np.uint8)), plate.size, Image.Resampling.BICUBIC
        )
        plate.paste(mix(colour, (255, 255, 255), 0.12 * number), (0, 0), mask)
    stars(plate, stage.stream("stars"), stage.height, 1.25)
    stage.layers.append(Plate(plate))
    if not any(thing.motif in _SPHERES for thing in stage.reading.things):
        _planet(stage)


def _swirled(stage: Stage, size: tuple[int, int], count: int) -> Iterator[NDArray[np.int32]]:
    """Noises about 128 whose places are moved by other noise: nothing of their upright grid is left to see."""
    rows, columns = size
    short = min(size)
    reach = short // 3
    wide = (rows + 2 * reach, columns + 2 * reach)
    away = [smooth(stage.number("drift", axis), rows, columns, (short / 2.3, short / 2.3), 3) for axis in "xy"]
    across, down = (np.clip(reach + (part.astype(np.int32) - 128) * reach // 150, 0, 2 * reach) for part in away)
    rows_down = np.arange(rows, dtype=np.int32)[:, None] + down
    places = (rows_down * wide[1] + np.arange(columns, dtype=np.int32) + across).astype(np.int32)
    for number in range(count):
        noise = smooth(stage.number("nebula", number), *wide, (short / 1.6, short / 1.6), 4)
        yield noise.ravel().take(places).astype(np.int32)


def _planet(stage: Stage) -> None:
    stream = stage.stream("planet")
    radius = stage.unit * stream.uniform(0.16, 0.26)
    x, y = stage.width * stream.choice((0.2, 0.82)), stage.height * stream.choice((0.24, 0.8))
    extent = math.ceil(radius * 2) + 2
    colour = stream.choice(((206, 140, 92), (112, 150, 196), (190, 96, 92), (140, 178, 148)))
    ball = terrain.ground(
        extent, extent, mix(colour, (255, 255, 255), 0.3), colour, stage.number("ball"), strength=70, flat=14
    )
    mask = Image.new("L", ball.size)
    raster.fill(mask, [ellipse(extent / 2, extent / 2, radius, radius, 120)], (255,))
    shade = Image.radial_gradient("L").point([min(235, max(0, (value - 96) * 3)) for value in range(256)])
    shade = scaled(shade, (int(extent * 1.7), int(extent * 1.7)))
    ball.paste((4, 4, 16), (-int(extent * 0.5), -int(extent * 0.55)), shade)
    ball.putalpha(mask)
    stage.layers.append(Sprite([ball], x - extent / 2, y - extent / 2, 0.2))


def moonscape(stage: Stage) -> None:
    mars = "mars" in stage.reading.text.lower() or "martian" in stage.reading.text.lower()
    dust: Colour = (196, 104, 66) if mars else (158, 158, 164)
    if mars:
        sky(stage)
    else:
        plate = gradients.column(stage.width, stage.height, [(0.0, (4, 5, 14)), (1.0, (22, 24, 40))])
        stars(plate, stage.stream("stars"), stage.horizon, 1.0)
        stage.layers.append(Plate(plate))
        stage.behind = len(stage.layers)
        if not any(thing.motif in _SPHERES for thing in stage.reading.things):
            _planet(stage)
    rows = round(stage.unit * 0.16)
    heights = contours.peaks(stage.number("rim"), stage.wide, rows * 0.1, rows * 0.9, stage.unit * 0.4)
    tone = scale(stage.land(dust), 0.75)
    stage.layers.append(
        Strip(
            terrain.rock(heights, rows, tone, scale(tone, 0.55), scale(tone, 0.8), stage.number("rock"), 1.0),
            stage.horizon - rows + 2,
            0.12,
        )
    )
    height = stage.height - stage.horizon
    image = terrain.ground(
        stage.wide,
        height,
        scale(stage.land(dust), 0.92),
        scale(stage.land(dust), 0.74),
        stage.number("dust"),
        strength=40,
    )
    stream = stage.stream("craters")
    for near in sorted(stream.random() for _ in range(16)):
        x, y, size = stream.random() * stage.wide, near * height, stage.unit * (0.02 + 0.09 * near)
        raster.fill(image, [ellipse(x, y, size, size * 0.3)], scale(dust, 1.1))
        raster.fill(image, [ellipse(x + size * 0.06, y + size * 0.03, size * 0.86, size * 0.23)], scale(dust, 0.52))
    stage.layers.append(Strip(Band.of(image), stage.horizon, 0.5))


def sky_only(stage: Stage) -> None:
    stage.horizon = stage.height
    sky(stage)
    _cloud_sea(stage)


def _cloud_sea(stage: Stage) -> None:
    light = stage.light
    for number in range(3):
        rows = max(8, round(stage.unit * 0.16))
        base = contours.hills(stage.number("sea", number), stage.wide, rows * 0.1, rows * 0.5, stage.unit * 0.5)
        heights = contours.crowns(stage.number("puffs", number), stage.wide, base, rows * 0.7)
        upper = mix(lit((255, 255, 255), light.ambient), light.low, 0.5 - 0.2 * number)
        lower = mix(mix(light.middle, light.low, 0.5), upper, 0.3 + 0.15 * number)
        top = round(stage.height * (0.76 + 0.08 * number)) - rows // 2
        stage.layers.append(
            Strip(terrain.band(heights, rows, upper, lower, foot=stage.height), top, 0.2 + 0.2 * number)
        )
