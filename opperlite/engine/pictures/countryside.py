"""Open land: meadows, farms, woods, mountains, deserts and snow."""

import math
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.pictures import contours, raster, terrain
from opperlite.engine.pictures.bands import Band
from opperlite.engine.pictures.layers import Sprite, Strip
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.light import mix, scale
from opperlite.engine.pictures.skies import sky
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour

GRASS: Final[dict[str, Colour]] = {
    "": (104, 158, 70),
    "spring": (124, 182, 84),
    "summer": (110, 164, 66),
    "autumn": (176, 142, 66),
}


LEAVES: Final[dict[str, Colour]] = {
    "": (62, 124, 70),
    "spring": (104, 168, 84),
    "summer": (56, 122, 66),
    "autumn": (200, 112, 44),
}


SNOW: Final[Colour] = (236, 242, 250)


def grass(stage: Stage) -> Colour:
    """The colour of grassland in this season."""
    return SNOW if stage.snowy else stage.land(GRASS.get(stage.reading.season, GRASS[""]))


def leaves(stage: Stage) -> Colour:
    """The colour of trees in this season."""
    base = LEAVES.get(stage.reading.season, LEAVES[""])
    return mix(base, SNOW, 0.55) if stage.snowy else stage.land(base)


def far_range(stage: Stage, high: float, colour: Colour, distance: float, depth: float) -> None:
    rows = max(4, round(stage.unit * high))
    heights = contours.hills(stage.number("range", high), stage.wide, rows * 0.3, rows * 0.9, stage.unit * 0.9)
    tone = stage.tone(colour, distance)
    image = terrain.band(heights, rows, tone, mix(tone, stage.light.haze, 0.4), foot=4)
    stage.layers.append(Strip(image, stage.horizon - rows, depth))


def mountains(stage: Stage, high: float, distance: float, depth: float, *, name: str = "") -> None:
    rows = max(6, round(stage.unit * high))
    heights = contours.peaks(stage.number("peaks", name, high), stage.wide, rows * 0.12, rows * 0.98, stage.unit * 0.42)
    base: Colour = stage.land((112, 118, 136) if stage.setting != "desert" else (176, 108, 74))
    light = stage.tone(mix(base, stage.light.sun, 0.25), distance)
    dark = stage.tone(scale(base, 0.62), distance * 0.9)
    snow = 0.35 if stage.snowy or stage.setting == "snowfield" else 0.55 if stage.setting != "desert" else 1.0
    image = terrain.rock(heights, rows, light, dark, stage.light.haze, stage.number("rock", name), snow)
    stage.layers.append(Strip(image, stage.horizon - rows + 2, depth))


def tree_line(stage: Stage, size: float, distance: float, depth: float, lift: float, *, fir: bool) -> None:
    tall = max(4.0, stage.unit * size)
    rows = round(tall * 2.1)
    base = contours.hills(
        stage.number("base", size, distance), stage.wide, tall * 0.1, tall * (0.3 + lift), stage.unit * 0.6
    )
    shape = contours.conifers if fir else contours.crowns
    heights = shape(stage.number("trees", size, distance), stage.wide, base, tall)
    colour = stage.tone(leaves(stage) if not fir else mix(leaves(stage), (38, 82, 60), 0.6), distance)
    image = terrain.band(heights, rows, mix(colour, stage.light.sun, 0.12), scale(colour, 0.8), foot=6)
    stage.layers.append(Strip(image, stage.horizon - rows, depth))


def plain(stage: Stage, colour: Colour, *, tufts: bool = True, strength: int = 34, top: int | None = None) -> None:
    start = stage.horizon if top is None else top
    rows = max(2, stage.height - start)
    far, near = stage.tone(mix(colour, (255, 244, 190), 0.16), 0.28), stage.tone(scale(colour, 0.86), 0.0)
    image = terrain.ground(stage.wide, rows, far, near, stage.number("ground"), strength=strength)
    if tufts and not stage.snowy:
        size = max(3.0, stage.unit * 0.035)
        terrain.blades(image, stage.tone(scale(colour, 0.84), 0.0), stage.number("blades"), size, 150)
    stage.layers.append(Strip(Band.of(image), start, 0.5))


