"""Streets and cities."""

import numpy as np
from PIL import Image

from opperlite.engine.pictures import contours, raster, terrain
from opperlite.engine.pictures.bands import Band
from opperlite.engine.pictures.countryside import SNOW, meadow, plain
from opperlite.engine.pictures.layers import Strip
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.light import mix, scale
from opperlite.engine.pictures.skies import sky
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.waterside import water_layer


def _skyline(
    stage: Stage, high: float, cell: float, distance: float, depth: float, share: float, *, base: int | None = None
) -> None:
    rows = max(8, round(stage.unit * high))
    heights, blocks = contours.roofs(
        stage.number("roofs", high, distance), stage.wide, rows * 0.25, rows * 0.84, stage.unit * cell
    )
    wall = stage.land(stage.stream("wall", distance).choice(((108, 120, 146), (136, 124, 132), (120, 132, 140))))
    # At night the near houses stand dark before the glow of the far ones.
    tone = stage.tone(scale(wall, 0.4 + 0.6 * distance) if stage.light.night else wall, distance)
    image = terrain.band(
        heights, rows, mix(tone, stage.light.low, 0.12), mix(scale(tone, 0.8), stage.light.haze, 0.25), foot=6
    )
    dark = stage.light.night or stage.light.sun_height < 0.3
    glow = mix((255, 222, 140), stage.light.haze, distance * 0.5) if dark else mix(tone, (226, 240, 250), 0.45)
    terrain.windows(
        image.colours,
        blocks,
        rows,
        stage.unit * cell * 0.16,
        glow,
        share if dark else 0.7,
        stage.number("panes", distance),
    )
    stage.layers.append(Strip(image, (stage.horizon if base is None else base) - rows, depth))


def city(stage: Stage) -> None:
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
        water_layer(stage, stage.height, mirror=0.62)


def _pavement(stage: Stage) -> None:
    colour = SNOW if stage.snowy else stage.land((148, 150, 158))
    plain(stage, colour, tufts=False, strength=14)
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
    drawn = Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")
    stage.layers.append(Strip(Band.of(drawn), stage.horizon, 0.5))


def street(stage: Stage) -> None:
    sky(stage)
    _skyline(stage, 0.36, 0.09, 0.55, 0.06, 0.3)
    _skyline(stage, 0.4, 0.17, 0.16, 0.16, 0.45)
    plain(stage, SNOW if stage.snowy else stage.land((166, 160, 150)), tufts=False, strength=12)
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
    drawn = Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")
    stage.layers.append(Strip(Band.of(drawn), stage.horizon, 0.5))


def village(stage: Stage) -> None:
    meadow(stage)
