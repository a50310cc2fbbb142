"""Abstract compositions: for prompts that name shapes, or nothing that is known."""

import math

import numpy as np
from PIL import Image

from opperlite.engine.pictures import raster, terrain
from opperlite.engine.pictures.layers import Motion, Plate, Sprite
from opperlite.engine.pictures.light import mix
from opperlite.engine.pictures.noise import Stream, fingerprint
from opperlite.engine.pictures.outlines import ellipse
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
    plate = terrain.column(
        stage.width, stage.height, [(0.0, colours[0]), (0.6, mix(colours[0], colours[1], 0.7)), (1.0, colours[1])]
    )
    for number in range(3):
        extent = int(stage.unit * stream.uniform(0.9, 1.6))
        middle = (stream.below(stage.width), stream.below(stage.height))
        terrain.shine(plate, middle, extent, colours[2 + number % 3], 170)
    stage.layers.append(Plate(plate))
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


def _canvas(size: int) -> Image.Image:
    return Image.new("RGBA", (size, size))


def _done(canvas: Image.Image, opacity: float = 0.9) -> Image.Image:
    image = Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")
    image.putalpha(image.getchannel("A").point([round(value * opacity) for value in range(256)]))
    return image


def _circle(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    raster.fill(canvas, [ellipse(size / 2, size / 2, size * 0.48, size * 0.48, 120)], (*colour, 255))
    if stream.chance(0.5):
        raster.fill(
            canvas,
            [ellipse(size * 0.42, size * 0.42, size * 0.3, size * 0.3, 96)],
            (*mix(colour, (255, 255, 255), 0.3), 255),
        )
    return _done(canvas, stream.uniform(0.6, 0.95))


def _arc(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    for number in range(3):
        outer = size * (0.48 - 0.13 * number)
        inner = outer - size * 0.07
        raster.fill(
            canvas,
            [
                ellipse(size / 2, size, outer * 1.0, outer * 2, 120),
                ellipse(size / 2, size, inner, inner * 2, 120)[::-1],
            ],
            (*colour, 255),
        )
    return _done(canvas).rotate(90 * stream.below(4))


def _bars(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    for number in range(6):
        y = size * (number + 0.2) / 6
        raster.fill(
            canvas, [np.array(((0.0, y), (size, y), (size, y + size * 0.07), (0.0, y + size * 0.07)))], (*colour, 255)
        )
    return _done(canvas, 0.8).rotate(90 * stream.below(2))


def _triangle(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    start = stream.random() * 2 * math.pi
    corners = [
        (size / 2 + size * 0.48 * math.cos(start + turn), size / 2 + size * 0.48 * math.sin(start + turn))
        for turn in (0.0, 2.1, 4.2)
    ]
    raster.fill(canvas, [np.array(corners)], (*colour, 255))
    return _done(canvas, 0.85)


def _dots(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    count = 4 + stream.below(3)
    step = size / count
    spots = [
        ellipse((i + 0.5) * step, (j + 0.5) * step, step * 0.2, step * 0.2, 20)
        for i in range(count)
        for j in range(count)
    ]
    raster.fill(canvas, spots, (*colour, 255))
    return _done(canvas)


def _wave(size: int, colour: Colour, stream: Stream) -> Image.Image:
    canvas = _canvas(size)
    for number in range(3):
        y = size * (0.3 + 0.2 * number)
        upper = [(i * size / 40, y + math.sin(i / 40 * 4 * math.pi) * size * 0.07) for i in range(41)]
        line = upper + [(x, b + size * 0.05) for x, b in reversed(upper)]
        raster.fill(canvas, [np.array(line)], (*colour, 255))
    return _done(canvas, stream.uniform(0.7, 0.95))