def _rolling(stage: Stage, colour: Colour, count: int = 3) -> None:
    """Nearer and nearer hills from the horizon down to the plain."""
    for number in range(count):
        part = (number + 1) / count
        rows = max(6, round(stage.unit * (0.14 + 0.03 * number)))
        heights = contours.hills(
            stage.number("roll", number), stage.wide, rows * 0.2, rows * 0.95, stage.unit * (0.7 - 0.1 * number)
        )
        tone = stage.tone(mix(colour, leaves(stage), 0.4 * (1 - part)), 0.52 * (1.0 - part) + 0.1)
        foot = round(stage.unit * 0.05 * (number + 1))
        image = terrain.band(
            heights, rows, mix(tone, stage.light.sun, 0.16), scale(tone, 0.86), foot=foot + 2, texture=14, seed=number
        )
        top = stage.horizon - rows + round((stage.height - stage.horizon) * 0.1 * number)
        stage.layers.append(Strip(image, top, 0.12 + 0.1 * number))


def meadow(stage: Stage) -> None:
    sky(stage)
    far_range(stage, 0.16, (92, 124, 134), 0.6, 0.06)
    _rolling(stage, grass(stage))
    tree_line(stage, 0.05, 0.3, 0.24, 0.3, fir=stage.snowy)
    plain(stage, grass(stage), top=stage.horizon + round((stage.height - stage.horizon) * 0.16))


