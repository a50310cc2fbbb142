"""Abstract compositions: for prompts that name shapes, or nothing that is known."""

import math

import numpy as np
from PIL import Image

from opperlite.engine.pictures import gradients, raster
from opperlite.engine.pictures.layers import Motion, Plate, Sprite
from opperlite.engine.pictures.light import mix
from opperlite.engine.pictures.noise import Stream, fingerprint
from opperlite.engine.pictures.outlines import ellipse, rectangle
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour, hex_colour

PALETTES = (
    "#264653 #2a9d8f #e9c46a #f4a261 #e76f51",
    "#1d3557 #457b9d #a8dadc #f1faee #e63946",
    "#22223b #4a4e69 #9a8c98 #c9ada7 #f2e9e4",
    "#0b3954 #087e8b #bfd7ea #ff5a5f #c81d25",
    "#355070 #6d597a #b56576 #e56b6f #eaac8b",
    "#132a13 #31572c #4f772d #90a955 #ecf39e",
    "#3d0066 #5c0099 #c86bfa #ffd6ff #fdc500",
    "#03071e #6a040f #d00000 #f48c06 #ffba08",
    "#f8edeb #fec5bb #d8e2dc #ffe5d9 #9d8189",
    "#001219 #005f73 #94d2bd #ee9b00 #9b2226",
)


def compose_abstract(stage: Stage) -> None:
    """A gradient with large soft and small sharp shapes that drift; words decide palette and kind."""
    stream = Stream("abstract", stage.seed, stage.reading.text)
    colours = palette_of(stage)
    small = gradients.column(
        *gradients.half(stage.width, stage.height),
        [(0.0, colours[0]), (0.6, mix(colours[0], colours[1], 0.7)), (1.0, colours[1])],
    )
    for number in range(3):
        extent = int(stage.unit * stream.uniform(0.45, 0.8))
        middle = (stream.below(small.width), stream.below(small.height))
        gradients.shine(small, middle, extent, colours[2 + number % 3], 170)
    stage.layers.append(Plate(gradients.enlarged(small, stage.width, stage.height)))
    shapes = (_circle, _arc, _bars, _triangle, _dots, _wave)
    for number in range(11):
        size = stage.unit * (0.62 if number < 3 else stream.uniform(0.1, 0.34))
        image = stream.choice(shapes)(max(8, round(size)), colours[1 + stream.below(4)], stream)
        x, y = stream.random() * stage.width - size / 2, stream.random() * stage.height - size / 2
        motion = Motion(
            across=stage.unit * 0.02 * stream.uniform(-1, 1),
            reach=stage.unit * 0.08,
            bob=size * 0.06,
            period=stream.uniform(5, 9),
            start=stream.random(),
        )
        stage.layers.append(Sprite([image], x, y, 0.2 + 0.07 * number, motion))


def palette_of(stage: Stage) -> list[Colour]:
    """Five colours: the prompt's own first, the rest by its unknown words."""
    words = stage.reading.unknown or (stage.reading.text, stage.seed)
    chosen = [hex_colour(part) for part in PALETTES[fingerprint(*words) % len(PALETTES)].split()]
    own = [*stage.reading.colours, *stage.reading.tints.values()][:4]
    if own:
        chosen = [mix(own[0], (16, 16, 30), 0.55), *own, *(mix(own[-1], (255, 255, 255), 0.5), own[0]), *chosen]
    return chosen[:5]


def _stamp(size: int, outlines: list[raster.Outline], colour: Colour, opacity: float = 0.9) -> Image.Image:
    """The outlines' union in one colour."""
    mask = Image.new("L", (size, size))
    raster.fill(mask, outlines, (round(255 * opacity),))
    image = Image.new("RGB", mask.size, colour)
    image.putalpha(mask)
    return image


def _circle(size: int, colour: Colour, stream: Stream) -> Image.Image:
    lit = stream.chance(0.5)
    whole = ellipse(size / 2, size / 2, size * 0.48, size * 0.48, 120)
    image = _stamp(size, [whole], colour, stream.uniform(0.6, 0.95))
    if lit:
        bright = Image.new("L", image.size)
        raster.fill(bright, [ellipse(size * 0.42, size * 0.42, size * 0.3, size * 0.3, 96)], (255,))
        alpha = image.getchannel("A")
        image.paste(mix(colour, (255, 255, 255), 0.3), (0, 0), bright)
        image.putalpha(alpha)
    return image


def _arc(size: int, colour: Colour, stream: Stream) -> Image.Image:
    rings: list[raster.Outline] = []
    for number in range(3):
        outer = size * (0.48 - 0.13 * number)
        inner = outer - size * 0.07
        rings.append(ellipse(size / 2, size, outer, outer * 2, 120))
        rings.append(ellipse(size / 2, size, inner, inner * 2, 120)[::-1])
    return _stamp(size, rings, colour).rotate(90 * stream.below(4))


def _bars(size: int, colour: Colour, stream: Stream) -> Image.Image:
    tops = [size * (number + 0.2) / 6 for number in range(6)]
    bars = [rectangle(0.0, y, size, size * 0.07) for y in tops]
    return _stamp(size, bars, colour, 0.8).rotate(90 * stream.below(2))


def _triangle(size: int, colour: Colour, stream: Stream) -> Image.Image:
    start = stream.random() * 2 * math.pi
    corners = [
        (size / 2 + size * 0.48 * math.cos(start + turn), size / 2 + size * 0.48 * math.sin(start + turn))
        for turn in (0.0, 2.1, 4.2)
    ]
    return _stamp(size, [np.array(corners)], colour, 0.85)


def _dots(size: int, colour: Colour, stream: Stream) -> Image.Image:
    count = 4 + stream.below(3)
    step = size / count
    middles = [((i + 0.5) * step, (j + 0.5) * step) for i in range(count) for j in range(count)]
    return _stamp(size, [ellipse(x, y, step * 0.2, step * 0.2, 20) for x, y in middles], colour)


def _wave(size: int, colour: Colour, stream: Stream) -> Image.Image:
    waves = []
    for number in range(3):
        y = size * (0.3 + 0.2 * number)
        upper = [(i * size / 40, y + math.sin(i / 40 * 4 * math.pi) * size * 0.07) for i in range(41)]
        waves.append(np.array(upper + [(x, b + size * 0.05) for x, b in reversed(upper)]))
    return _stamp(size, waves, colour, stream.uniform(0.7, 0.95))
