"""Land as bands: outlines of hills, peaks, trees and roofs turned into RGBA strips.

An outline is an array of heights in pixels above the band's foot, one per column.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures.light import mix, scale
from opperlite.engine.pictures.noise import Stream, fingerprint, profile, smooth, white
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.symbols import Colour

Heights = NDArray[np.float64]


def hills(seed: int, width: int, low: float, high: float, cell: float) -> Heights:
    """Soft rolling outlines between two heights."""
    return low + (high - low) * (profile(seed, width, cell, 3, 0.35) * 0.75 + 0.5)


def peaks(seed: int, width: int, low: float, high: float, cell: float) -> Heights:
    """Mountain outlines: tent-shaped summits with broken flanks."""
    stream = Stream("peaks", seed)
    heights = np.full(width, low)
    places = np.arange(width, dtype=np.float64)
    at = -cell * stream.random()
    while at < width + cell:
        top = low + (high - low) * stream.uniform(0.45, 1.0)
        left, right = cell * stream.uniform(0.7, 1.25), cell * stream.uniform(0.7, 1.25)
        tent = np.where(places < at, 1.0 - (at - places) / left, 1.0 - (places - at) / right)
        np.maximum(heights, low + (top - low) * np.clip(tent, 0.0, 1.0), out=heights)
        at += cell * stream.uniform(0.5, 0.95)
    return heights + profile(fingerprint(seed, "flank"), width, cell / 3, 4, 0.55) * (high - low) * 0.1


def conifers(seed: int, width: int, base: Heights, size: float) -> Heights:
    """A row of fir tops standing on an outline."""
    stream = Stream("conifers", seed)
    heights = base.copy()
    at = -size * 0.3
    while at < width + size * 0.3:
        tall, half = size * stream.uniform(0.6, 1.0), size * stream.uniform(0.17, 0.26)
        first, last = max(0, int(at - half)), min(width, int(at + half) + 1)
        if first < last:
            away = np.abs(np.arange(first, last) - at) / half
            # Steps in the flank are the tiers of branches.
            tiers = np.floor(away * 4.0) / 4.0
            shape = tall * (1.0 - 0.72 * away - 0.28 * tiers)
            heights[first:last] = np.maximum(heights[first:last], base[first:last] + shape)
        at += half * stream.uniform(0.7, 1.7)
    return heights


def crowns(seed: int, width: int, base: Heights, size: float) -> Heights:
    """A row of round tree tops standing on an outline."""
    stream = Stream("crowns", seed)
    heights = base.copy()
    at = -size * 0.4
    while at < width + size * 0.4:
        half = size * stream.uniform(0.25, 0.5)
        lift = size * stream.uniform(0.1, 0.5)
        first, last = max(0, int(at - half)), min(width, int(at + half) + 1)
        if first < last:
            away = np.clip(np.abs(np.arange(first, last) - at) / half, 0.0, 1.0)
            heights[first:last] = np.maximum(
                heights[first:last], base[first:last] + lift + half * np.sqrt(1.0 - away * away)
            )
        at += half * stream.uniform(0.7, 1.3)
    return heights


def roofs(seed: int, width: int, low: float, high: float, cell: float) -> tuple[Heights, list[tuple[int, int, int]]]:
    """A skyline, and its buildings as (left, right, height)."""
    stream = Stream("roofs", seed)
    heights = np.zeros(width)
    blocks: list[tuple[int, int, int]] = []
    at = -int(cell * 0.5)
    while at < width:
        wide = max(4, int(cell * stream.uniform(0.55, 1.25)))
        # A mound in the middle, as centres of cities have.
        centre = 1.0 - abs((at + wide / 2) / width - 0.5) * 1.1
        tall = int(low + (high - low) * (stream.random() ** 1.6 * 0.75 + 0.25 * stream.random()) * centre)
        first, last = max(0, at), min(width, at + wide)
        if first < last:
            heights[first:last] = tall
            _crowned(heights, stream, first, last, tall, high)
            blocks.append((first, last, tall))
        at += wide + (int(cell * 0.15) if stream.chance(0.25) else 0)
    return heights, blocks


def _crowned(heights: Heights, stream: Stream, first: int, last: int, tall: int, high: float) -> None:
    kind, wide = stream.below(5), last - first
    if kind == 0 and wide > 6:
        inner = wide // 4
        heights[first + inner : last - inner] = tall + high * 0.06
    elif kind == 1:
        middle = (first + last) // 2
        heights[middle : middle + max(1, wide // 18)] = tall + high * 0.16
    elif kind == 2 and wide > 6:
        heights[first:last] = tall + np.linspace(0, high * 0.1, last - first)


def band(
    heights: Heights, rows: int, upper: Colour, lower: Colour, *, foot: int = 0, texture: int = 0, seed: int = 0
) -> Image.Image:
    """The outline filled from its top colour to its foot colour; `rows` high, `foot` more opaque rows below.

    texture is the strength, 0 to 255, of mottling.
    """
    width, total = len(heights), rows + foot
    tops = np.rint((rows - np.clip(heights, 0, rows)) * 256.0).astype(np.int32)
    highest = int(tops.min()) // 256
    steps = [min(1.0, max(0.0, (row - highest) / max(1, total - highest))) for row in range(total)]
    image = _gradient(width, [mix(upper, lower, step) for step in steps])
    if texture:
        mottle(image, texture, seed, (max(6.0, total / 5), max(10.0, total / 2)))
    alpha = np.full((total, width), 255, np.uint8)
    lowest = min(total, int(tops.max()) // 256 + 2)
    lines = np.arange(lowest, dtype=np.int32)[:, None] * 256 + 256
    alpha[:lowest] = np.clip(lines - tops[None, :], 0, 255)
    image.putalpha(Image.fromarray(alpha))
    return image


def _gradient(width: int, colours: list[Colour]) -> Image.Image:
    """One row per colour."""
    column_ = Image.frombytes("RGB", (1, len(colours)), b"".join(bytes(colour) for colour in colours))
    return column_.resize((width, len(colours)), Image.Resampling.NEAREST)


def mottle(image: Image.Image, strength: int, seed: int, cell: tuple[float, float]) -> None:
    """Vary the lightness of an RGB image in place by smooth noise; made at half size."""
    width, height = image.size
    rows, columns = max(2, (height + 1) // 2), max(2, (width + 1) // 2)
    noise = Image.fromarray(smooth(seed, rows, columns, (cell[0] / 2, cell[1] / 2), 4))
    _shade(image, scaled(noise, image.size, Image.Resampling.BILINEAR), strength)


def _shade(image: Image.Image, noise: Image.Image, strength: int) -> None:
    """Lay white where the noise is above its middle and black where it is below."""
    image.paste((255, 255, 255), (0, 0), noise.point([max(0, value - 128) * strength // 170 for value in range(256)]))
    image.paste((0, 0, 0), (0, 0), noise.point([max(0, 128 - value) * strength // 128 for value in range(256)]))


def rock(heights: Heights, rows: int, light: Colour, dark: Colour, haze: Colour, seed: int, snow: float) -> Image.Image:
    """Mountains with lit and shaded flanks and, from the share `snow` of their height upwards, snow."""
    width = len(heights)
    tops = rows - np.clip(heights, 0, rows)
    smooth_line = _averaged(heights, max(2, width // 160))
    slope = np.zeros(width)
    slope[1:-1] = smooth_line[2:] - smooth_line[:-2]
    depth = np.arange(rows, dtype=np.float64)[:, None] - tops[None, :]
    jag = (smooth(seed, rows, width, (rows / 4, width / 14), 4).astype(np.float64) - 128.0) / 128.0
    # The edge between light and shade runs down from the summits aslant and broken.
    index = np.arange(width)[None, :] - depth * 0.22 + jag * rows * 0.16
    shaded = slope[np.clip(index, 0, width - 1).astype(np.int64)] < 0
    fade = np.clip(np.arange(rows) / rows, 0, 1)[:, None] ** 2 * 0.75
    out = np.empty((rows, width, 4), np.uint8)
    cap = None
    if snow < 1.0:
        line = rows * (1.0 - snow) + jag * rows * 0.16
        cap = (np.arange(rows)[:, None] < line) & (tops[None, :] < rows * (1.0 - snow))
    for channel in range(3):
        face = np.where(shaded, float(dark[channel]), float(light[channel])) * (1.0 + jag * 0.08)
        if cap is not None:
            white_face = np.where(
                shaded, mix(dark, (235, 242, 255), 0.72)[channel], mix(light, (255, 255, 255), 0.88)[channel]
            )
            face = np.where(cap, white_face, face)
        out[:, :, channel] = np.clip(face + (haze[channel] - face) * fade, 0, 255).astype(np.uint8)
    lines = np.arange(rows, dtype=np.float64)[:, None] + 1.0 - tops[None, :]
    out[:, :, 3] = np.clip(lines * 255.0, 0, 255).astype(np.uint8)
    return Image.fromarray(out)


def _averaged(line: Heights, reach: int) -> Heights:
    padded = np.concatenate((np.full(reach, line[0]), line, np.full(reach, line[-1])))
    sums = np.concatenate((np.zeros(1), np.cumsum(padded)))
    averages: Heights = (sums[2 * reach :] - sums[: -2 * reach])[: len(line)] / (2 * reach)
    return averages


def windows(
    image: Image.Image,
    blocks: list[tuple[int, int, int]],
    rows: int,
    step: float,
    colour: Colour,
    share: float,
    seed: int,
) -> None:
    """Draw the windows of a skyline: a share of them is lit in a colour, the rest is a shade darker."""
    pixels = np.array(image)
    pitch = max(3, round(step))
    wide, tall = max(1, pitch * 5 // 9), max(1, pitch * 6 // 9)
    dice = white(seed, 64, 64)
    for number, (left, right, height) in enumerate(blocks):
        inset = max(1, (right - left) % pitch // 2 + pitch // 3)
        for row, y in enumerate(range(rows - height + pitch, pixels.shape[0] - pitch, pitch)):
            for column, x in enumerate(range(left + inset, right - wide, pitch)):
                if dice[(row + number * 7) % 64, (column + number * 13) % 64] < share * 255:
                    pixels[y : y + tall, x : x + wide, :3] = colour
                elif number % 3:
                    cell = pixels[y : y + tall, x : x + wide, :3]
                    cell[:] = (cell.astype(np.uint16) * 215 >> 8).astype(np.uint8)
    image.paste(Image.fromarray(pixels))


def ground(
    width: int, rows: int, far: Colour, near: Colour, seed: int, *, strength: int = 34, flat: float = 6.0
) -> Image.Image:
    """An opaque plain seen at a slant: mottling is flattened towards the horizon."""
    steps = [row / max(1, rows - 1) for row in range(rows)]
    image = _gradient(width, [mix(far, near, step) for step in steps])
    noise = Image.fromarray(smooth(seed, max(2, rows // 2), max(2, width // 2), (rows / 5, rows / 5 * flat / 2), 4))
    grain = np.asarray(scaled(noise, (width, rows), Image.Resampling.BILINEAR))
    # Rows near the horizon take their noise from further apart: seen at a slant it is squeezed.
    order = [min(rows - 1, round(rows * math.sqrt(step))) for step in steps]
    _shade(image, Image.fromarray(grain[order]), strength)
    image.putalpha(255)
    return image


def blades(image: Image.Image, colour: Colour, seed: int, size: float, count: int) -> None:
    """Tufts of grass over a ground, larger towards the lower edge; drawn into the image."""
    stream = Stream("blades", seed)
    width, rows = image.size
    small = [tuft(Stream("tuft", seed, kind), scale(colour, 0.82 + 0.12 * kind), size) for kind in range(4)]
    sprites = [
        [
            scaled(part, (max(1, round(part.width * step / 4)), max(1, round(part.height * step / 4))))
            for step in (1, 2, 3, 4)
        ]
        for part in small
    ]
    spots = sorted((stream.random() ** 0.7, stream.random()) for _ in range(count))
    for near, across in spots:
        sprite = sprites[stream.below(4)][min(3, int(near * 4))]
        image.paste(sprite, (round(across * width) - sprite.width // 2, round(near * rows) - sprite.height), sprite)


def tuft(stream: Stream, colour: Colour, size: float) -> Image.Image:
    """One tuft of grass."""
    from opperlite.engine.pictures import raster

    extent = max(3, round(size))
    canvas = Image.new("RGBA", (extent * 2, extent))
    for _ in range(5):
        root, tip = extent + stream.uniform(-0.3, 0.3) * extent, extent + stream.uniform(-0.9, 0.9) * extent
        top, half = extent * stream.uniform(0.0, 0.45), extent * 0.07
        blade = np.array(
            (
                (root - half, extent),
                (mixf(root, tip, 0.4) - half, mixf(extent, top, 0.6)),
                (tip, top),
                (root + half, extent),
            )
        )
        raster.fill(canvas, [blade], (*scale(colour, stream.uniform(0.85, 1.15)), 255))
    return Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")


def mixf(first: float, second: float, part: float) -> float:
    """A number between two."""
    return first + (second - first) * part


def radial(diameter: int, colour: Colour, strength: int, power: float = 2.0) -> Image.Image:
    """A glow: RGBA of a colour that fades from `strength` in the middle to nothing at the rim."""
    mask = _glow(diameter, strength, power)
    image = Image.new("RGBA", mask.size, (*colour, 0))
    image.putalpha(mask)
    return image


def shine(
    plate: Image.Image, middle: tuple[int, int], diameter: int, colour: Colour, strength: int, power: float = 2.0
) -> None:
    """Lay a glow onto an RGB picture."""
    mask = _glow(diameter, strength, power)
    plate.paste(colour, (middle[0] - mask.width // 2, middle[1] - mask.height // 2), mask)


def _glow(diameter: int, strength: int, power: float) -> Image.Image:
    # Pillow's radial gradient reaches 181 at the middle of the sides.
    table = [round(strength * max(0.0, 1.0 - i / 180.0) ** power) for i in range(256)]
    extent = max(2, diameter)
    return scaled(Image.radial_gradient("L").point(table), (extent, extent), Image.Resampling.BILINEAR)


def blob(width: int, height: int, colour: Colour, strength: int) -> Image.Image:
    """A soft elliptic shadow."""
    table = [round(strength * min(1.0, max(0.0, 1.35 * (1.0 - i / 180.0)))) for i in range(256)]
    mask = scaled(Image.radial_gradient("L").point(table), (max(2, width), max(2, height)), Image.Resampling.BILINEAR)
    image = Image.new("RGBA", mask.size, (*colour, 0))
    image.putalpha(mask)
    return image


def ripple(width: int, amplitude: float, length: float, start: float) -> Heights:
    """The outline of a wave: sharp crests and round troughs."""
    turns = np.arange(width) / length + start
    part = turns - np.floor(turns)
    return np.array(amplitude * (1.0 - np.abs(2.0 * part - 1.0)) ** 1.6)


def column(width: int, height: int, stops: list[tuple[float, Colour]]) -> Image.Image:
    """A vertical gradient through colours at places 0 to 1; dithered, so that no bands show."""
    places = [stop[0] for stop in stops]
    rows = np.arange(height) / max(1, height - 1)
    # A 4 by 4 Bayer matrix: bands of one step would show in wide skies.
    bayer = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5)), np.int64) * 16 + 8
    tile = np.tile(bayer, (math.ceil(height / 4), 1))[:height]
    out = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        line = np.interp(rows, places, [stop[1][channel] for stop in stops])
        fixed = np.rint(line * 256.0).astype(np.int64)[:, None]
        four = np.clip((fixed + tile - 0) >> 8, 0, 255).astype(np.uint8)
        out[:, :, channel] = np.tile(four, (1, math.ceil(width / 4)))[:, :width]
    return Image.fromarray(out)