def farm(stage: Stage) -> None:
    sky(stage)
    far_range(stage, 0.12, (92, 124, 104), 0.55, 0.06)
    _rolling(stage, grass(stage), 2)
    tree_line(stage, 0.04, 0.3, 0.24, 0.2, fir=False)
    start = stage.horizon
    rows = stage.height - start
    base = SNOW if stage.snowy else stage.land((214, 176, 82))
    image = terrain.ground(
        stage.wide,
        rows,
        stage.tone(mix(base, (255, 255, 220), 0.25), 0.25),
        stage.tone(base, 0.0),
        stage.number("field"),
    )
    dark = stage.tone(scale(base, 0.78) if not stage.snowy else (196, 208, 224), 0.05)
    for number in range(-16, 17):
        middle, foot = stage.wide / 2 + number * stage.wide * 0.012, stage.wide / 2 + number * stage.wide * 0.14
        half = stage.wide * 0.022
        furrow = np.array(((middle, 0.0), (middle + 1.0, 0.0), (foot + half, rows), (foot - half, rows)))
        cover = raster.coverage([furrow], stage.wide, rows)
        if cover:
            mask = Image.fromarray((cover[0].astype(np.uint16) * 120 // 255).astype(np.uint8))
            image.paste(dark, (*cover[1], cover[1][0] + mask.width, cover[1][1] + mask.height), mask)
    stage.layers.append(Strip(Band.of(image), start, 0.5))


def garden(stage: Stage) -> None:
    sky(stage)
    tree_line(stage, 0.22, 0.42, 0.12, 0.2, fir=False)
    tree_line(stage, 0.1, 0.18, 0.22, 0.2, fir=False)
    plain(stage, grass(stage))


def forest(stage: Stage) -> None:
    sky(stage)
    fir = stage.reading.season not in ("autumn", "spring", "summer")
    part = _opened(stage)
    for number, (size, distance) in enumerate(((0.42, 0.68), (0.36, 0.46), (0.28, 0.26), (0.2, 0.1))):
        tree_line(stage, size * part, distance, 0.08 + 0.09 * number, 0.3, fir=fir or number % 2 == 0)
    plain(stage, mix(grass(stage), (70, 82, 46), 0.4) if not stage.snowy else SNOW)
    _trunks(stage)


def _opened(stage: Stage) -> float:
    """How high the woods are, of 1: lower where the prompt names something far up in the sky."""
    values = tables()["motif"]
    return 0.62 if any(values[thing.motif].values.get("far") for thing in stage.reading.things) else 1.0


def _trunks(stage: Stage) -> None:
    """Dark trunks at both sides: the near edge of the forest."""
    stream = stage.stream("trunks")
    colour = stage.tone((64, 48, 40), 0.0)
    bright = mix(colour, stage.light.sun, 0.22)
    for place in (0.02, 0.1, 0.92, 0.99):
        x, half = (place + stream.uniform(-0.02, 0.02)) * stage.width, stage.unit * stream.uniform(0.018, 0.034)
        foot = stage.height * stream.uniform(0.86, 0.98)
        lean = stream.uniform(-1, 1) * half
        left = math.floor(x - half * 2)
        stem = _trunk(x - left, half, lean, foot)
        canvas = Image.new("RGBA", (math.ceil(half * 4) + 2, math.ceil(foot) + 1))
        for cover, tone in zip(raster.coverages(stem, *canvas.size), (colour, bright), strict=True):
            raster.lay(canvas, cover, (*tone, 255))
        image = Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")
        stage.layers.append(Sprite([image], left, 0, 0.62))


def _trunk(x: float, half: float, lean: float, foot: float) -> list[list[raster.Outline]]:
    """A trunk and its lit side, x its middle."""
    whole = (
        (x - half * 1.5, foot),
        (x - half, foot * 0.9),
        (x - half * 0.8 + lean, -2.0),
        (x + half * 0.8 + lean, -2.0),
        (x + half, foot * 0.9),
        (x + half * 1.7, foot),
    )
    lit = (
        (x + half * 0.2, foot * 0.95),
        (x + half * 0.1 + lean, -2.0),
        (x + half * 0.8 + lean, -2.0),
        (x + half, foot * 0.9),
    )
    return [[np.array(whole)], [np.array(lit)]]


def jungle(stage: Stage) -> None:
    sky(stage)
    part = _opened(stage)
    for number, (size, distance) in enumerate(((0.4, 0.6), (0.34, 0.4), (0.24, 0.2))):
        tree_line(stage, size * part, distance, 0.08 + 0.1 * number, 0.5, fir=False)
    plain(stage, mix(grass(stage), (44, 96, 48), 0.5))


def mountain_land(stage: Stage) -> None:
    sky(stage)
    mountains(stage, 0.42, 0.5, 0.05, name="far")
    mountains(stage, 0.3, 0.26, 0.12, name="near")
    tree_line(stage, 0.07, 0.3, 0.22, 0.6, fir=True)
    plain(stage, grass(stage))


def desert(stage: Stage) -> None:
    sky(stage)
    sand = stage.land((232, 186, 118))
    mountains(stage, 0.13, 0.5, 0.05)
    for number in range(4):
        part = number / 3
        rows = max(6, round(stage.unit * (0.1 + 0.05 * number)))
        heights = contours.hills(
            stage.number("dune", number), stage.wide, rows * 0.1, rows * 0.95, stage.unit * (0.5 + 0.25 * number)
        )
        tone = stage.tone(sand, 0.45 * (1 - part))
        foot = stage.height if number == 3 else round(stage.unit * 0.1)
        image = terrain.band(
            heights,
            rows,
            mix(tone, stage.light.sun, 0.3),
            scale(tone, 0.78),
            foot=foot,
            texture=12,
            seed=stage.number(number),
        )
        stage.layers.append(
            Strip(
                image, stage.horizon - rows + round((stage.height - stage.horizon) * 0.17 * number), 0.1 + 0.12 * number
            )
        )


def snowfield(stage: Stage) -> None:
    sky(stage)
    mountains(stage, 0.26, 0.5, 0.06)
    _rolling(stage, SNOW, 2)
    plain(stage, SNOW, tufts=False, strength=16)
