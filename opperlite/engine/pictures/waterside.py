"""Water: sea, beach, lake, and below the surface."""

import numpy as np
from PIL import Image

from opperlite.engine.pictures import contours, gradients, raster, terrain
from opperlite.engine.pictures.bands import Band
from opperlite.engine.pictures.countryside import SNOW, far_range, grass, mountains, tree_line
from opperlite.engine.pictures.layers import Plate, Strip, Veil, Water, margin
from opperlite.engine.pictures.light import lit, mix, saturated, scale
from opperlite.engine.pictures.noise import smooth
from opperlite.engine.pictures.outlines import stroked
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.skies import sky, sun_place
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour, luma


def water_layer(stage: Stage, bottom: int, *, mirror: float = 0.55) -> None:
    rows = bottom - stage.horizon
    deep = water_colour(stage)
    gradient = gradients.column(
        stage.width, rows, [(0.0, mix(deep, stage.light.low, 0.55)), (0.35, deep), (1.0, scale(deep, 0.72))]
    )
    strength = round(255 * (1.0 - mirror))
    alpha = bytes(min(255, strength + round(70 * row / max(1, rows - 1))) for row in range(rows))
    overlay = gradient.convert("RGBA")
    overlay.putalpha(scaled(Image.frombytes("L", (1, rows), alpha), (stage.width, rows)))
    stage.layers.append(
        Water(stage.horizon, bottom, overlay, mirror, _glints(stage, rows), mix(stage.light.low, (255, 255, 255), 0.5))
    )


def water_colour(stage: Stage) -> Colour:
    """Deep water: its own colour, and much of the sky above it."""
    wish = stage.reading.tints.get("water_tint")
    if wish:
        return lit(wish, mix(stage.light.ambient, (255, 255, 255), 0.3))
    blue = scale((34, 122, 164), luma(stage.light.ambient) / 255.0)
    return saturated(mix(blue, mix(stage.light.top, stage.light.middle, 0.3), 0.45), 1.45)


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


def beach(stage: Stage) -> None:
    sky(stage)
    far_range(stage, 0.09, (84, 124, 128), 0.5, 0.05)
    stage.shore = stage.horizon + round((stage.height - stage.horizon) * 0.45)
    lift = max(4, round(stage.unit * 0.05))
    # Down to where the foam runs out lowest.
    water_layer(stage, min(stage.height, stage.shore + 2 + round(lift * 0.4)), mirror=0.4)
    sand = stage.land((240, 212, 156)) if not stage.snowy else SNOW
    rows = stage.height - stage.shore
    heights = contours.hills(stage.number("shore"), stage.wide, lift * 0.2, lift, stage.unit * 0.8)
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


