"""Weather in front of a scene: rain, snow, fog, bubbles, and leaves or petals of the season."""

from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.gradients import radial
from opperlite.engine.pictures.layers import Falling, Veil
from opperlite.engine.pictures.light import mix
from opperlite.engine.pictures.noise import smooth
from opperlite.engine.pictures.outlines import ellipse, stroked
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour

_AUTUMN: Final = ((214, 120, 40), (190, 72, 40), (226, 172, 60))
"""Colours of falling leaves."""


def fall(stage: Stage) -> None:
    """Add what falls or floats between the scene and the eye."""
    weather, setting = stage.reading.weather, stage.setting
    if setting == "underwater":
        _bubbles(stage)
        return
    if setting in ("space", "moonscape", "studio", "abstract", "room"):
        return
    if "rain" in weather or "storm" in weather:
        _rain(stage)
    if "leaves" in weather:
        _leaves(stage, _AUTUMN, 70)
    elif "snow" in weather:
        _flakes(stage, 260, (255, 255, 255))
    elif stage.reading.season == "winter" and not weather:
        _flakes(stage, 90, (255, 255, 255))
    elif stage.reading.season == "autumn" and setting not in ("sea", "sky"):
        _leaves(stage, _AUTUMN)
    elif stage.reading.season == "spring" and setting in ("garden", "meadow", "village", "forest"):
        _leaves(stage, ((250, 200, 214), (255, 226, 232), (240, 166, 190)))
    if "fog" in weather:
        fog(stage)
    if "dreamy" in stage.reading.moods and stage.setting not in ("sea", "sky", "city"):
        _fireflies(stage)


def fog(stage: Stage, number: int = 1, density: int = 120) -> None:
    """A bank of mist, densest in its middle; number 0 lies farther away than 1."""
    half, rows = stage.width * 3 // 4 + 1, round(stage.height * 0.66)
    small = smooth(stage.number("fog", number), max(2, rows // 6), max(2, half // 6), (rows / 18, half / 12), 4)
    mask = np.asarray(scaled(Image.fromarray(small), (half, rows)), np.int32)
    bell = (255 * np.clip(1.3 - 1.3 * np.abs(np.arange(rows) / max(1, rows) * 2.0 - 1.0), 0.0, 1.0)).astype(np.int32)
    alpha = np.clip((mask + 40) * bell[:, None] // 255, 0, density).astype(np.uint8)
    # Mirrored, so that the drifting bank has no seam.
    alpha = np.concatenate((alpha, alpha[:, ::-1]), axis=1)
    image = Image.new("RGBA", (2 * half, rows), (*mix(stage.light.haze, (255, 255, 255), 0.25), 0))
    image.putalpha(Image.fromarray(alpha))
    top = round(stage.height * (0.3 + 0.08 * number))
    stage.layers.append(Veil(image, top, stage.width * 0.012 * (1 + number)))


def _drops(
    stage: Stage, count: int, kinds: int, speed: tuple[float, float], name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    stream = stage.stream(name)
    out = np.zeros((count, 5))
    for number in range(count):
        kind = min(kinds - 1, int(stream.random() ** 1.6 * kinds))
        near = (kind + 0.5) / kinds
        pace = (speed[0] + (speed[1] - speed[0]) * near) * stage.height
        out[number] = (
            stream.random() * stage.width * 1.05,
            stream.random() * stage.height * 1.05,
            pace,
            kind,
            stream.uniform(0, 6.28),
        )
    return out


def _flakes(stage: Stage, count: int, colour: Colour) -> None:
    sprites = [_dot(max(2.0, stage.unit * size), colour, 235) for size in (0.005, 0.008, 0.012, 0.018)]
    drops = _drops(stage, count, 4, (0.05, 0.16), "flakes")
    stage.layers.append(Falling(sprites, drops, 0.12, stage.unit * 0.012))


def _dot(extent: float, colour: Colour, opacity: int) -> Image.Image:
    size = max(3, round(extent) + 2)
    mask = Image.new("L", (size, size))
    raster.fill(mask, [ellipse(size / 2, size / 2, extent / 2, extent / 2, 20)], (opacity,))
    image = Image.new("RGBA", mask.size, (*colour, 0))
    image.putalpha(mask)
    return image


def _rain(stage: Stage) -> None:
    sprites = []
    for size in (0.03, 0.05, 0.075):
        tall = max(4, round(stage.unit * size))
        wide = max(3, tall // 6 + 2)
        mask = Image.new("L", (wide, tall))
        line = np.array(((1.0, tall - 1.0), (wide - 1.0, 1.0)))
        raster.fill(mask, stroked(line, max(0.8, stage.unit * 0.0016)), (150,))
        image = Image.new("RGBA", mask.size, (226, 236, 246, 0))
        image.putalpha(mask)
        sprites.append(image)
    stage.layers.append(Falling(sprites, _drops(stage, 260, 3, (0.9, 1.6), "rain"), -0.16, 0.0))


def _leaves(stage: Stage, colours: tuple[Colour, ...], count: int = 26) -> None:
    sprites = []
    for number, colour in enumerate(colours):
        size = max(5, round(stage.unit * (0.018 + 0.007 * number)))
        canvas = Image.new("RGBA", (size, size))
        leaf = ellipse(size / 2, size / 2, size * 0.46, size * 0.24, 24)
        raster.fill(canvas, [leaf], (*colour, 255))
        image = Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")
        sprites.append(image.rotate(30 + 50 * number, Image.Resampling.BICUBIC))
    stage.layers.append(Falling(sprites, _drops(stage, count, 3, (0.03, 0.08), "leaves"), 0.5, stage.unit * 0.03))


def _fireflies(stage: Stage) -> None:
    """Small lights that rise through an enchanted place."""
    sprites = []
    for size in (0.012, 0.02, 0.03):
        extent = max(6, round(stage.unit * size))
        spark = radial(extent, (255, 246, 186), 235, 1.6)
        core = _dot(max(2.0, extent * 0.22), (255, 255, 236), 255)
        spark.alpha_composite(core, ((spark.width - core.width) // 2, (spark.height - core.height) // 2))
        sprites.append(spark)
    stage.layers.append(Falling(sprites, _drops(stage, 60, 3, (-0.012, -0.03), "fireflies"), 0.0, stage.unit * 0.02))


def _bubbles(stage: Stage) -> None:
    sprites = []
    for size in (0.008, 0.014, 0.024):
        extent = max(4, round(stage.unit * size))
        canvas = Image.new("L", (extent + 2, extent + 2))
        centre, radius = extent / 2 + 1, extent / 2
        raster.fill(canvas, [ellipse(centre, centre, radius, radius)], (60,))
        raster.fill(
            canvas,
            [ellipse(centre, centre, radius, radius), ellipse(centre, centre, radius * 0.84, radius * 0.84)[::-1]],
            (190,),
        )
        raster.fill(
            canvas, [ellipse(centre - radius * 0.35, centre - radius * 0.35, radius * 0.2, radius * 0.2, 16)], (255,)
        )
        image = Image.new("RGBA", canvas.size, (230, 250, 255, 0))
        image.putalpha(canvas)
        sprites.append(image)
    drops = _drops(stage, 46, 3, (-0.05, -0.12), "bubbles")
    stage.layers.append(Falling(sprites, drops, 0.0, stage.unit * 0.01))
