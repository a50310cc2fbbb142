"""Places: each builder adds the layers of one setting to a stage."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine import raster, terrain
from opperlite.engine.layers import Plate, Sprite, Strip, Veil, Water, margin
from opperlite.engine.lexicon import tables
from opperlite.engine.light import lit, mix, scale
from opperlite.engine.noise import smooth
from opperlite.engine.skies import sky, stars
from opperlite.engine.stage import Stage
from opperlite.engine.symbols import Colour, ellipse, luma

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


def build(stage: Stage) -> None:
    """Add the layers of the stage's setting, up to the ground things stand on."""
    stage.horizon = round(stage.height * HORIZONS.get(stage.setting, 0.56))
    stage.shore = stage.height
    _BUILDERS[stage.setting](stage)


def grass(stage: Stage) -> Colour:
    """The colour of grassland in this season."""
    return SNOW if stage.snowy else stage.land(GRASS.get(stage.reading.season, GRASS[""]))


def leaves(stage: Stage) -> Colour:
    """The colour of trees in this season."""
    base = LEAVES.get(stage.reading.season, LEAVES[""])
    return mix(base, SNOW, 0.55) if stage.snowy else stage.land(base)


def _far_range(stage: Stage, high: float, colour: Colour, distance: float, depth: float) -> None:
    rows = max(4, round(stage.unit * high))
    heights = terrain.hills(stage.number("range", high), stage.wide, rows * 0.3, rows * 0.9, stage.unit * 0.9)
    tone = stage.tone(colour, distance)
    image = terrain.band(heights, rows, tone, mix(tone, stage.light.haze, 0.4), foot=4)
    stage.layers.append(Strip(image, stage.horizon - rows, depth))


def _mountains(stage: Stage, high: float, distance: float, depth: float, *, name: str = "") -> None:
    rows = max(6, round(stage.unit * high))
    heights = terrain.peaks(stage.number("peaks", name, high), stage.wide, rows * 0.12, rows * 0.98, stage.unit * 0.42)
    base: Colour = stage.land((112, 118, 136) if stage.setting != "desert" else (176, 108, 74))
    light = stage.tone(mix(base, stage.light.sun, 0.25), distance)
    dark = stage.tone(scale(base, 0.62), distance * 0.9)
    snow = 0.35 if stage.snowy or stage.setting == "snowfield" else 0.55 if stage.setting != "desert" else 1.0
    image = terrain.rock(heights, rows, light, dark, stage.light.haze, stage.number("rock", name), snow)
    stage.layers.append(Strip(image, stage.horizon - rows + 2, depth))


def _tree_line(stage: Stage, size: float, distance: float, depth: float, lift: float, *, fir: bool) -> None:
    tall = max(4.0, stage.unit * size)
    rows = round(tall * 2.1)
    base = terrain.hills(
        stage.number("base", size, distance), stage.wide, tall * 0.1, tall * (0.3 + lift), stage.unit * 0.6
    )
    shape = terrain.conifers if fir else terrain.crowns
    heights = shape(stage.number("trees", size, distance), stage.wide, base, tall)
    colour = stage.tone(leaves(stage) if not fir else mix(leaves(stage), (38, 82, 60), 0.6), distance)
    image = terrain.band(heights, rows, mix(colour, stage.light.sun, 0.12), scale(colour, 0.8), foot=6)
    stage.layers.append(Strip(image, stage.horizon - rows, depth))


def _plain(stage: Stage, colour: Colour, *, tufts: bool = True, strength: int = 34, top: int | None = None) -> None:
    start = stage.horizon if top is None else top
    rows = max(2, stage.height - start)
    far, near = stage.tone(mix(colour, (255, 244, 190), 0.16), 0.28), stage.tone(scale(colour, 0.86), 0.0)
    image = terrain.ground(stage.wide, rows, far, near, stage.number("ground"), strength=strength)
    if tufts:
        size = max(3.0, stage.unit * 0.035)
        count = 150 if not stage.snowy else 14
        blade = stage.tone(
            scale(GRASS.get(stage.reading.season, GRASS[""]), 0.92) if stage.snowy else scale(colour, 0.84), 0.0
        )
        terrain.blades(image, blade, stage.number("blades"), size, count)
    stage.layers.append(Strip(image, start, 0.5))