def sea(stage: Stage) -> None:
    sky(stage)
    # Rows of swell cover the rest.
    water_layer(stage, stage.horizon + max(2, (stage.height - stage.horizon) // 5), mirror=0.3)


def swell(stage: Stage, first: int, last: int) -> None:
    """Rows of waves in front of what floats; first and last number them from the horizon."""
    rough = 2.0 if {"storm", "wind"} & set(stage.reading.weather) else 0.5 if "calm" in stage.reading.moods else 1.0
    deep = water_colour(stage)
    rows = stage.height - stage.horizon
    for number in range(first, last):
        near = (number + 1) / 6
        tall = max(3, round(stage.unit * 0.022 * near * rough + 2))
        heights = contours.ripple(stage.wide, tall, stage.unit * (0.1 + 0.24 * near), number * 0.37)
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
        if stage.light.sun_seen:
            _sparkle(stage, body.colours, number, tall * 2)
        stage.layers.append(Strip(body, top - tall * 2, 0.3 + near * 0.4, sway=tall * 0.5, beat=number * 0.23))


def _sparkle(stage: Stage, body: Image.Image, number: int, skip: int) -> None:
    """The sun's path on one row of waves: short bright dashes below it, wider apart the nearer."""
    stream = stage.stream("sparkle", number)
    middle = sun_place(stage)[0] + margin(stage.width)
    colour = mix(stage.light.sun, stage.light.low, 0.3)
    near = (number + 1) / 6
    for _ in range(14):
        length = max(2, round(stage.unit * (0.008 + 0.03 * near) * stream.uniform(0.5, 1.5)))
        x = round(middle + stage.unit * (0.03 + 0.1 * near) * (stream.random() + stream.random() - 1.0))
        y = skip + stream.below(max(1, body.height - skip))
        thick = max(1, round(stage.unit * 0.003 * near + 0.5))
        mask = Image.new("L", (length, thick), 60 + stream.below(130))
        body.paste(colour, (x - length // 2, y), mask)


def lake(stage: Stage) -> None:
    sky(stage)
    mountains(stage, 0.3, 0.42, 0.06)
    tree_line(stage, 0.07, 0.25, 0.14, 0.4, fir=stage.reading.season != "autumn")
    stage.shore = stage.horizon + round((stage.height - stage.horizon) * 0.62)
    rows = stage.height - stage.shore
    lift = max(4, round(stage.unit * 0.07))
    # Down to where the bank is lowest.
    bottom = min(stage.height, stage.shore + lift // 2 + 4)
    if stage.snowy:
        _ice(stage, bottom)
    else:
        water_layer(stage, bottom, mirror=0.68)
    heights = contours.hills(stage.number("bank"), stage.wide, 0.0, lift, stage.unit * 0.7)
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
    stage.layers.append(Strip(image, stage.shore - lift // 2, 0.5))


def _ice(stage: Stage, bottom: int) -> None:
    """A frozen surface: pale, with the sky's colour in it, and cracked."""
    rows = max(2, bottom - stage.horizon)
    pale = mix(stage.tone((214, 232, 244), 0.0), stage.light.middle, 0.3)
    far, near = mix(pale, stage.light.low, 0.4), scale(pale, 0.86)
    image = terrain.ground(stage.wide, rows, far, near, stage.number("ice"), strength=40, flat=14)
    stream = stage.stream("cracks")
    bright = mix(pale, (255, 255, 255), 0.55)
    for _ in range(9):
        part = stream.random()
        x, y = stream.random() * stage.wide, rows * (0.08 + 0.9 * part)
        points = [(x, y)]
        for _ in range(5):
            x += stage.unit * (0.02 + 0.08 * part) * stream.uniform(0.4, 1.4)
            y += stage.unit * 0.022 * (0.2 + part) * stream.uniform(-1.0, 1.0)
            points.append((x, y))
        raster.fill(image, stroked(np.array(points), max(0.8, stage.unit * 0.003 * (0.3 + part))), bright, 150)
    stage.layers.append(Strip(Band.of(image), stage.horizon, 0.3))


def underwater(stage: Stage) -> None:
    light = stage.light
    tint = stage.reading.tints.get("water_tint", stage.reading.colours[0] if stage.reading.colours else (22, 116, 168))
    top = lit(mix(tint, (170, 240, 240), 0.55), light.ambient)
    plate = gradients.column(
        stage.width,
        stage.height,
        [(0.0, top), (0.45, lit(tint, light.ambient)), (1.0, lit(scale(tint, 0.36), light.ambient))],
    )
    stage.layers.append(Plate(plate))
    stage.layers.append(Veil(_rays(stage), 0, stage.width * 0.012))
    for number, distance in enumerate((0.6, 0.3)):
        rows = max(6, round(stage.unit * (0.24 - 0.06 * number)))
        heights = contours.crowns(
            stage.number("reef", number),
            stage.wide,
            contours.hills(stage.number("r", number), stage.wide, 0, rows * 0.5, stage.unit * 0.5),
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
    heights = contours.hills(stage.number("bed"), stage.wide, 0.0, lift, stage.unit * 0.5)
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
    beam = Image.fromarray(np.clip((line - 118) * 2, 0, 150).astype(np.uint8)[None, :])
    wide = np.asarray(scaled(beam, (width, 1)))[0]
    fade = (np.clip(1.0 - np.arange(rows) / (rows * 0.75), 0, 1) * 150).astype(np.int32)
    slant = (np.arange(width)[None, :] + (np.arange(rows) // 3)[:, None]) % width
    alpha = (wide[slant].astype(np.int32) * fade[:, None] // 255).astype(np.uint8)
    image = Image.new("RGBA", (width, rows), (226, 255, 250, 0))
    image.putalpha(Image.fromarray(alpha))
    return image