def _rolling(stage: Stage, colour: Colour, count: int = 3) -> None:
    """Nearer and nearer hills from the horizon down to the plain."""
    for number in range(count):
        part = (number + 1) / count
        rows = max(6, round(stage.unit * (0.14 + 0.03 * number)))
        heights = terrain.hills(
            stage.number("roll", number), stage.wide, rows * 0.2, rows * 0.95, stage.unit * (0.7 - 0.1 * number)
        )
        tone = stage.tone(mix(colour, leaves(stage), 0.4 * (1 - part)), 0.52 * (1.0 - part) + 0.1)
        foot = round(stage.unit * 0.05 * (number + 1))
        image = terrain.band(
            heights, rows, mix(tone, stage.light.sun, 0.16), scale(tone, 0.86), foot=foot + 2, texture=14, seed=number
        )
        top = stage.horizon - rows + round((stage.height - stage.horizon) * 0.1 * number)
        stage.layers.append(Strip(image, top, 0.12 + 0.1 * number))


def _meadow(stage: Stage) -> None:
    sky(stage)
    _far_range(stage, 0.16, (92, 124, 134), 0.6, 0.06)
    _rolling(stage, grass(stage))
    _tree_line(stage, 0.05, 0.3, 0.24, 0.3, fir=stage.snowy)
    _plain(stage, grass(stage), top=stage.horizon + round((stage.height - stage.horizon) * 0.16))


def _farm(stage: Stage) -> None:
    sky(stage)
    _far_range(stage, 0.12, (92, 124, 104), 0.55, 0.06)
    _rolling(stage, grass(stage), 2)
    _tree_line(stage, 0.04, 0.3, 0.24, 0.2, fir=False)
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
            image.paste((*dark, 255), (*cover[1], cover[1][0] + mask.width, cover[1][1] + mask.height), mask)
    stage.layers.append(Strip(image, start, 0.5))


def _garden(stage: Stage) -> None:
    sky(stage)
    _tree_line(stage, 0.22, 0.42, 0.12, 0.2, fir=False)
    _tree_line(stage, 0.1, 0.18, 0.22, 0.2, fir=False)
    _plain(stage, grass(stage))


def _forest(stage: Stage) -> None:
    sky(stage)
    fir = stage.reading.season not in ("autumn", "spring", "summer")
    for number, (size, distance) in enumerate(((0.42, 0.68), (0.36, 0.46), (0.28, 0.26), (0.2, 0.1))):
        _tree_line(stage, size, distance, 0.08 + 0.09 * number, 0.3, fir=fir or number % 2 == 0)
    _plain(stage, mix(grass(stage), (70, 82, 46), 0.4) if not stage.snowy else SNOW)
    _trunks(stage)


def _trunks(stage: Stage) -> None:
    """Dark trunks at both sides: the near edge of the forest."""
    stream = stage.stream("trunks")
    colour = stage.tone((64, 48, 40), 0.0)
    image = Image.new("RGBA", (stage.wide, stage.height))
    side = margin(stage.width)
    for place in (0.02, 0.1, 0.92, 0.99):
        x, half = side + (place + stream.uniform(-0.02, 0.02)) * stage.width, stage.unit * stream.uniform(0.018, 0.034)
        foot = stage.height * stream.uniform(0.86, 0.98)
        lean = stream.uniform(-1, 1) * half
        trunk = np.array(
            (
                (x - half * 1.5, foot),
                (x - half, foot * 0.9),
                (x - half * 0.8 + lean, -2.0),
                (x + half * 0.8 + lean, -2.0),
                (x + half, foot * 0.9),
                (x + half * 1.7, foot),
            )
        )
        raster.fill(image, [trunk], (*colour, 255))
        bright = np.array(
            (
                (x + half * 0.2, foot * 0.95),
                (x + half * 0.1 + lean, -2.0),
                (x + half * 0.8 + lean, -2.0),
                (x + half, foot * 0.9),
            )
        )
        raster.fill(image, [bright], (*mix(colour, stage.light.sun, 0.22), 255))
    stage.layers.append(Strip(Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA"), 0, 0.62))


def _jungle(stage: Stage) -> None:
    sky(stage)
    for number, (size, distance) in enumerate(((0.4, 0.6), (0.34, 0.4), (0.24, 0.2))):
        _tree_line(stage, size, distance, 0.08 + 0.1 * number, 0.5, fir=False)
    _plain(stage, mix(grass(stage), (44, 96, 48), 0.5))


def _mountain_land(stage: Stage) -> None:
    sky(stage)
    _mountains(stage, 0.42, 0.5, 0.05, name="far")
    _mountains(stage, 0.3, 0.26, 0.12, name="near")
    _tree_line(stage, 0.07, 0.3, 0.22, 0.6, fir=True)
    _plain(stage, grass(stage))


def _desert(stage: Stage) -> None:
    sky(stage)
    sand = stage.land((232, 186, 118))
    _mountains(stage, 0.13, 0.5, 0.05)
    for number in range(4):
        part = number / 3
        rows = max(6, round(stage.unit * (0.1 + 0.05 * number)))
        heights = terrain.hills(
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


def _snowfield(stage: Stage) -> None:
    sky(stage)
    _mountains(stage, 0.26, 0.5, 0.06)
    _rolling(stage, SNOW, 2)
    _plain(stage, SNOW, tufts=False, strength=16)


def _water_layer(stage: Stage, bottom: int, *, mirror: float = 0.55) -> None:
    rows = bottom - stage.horizon
    deep = water_colour(stage)
    gradient = terrain.column(
        stage.width, rows, [(0.0, mix(deep, stage.light.low, 0.55)), (0.35, deep), (1.0, scale(deep, 0.72))]
    )
    strength = round(255 * (1.0 - mirror))
    alpha = bytes(min(255, strength + round(70 * row / max(1, rows - 1))) for row in range(rows))
    overlay = gradient.convert("RGBA")
    overlay.putalpha(Image.frombytes("L", (1, rows), alpha).resize((stage.width, rows)))
    stage.layers.append(
        Water(stage.horizon, bottom, overlay, mirror, _glints(stage, rows), mix(stage.light.low, (255, 255, 255), 0.5))
    )


def water_colour(stage: Stage) -> Colour:
    """Deep water: its own colour, and much of the sky above it."""
    wish = stage.reading.tints.get("water_tint")
    if wish:
        return lit(wish, mix(stage.light.ambient, (255, 255, 255), 0.3))
    blue = scale((34, 122, 164), luma(stage.light.ambient) / 255.0)
    return mix(blue, mix(stage.light.top, stage.light.middle, 0.3), 0.45)


def _glints(stage: Stage, rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    stream = stage.stream("glints")
    out = np.zeros((90, 5), np.int32)
    for number in range(len(out)):
        near = stream.random() ** 1.5
        out[number] = (
            stream.below(stage.width),
            stage.horizon + round(near * (rows - 2)),
            max(2, round(stage.unit * (0.008 + 0.05 * near) * stream.uniform(0.5, 1.3))),
            max(1, round(stage.unit * 0.0035 * near)),
            stream.below(628),
        )
    return out


def _beach(stage: Stage) -> None:
    sky(stage)
    _far_range(stage, 0.09, (84, 124, 128), 0.5, 0.05)
    stage.shore = stage.horizon + round((stage.height - stage.horizon) * 0.45)
    _water_layer(stage, stage.shore + 2, mirror=0.4)
    sand = stage.land((240, 212, 156)) if not stage.snowy else SNOW
    rows = stage.height - stage.shore
    lift = max(4, round(stage.unit * 0.05))
    heights = terrain.hills(stage.number("shore"), stage.wide, lift * 0.2, lift, stage.unit * 0.8)
    for extra, colour, beat in ((lift * 0.7, (255, 255, 255), 0.0), (lift * 0.35, scale(sand, 0.8), 0.25)):
        tone = stage.tone(colour, 0.1)
        edge = terrain.band(heights + extra, lift * 2, tone, tone, foot=rows)
        stage.layers.append(Strip(edge, stage.shore - lift, 0.4, sway=lift * 0.2, beat=beat))
    near = terrain.band(
        heights,
        lift,
        stage.tone(mix(sand, (255, 255, 240), 0.3), 0.1),
        stage.tone(scale(sand, 0.9), 0),
        foot=rows,
        texture=16,
        seed=stage.number("sand"),
    )
    stage.layers.append(Strip(near, stage.shore, 0.5))


def _sea(stage: Stage) -> None:
    sky(stage)
    # Rows of swell cover the rest.
    _water_layer(stage, stage.horizon + max(2, (stage.height - stage.horizon) // 5), mirror=0.3)


def swell(stage: Stage, first: int, last: int) -> None:
    """Rows of waves in front of what floats; first and last number them from the horizon."""
    rough = 2.0 if {"storm", "wind"} & set(stage.reading.weather) else 0.5 if "calm" in stage.reading.moods else 1.0
    deep = water_colour(stage)
    rows = stage.height - stage.horizon
    for number in range(first, last):
        near = (number + 1) / 6
        tall = max(3, round(stage.unit * 0.022 * near * rough + 2))
        heights = terrain.ripple(stage.wide, tall, stage.unit * (0.1 + 0.24 * near), number * 0.37)
        colour = mix(deep, stage.light.low, 0.4 * (1 - near))
        top = stage.horizon + round(rows * near * near * 0.92)
        foot = round(rows * (2 * number + 3) / 36 + tall * 3) if number < 5 else stage.height
        crest = mix(colour, (255, 255, 255), 0.16 + 0.22 * rough)
        foam = terrain.band(heights + max(1.5, stage.unit * 0.004 * near * rough), tall * 2, crest, crest, foot=2)
        stage.layers.append(Strip(foam, top - tall * 2, 0.3 + near * 0.4, sway=tall * 0.5, beat=number * 0.23))
        body = terrain.band(
            heights,
            tall * 2,
            mix(colour, stage.light.low, 0.2),
            scale(colour, 0.74),
            foot=foot,
            texture=10,
            seed=number,
        )
        stage.layers.append(Strip(body, top - tall * 2, 0.3 + near * 0.4, sway=tall * 0.5, beat=number * 0.23))


def _lake(stage: Stage) -> None:
    sky(stage)
    _mountains(stage, 0.3, 0.42, 0.06)
    _tree_line(stage, 0.07, 0.25, 0.14, 0.4, fir=stage.reading.season != "autumn")
    stage.shore = stage.horizon + round((stage.height - stage.horizon) * 0.62)
    _water_layer(stage, stage.shore + 4, mirror=0.68)
    rows = stage.height - stage.shore
    lift = max(4, round(stage.unit * 0.07))
    heights = terrain.hills(stage.number("bank"), stage.wide, 0.0, lift, stage.unit * 0.7)
    colour = grass(stage)
    image = terrain.band(
        heights,
        lift,
        stage.tone(colour, 0.06),
        stage.tone(scale(colour, 0.72), 0),
        foot=rows,
        texture=24,
        seed=stage.number("bank"),
    )
    terrain.blades(image, stage.tone(scale(colour, 0.8), 0), stage.number("reed"), max(3.0, stage.unit * 0.04), 0)
    stage.layers.append(Strip(image, stage.shore - lift // 2, 0.5))


def _skyline(
    stage: Stage, high: float, cell: float, distance: float, depth: float, share: float, *, base: int | None = None
) -> None:
    rows = max(8, round(stage.unit * high))
    heights, blocks = terrain.roofs(
        stage.number("roofs", high, distance), stage.wide, rows * 0.25, rows * 0.84, stage.unit * cell
    )
    wall = stage.land(stage.stream("wall", distance).choice(((108, 120, 146), (136, 124, 132), (120, 132, 140))))
    tone = stage.tone(wall, distance)
    image = terrain.band(
        heights, rows, mix(tone, stage.light.low, 0.12), mix(scale(tone, 0.8), stage.light.haze, 0.25), foot=6
    )
    dark = stage.light.night or stage.light.sun_height < 0.3
    glow = mix((255, 222, 140), stage.light.haze, distance * 0.5) if dark else mix(tone, (226, 240, 250), 0.45)
    terrain.windows(
        image, blocks, rows, stage.unit * cell * 0.16, glow, share if dark else 0.7, stage.number("panes", distance)
    )
    stage.layers.append(Strip(image, (stage.horizon if base is None else base) - rows, depth))


def _city(stage: Stage) -> None:
    sky(stage)
    _skyline(stage, 0.5, 0.075, 0.62, 0.06, 0.25)
    _skyline(stage, 0.42, 0.1, 0.36, 0.14, 0.4)
    _skyline(stage, 0.26, 0.14, 0.14, 0.24, 0.5)
    if any(
        str(tables()["motif"][thing.motif].values.get("place", "ground")) != "sky" for thing in stage.reading.things
    ):
        _pavement(stage)
    else:
        # Nothing stands in front: the skyline is seen across the water.
        _water_layer(stage, stage.height, mirror=0.62)


def _pavement(stage: Stage) -> None:
    colour = SNOW if stage.snowy else stage.land((148, 150, 158))
    _plain(stage, colour, tufts=False, strength=14)
    rows = stage.height - stage.horizon
    image = Image.new("RGBA", (stage.wide, rows))
    line = stage.tone(scale(colour, 0.84), 0.05)
    for number in range(-9, 10):
        middle = stage.wide / 2
        stripe = np.array(
            (
                (middle + number * stage.wide * 0.035, 0.0),
                (middle + number * stage.wide * 0.16, rows),
                (middle + number * stage.wide * 0.16 + 2.2, rows),
                (middle + number * stage.wide * 0.035 + 0.7, 0.0),
            )
        )
        raster.fill(image, [stripe], (*line, 255))
    for number in range(1, 7):
        y = rows * (number / 6.5) ** 1.8
        raster.fill(image, [np.array(((0.0, y), (stage.wide, y), (stage.wide, y + 1.6), (0.0, y + 1.6)))], (*line, 255))
    stage.layers.append(Strip(Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA"), stage.horizon, 0.5))


def _street(stage: Stage) -> None:
    sky(stage)
    _skyline(stage, 0.36, 0.09, 0.55, 0.06, 0.3)
    _skyline(stage, 0.4, 0.17, 0.16, 0.16, 0.45)
    _plain(stage, SNOW if stage.snowy else stage.land((166, 160, 150)), tufts=False, strength=12)
    rows = stage.height - stage.horizon
    image = Image.new("RGBA", (stage.wide, rows))
    asphalt = stage.tone((92, 94, 104) if not stage.snowy else (178, 184, 196), 0.05)
    top, foot = rows * 0.2, rows * 0.94
    curb = stage.tone((206, 202, 194), 0.05)
    raster.fill(
        image,
        [np.array(((0.0, top - rows * 0.02), (stage.wide, top - rows * 0.02), (stage.wide, top), (0.0, top)))],
        (*curb, 255),
    )
    raster.fill(image, [np.array(((0.0, top), (stage.wide, top), (stage.wide, foot), (0.0, foot)))], (*asphalt, 255))
    raster.fill(
        image,
        [np.array(((0.0, foot), (stage.wide, foot), (stage.wide, foot + rows * 0.025), (0.0, foot + rows * 0.025)))],
        (*curb, 255),
    )
    dash = stage.wide / 11
    for number in range(12):
        x = number * dash
        raster.fill(
            image,
            [
                np.array(
                    (
                        (x, rows * 0.5),
                        (x + dash * 0.5, rows * 0.5),
                        (x + dash * 0.46, rows * 0.53),
                        (x - dash * 0.05, rows * 0.53),
                    )
                )
            ],
            (*stage.tone((244, 236, 210), 0.0), 255),
        )
    stage.layers.append(Strip(Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA"), stage.horizon, 0.5))


def _village(stage: Stage) -> None:
    _meadow(stage)


def _underwater(stage: Stage) -> None:
    light = stage.light
    tint = stage.reading.tints.get("water_tint", stage.reading.colours[0] if stage.reading.colours else (22, 116, 168))
    top = lit(mix(tint, (170, 240, 240), 0.55), light.ambient)
    plate = terrain.column(
        stage.width,
        stage.height,
        [(0.0, top), (0.45, lit(tint, light.ambient)), (1.0, lit(scale(tint, 0.36), light.ambient))],
    )
    stage.layers.append(Plate(plate))
    stage.layers.append(Veil(_rays(stage), 0, stage.width * 0.012))
    for number, distance in enumerate((0.6, 0.3)):
        rows = max(6, round(stage.unit * (0.24 - 0.06 * number)))
        heights = terrain.crowns(
            stage.number("reef", number),
            stage.wide,
            terrain.hills(stage.number("r", number), stage.wide, 0, rows * 0.5, stage.unit * 0.5),
            rows * 0.6,
        )
        tone = mix(lit((60, 84, 120), light.ambient), lit(tint, light.ambient), distance)
        stage.layers.append(
            Strip(
                terrain.band(heights, rows, tone, scale(tone, 0.8), foot=round(stage.unit * 0.2)),
                stage.horizon - rows + round(stage.unit * 0.02 * number),
                0.12 + number * 0.12,
            )
        )
    sand = mix(lit((226, 204, 152), light.ambient), lit(tint, light.ambient), 0.35)
    rows = stage.height - stage.horizon
    lift = max(4, round(stage.unit * 0.06))
    heights = terrain.hills(stage.number("bed"), stage.wide, 0.0, lift, stage.unit * 0.5)
    stage.layers.append(
        Strip(
            terrain.band(
                heights,
                lift,
                mix(sand, (255, 255, 255), 0.12),
                scale(sand, 0.6),
                foot=rows,
                texture=18,
                seed=stage.number("bed"),
            ),
            stage.horizon,
            0.5,
        )
    )


def _rays(stage: Stage) -> Image.Image:
    width, rows = stage.width + stage.width // 2, stage.height
    noise = smooth(stage.number("rays"), 2, width // 4, (2.0, stage.unit * 0.05), 3)[0].astype(np.int32)
    line = np.concatenate((noise, noise[::-1]))
    strength = np.clip((line - 118) * 2, 0, 150)
    wide = np.asarray(Image.fromarray(strength.astype(np.uint8)[None, :]).resize((width, 1), Image.Resampling.BICUBIC))[
        0
    ]
    fade = (np.clip(1.0 - np.arange(rows) / (rows * 0.75), 0, 1) * 150).astype(np.int32)
    slant = (np.arange(width)[None, :] + (np.arange(rows) // 3)[:, None]) % width
    alpha = (wide[slant].astype(np.int32) * fade[:, None] // 255).astype(np.uint8)
    image = Image.new("RGBA", (width, rows), (226, 255, 250, 0))
    image.putalpha(Image.fromarray(alpha))
    return image


def _space(stage: Stage) -> None:
    stream = stage.stream("nebula")
    colours = stage.reading.colours or stream.choice(
        (((92, 44, 140), (30, 96, 160)), ((150, 40, 96), (44, 60, 160)), ((24, 110, 120), (92, 48, 150)))
    )
    tint = stage.reading.tints.get("sky_tint", (8, 8, 24))
    plate = terrain.column(
        stage.width, stage.height, [(0.0, scale(tint, 0.8)), (1.0, mix(scale(tint, 0.8), colours[-1], 0.14))]
    )
    half = (max(2, stage.height // 4), max(2, stage.width // 4))
    for number, colour in enumerate((*colours, (214, 120, 190))[:3]):
        noise = smooth(stage.number("nebula", number), *half, (half[0] / 1.8, half[1] / 1.8), 5).astype(np.int32)
        mask = Image.fromarray(np.clip((noise - 132) * 2, 0, 190).astype(np.uint8)).resize(
            plate.size, Image.Resampling.BICUBIC
        )
        plate.paste(mix(colour, (255, 255, 255), 0.12 * number), (0, 0), mask)
    stars(plate, stage.stream("stars"), stage.height, 1.0)
    stage.layers.append(Plate(plate))
    if not any(thing.motif in ("planet", "moon", "earth", "sun") for thing in stage.reading.things):
        _planet(stage)


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
    shade = shade.resize((int(extent * 1.7), int(extent * 1.7)))
    ball.paste((4, 4, 16, 255), (-int(extent * 0.5), -int(extent * 0.55)), shade)
    ball.putalpha(mask)
    stage.layers.append(Sprite([ball], x - extent / 2, y - extent / 2, 0.2))


def _moonscape(stage: Stage) -> None:
    mars = "mars" in stage.reading.text.lower() or "martian" in stage.reading.text.lower()
    dust: Colour = (196, 104, 66) if mars else (158, 158, 164)
    if mars:
        sky(stage)
    else:
        plate = terrain.column(stage.width, stage.height, [(0.0, (4, 5, 14)), (1.0, (22, 24, 40))])
        stars(plate, stage.stream("stars"), stage.horizon, 1.0)
        stage.layers.append(Plate(plate))
        _planet(stage)
    rows = round(stage.unit * 0.16)
    heights = terrain.peaks(stage.number("rim"), stage.wide, rows * 0.1, rows * 0.9, stage.unit * 0.4)
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
        raster.fill(image, [ellipse(x, y, size, size * 0.3)], (*scale(dust, 1.1), 255))
        raster.fill(
            image, [ellipse(x + size * 0.06, y + size * 0.03, size * 0.86, size * 0.23)], (*scale(dust, 0.52), 255)
        )
    stage.layers.append(Strip(image, stage.horizon, 0.5))


def _sky_only(stage: Stage) -> None:
    stage.horizon = stage.height
    sky(stage)
    _cloud_sea(stage)


def _cloud_sea(stage: Stage) -> None:
    light = stage.light
    for number in range(3):
        rows = max(8, round(stage.unit * 0.16))
        base = terrain.hills(stage.number("sea", number), stage.wide, rows * 0.1, rows * 0.5, stage.unit * 0.5)
        heights = terrain.crowns(stage.number("puffs", number), stage.wide, base, rows * 0.7)
        upper = mix(lit((255, 255, 255), light.ambient), light.low, 0.5 - 0.2 * number)
        lower = mix(mix(light.middle, light.low, 0.5), upper, 0.3 + 0.15 * number)
        top = round(stage.height * (0.76 + 0.08 * number)) - rows // 2
        stage.layers.append(
            Strip(terrain.band(heights, rows, upper, lower, foot=stage.height), top, 0.2 + 0.2 * number)
        )


def _room(stage: Stage) -> None:
    light, stream = stage.light, stage.stream("room")
    wall = stage.reading.tints.get("ground_tint") or (
        stage.reading.colours[0]
        if stage.reading.colours
        else stream.choice(((226, 208, 184), (172, 194, 188), (206, 188, 196), (180, 194, 212), (222, 196, 150)))
    )
    dim = mix(light.ambient, (255, 236, 206), 0.45 if light.night else 0.15)
    tone = lit(wall, dim)
    plate = terrain.column(stage.width, stage.height, [(0.0, scale(tone, 0.86)), (0.6, tone), (1.0, scale(tone, 0.8))])
    _window(stage, plate)
    middle = (round(stage.width * 0.5), round(stage.height * 0.45))
    terrain.shine(plate, middle, int(stage.unit * 1.6), mix(light.sun, (255, 240, 210), 0.5), 70)
    stage.layers.append(Plate(plate))
    wood = lit(stream.choice(((150, 98, 60), (124, 82, 56), (178, 128, 84))), dim)
    rows = stage.height - stage.horizon
    top = terrain.ground(
        stage.wide,
        rows,
        mix(wood, (255, 240, 214), 0.22),
        scale(wood, 0.82),
        stage.number("wood"),
        strength=30,
        flat=40,
    )
    edge = terrain.radial(int(stage.unit), (255, 244, 220), 60)
    top.paste((255, 246, 226, 255), (stage.wide // 2 - edge.width // 2, -edge.height // 2), edge.getchannel("A"))
    stage.layers.append(Strip(top, stage.horizon, 0.4))


def _window(stage: Stage, plate: Image.Image) -> None:
    light = stage.light
    wide, tall = round(stage.unit * 0.34), round(stage.unit * 0.42)
    x = round(stage.width * stage.stream("window").choice((0.1, 0.58)))
    y = max(2, round(stage.horizon * 0.5 - tall / 2))
    tall = min(tall, stage.horizon - y - 4)
    if tall < 8 or x + wide > stage.width:
        return
    frame = lit((244, 238, 226), mix(light.ambient, (255, 255, 255), 0.2))
    rim = max(2, wide // 22)
    shadow = terrain.blob(round(wide * 1.3), round(tall * 1.25), (0, 0, 0), 46)
    plate.paste(shadow, (x - round(wide * 0.12), y - round(tall * 0.08)), shadow)
    plate.paste(frame, (x - rim, y - rim, x + wide + rim, y + tall + rim))
    plate.paste(terrain.column(wide, tall, [(0.0, light.top), (0.6, light.middle), (1.0, light.low)]), (x, y))
    heights = terrain.hills(stage.number("view"), wide, tall * 0.14, tall * 0.3, wide * 0.6)
    view = terrain.band(heights, tall, stage.tone((96, 142, 84), 0.35), stage.tone((72, 112, 70), 0.2))
    plate.paste(view, (x, y), view)
    plate.paste(frame, (x + wide // 2 - rim // 2, y, x + wide // 2 + rim // 2 + 1, y + tall))
    plate.paste(frame, (x, y + tall // 2 - rim // 2, x + wide, y + tall // 2 + rim // 2 + 1))
    plate.paste(scale(frame, 0.9), (x - rim * 2, y + tall + rim, x + wide + rim * 2, y + tall + rim * 3))


def _studio(stage: Stage) -> None:
    stream = stage.stream("studio")
    wish = stage.reading.tints.get("ground_tint") or (stage.reading.colours[0] if stage.reading.colours else None)
    if wish is None:
        white = any(word in stage.reading.text.lower() for word in ("white", "weiß", "blanc", "vit "))
        wish = (
            (246, 246, 246)
            if white
            else stream.choice(((244, 214, 190), (196, 220, 226), (226, 214, 238), (208, 226, 204), (250, 226, 170)))
        )
    plate = terrain.column(
        stage.width,
        stage.height,
        [(0.0, scale(wish, 0.93)), (0.62, wish), (0.8, mix(wish, (255, 255, 255), 0.25)), (1.0, scale(wish, 0.88))],
    )
    middle = (stage.width // 2, round(stage.height * 0.42))
    terrain.shine(plate, middle, int(stage.unit * 1.5), (255, 255, 255), 120)
    stage.layers.append(Plate(plate))


def _abstract(stage: Stage) -> None:
    from opperlite.engine.abstract import compose_abstract

    compose_abstract(stage)


HORIZONS: Final = {
    "meadow": 0.52, "farm": 0.46, "garden": 0.55, "forest": 0.66, "jungle": 0.66, "mountains": 0.62, "desert": 0.5,
    "beach": 0.5, "sea": 0.5, "lake": 0.52, "city": 0.72, "street": 0.62, "village": 0.5, "snowfield": 0.56,
    "underwater": 0.82, "space": 1.0, "moonscape": 0.62, "sky": 1.0, "room": 0.64, "studio": 0.8, "abstract": 1.0,
}  # fmt: skip

_BUILDERS: Final[dict[str, Callable[[Stage], None]]] = {
    "meadow": _meadow,
    "farm": _farm,
    "garden": _garden,
    "forest": _forest,
    "jungle": _jungle,
    "mountains": _mountain_land,
    "desert": _desert,
    "beach": _beach,
    "sea": _sea,
    "lake": _lake,
    "city": _city,
    "street": _street,
    "village": _village,
    "snowfield": _snowfield,
    "underwater": _underwater,
    "space": _space,
    "moonscape": _moonscape,
    "sky": _sky_only,
    "room": _room,
    "studio": _studio,
    "abstract": _abstract,
}
