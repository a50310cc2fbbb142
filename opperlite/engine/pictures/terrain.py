"""Land as bands: outlines of hills, peaks, trees and roofs filled with colour, and the ground before them."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.bands import Band, edge
from opperlite.engine.pictures.contours import Heights
from opperlite.engine.pictures.gradients import lines, steps
from opperlite.engine.pictures.gradients import radial as radial
from opperlite.engine.pictures.light import mix, scale
from opperlite.engine.pictures.noise import Stream, smooth, white
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.symbols import Colour


def band(
    heights: Heights, rows: int, upper: Colour, lower: Colour, *, foot: int = 0, texture: int = 0, seed: int = 0
) -> Band:
    """The outline filled from its top colour to its foot colour; `rows` high, `foot` more opaque rows below.

    texture is the strength, 0 to 255, of mottling.
    """
    width, total = len(heights), rows + foot
    highest = int(rows - min(rows, max(0.0, float(heights.max()))))
    parts = np.clip((np.arange(total) - highest) / max(1, total - highest), 0.0, 1.0)
    colours = lines(width, steps(upper, lower, parts))
    if texture:
        mottle(colours, texture, seed, (max(6.0, total / 5), max(10.0, total / 2)))
    return Band(colours, edge(heights, rows, total))


def mottle(image: Image.Image, strength: int, seed: int, cell: tuple[float, float]) -> None:
    """Vary the lightness of an RGB image in place by smooth noise; made at half size."""
    width, height = image.size
    rows, columns = max(2, (height + 1) // 2), max(2, (width + 1) // 2)
    noise = Image.fromarray(smooth(seed, rows, columns, (cell[0] / 2, cell[1] / 2), 4))
    _shade(image, scaled(noise, image.size, Image.Resampling.BILINEAR), strength)


def _shade(image: Image.Image, noise: Image.Image, strength: int) -> None:
    """Lay white where the noise is above its middle and black where it is below."""
    ink = noise.point([0] * 128 + [255] * 128)
    part = [(128 - value) * strength // 128 for value in range(128)]
    part += [(value - 128) * strength // 170 for value in range(128, 256)]
    image.paste(ink, (0, 0), noise.point(part))


def rock(heights: Heights, rows: int, light: Colour, dark: Colour, haze: Colour, seed: int, snow: float) -> Band:
    """Mountains with lit and shaded flanks and, from the share `snow` of their height upwards, snow.

    Drawn at half the size and enlarged; the outline alone is drawn in full.
    """
    width, high, wide = len(heights), (rows + 1) // 2, (len(heights) + 1) // 2
    jag = smooth(seed, high, wide, (rows / 8, width / 28), 4).astype(np.int32) - 128
    down = np.arange(high, dtype=np.int32)[:, None] * 2
    tops = np.rint((rows - np.clip(heights, 0, rows)) * 256.0).astype(np.int32)[::2]
    # The edge between light and shade runs down from the summits aslant and broken; in 1/256 of a column.
    broken = jag * round(rows * 0.32)
    index = (np.arange(wide, dtype=np.int32) * 512) - ((down * 256 - tops) * 56 >> 8) + broken
    kinds = _shaded(heights)[np.clip(index >> 8, 0, width - 1)].astype(np.int32)
    if snow < 1.0:
        line = round(rows * (1.0 - snow) * 256)
        kinds += 2 * ((down * 256 < line + broken) & (tops < line))
    faces = (light, dark, mix(light, (255, 255, 255), 0.88), mix(dark, (235, 242, 255), 0.72))
    varied = np.array([(1.0 + step / 1600.0 if kind < 2 else 1.0) for kind in range(4) for step in range(-128, 128)])
    table = np.clip(np.repeat(np.array(faces), 256, axis=0) * varied[:, None], 0, 255).astype(np.int16)
    colours = table[kinds * 256 + jag + 128]
    fade = np.rint(np.square(np.arange(high) / high) * 192).astype(np.int16)[:, None, None]
    colours += (np.array(haze, np.int16) - colours) // 2 * fade >> 7
    small = Image.fromarray(colours.astype(np.uint8))
    return Band(scaled(small, (width, rows), Image.Resampling.BILINEAR), edge(heights, rows, rows))


def _shaded(heights: Heights) -> NDArray[np.bool_]:
    """Which columns of an outline lie on a flank that falls to the right."""
    reach = max(2, len(heights) // 160)
    padded = np.concatenate((np.full(reach, heights[0]), heights, np.full(reach, heights[-1])))
    sums = np.concatenate((np.zeros(1), np.cumsum(padded)))
    line = (sums[2 * reach :] - sums[: -2 * reach])[: len(heights)]
    falls = np.zeros(len(heights), np.bool_)
    falls[1:-1] = line[2:] < line[:-2]
    return falls


def windows(
    image: Image.Image,
    blocks: list[tuple[int, int, int]],
    rows: int,
    step: float,
    colour: Colour,
    share: float,
    seed: int,
) -> None:
    """Draw the windows of a skyline into its RGB: a share of them is lit in a colour, the rest is a shade darker."""
    pixels = np.array(image)
    pitch = max(3, round(step))
    wide, tall = max(1, pitch * 5 // 9), max(1, pitch * 6 // 9)
    dice = white(seed, 64, 64) < share * 255
    for number, (left, right, height) in enumerate(blocks):
        inset = max(1, (right - left) % pitch // 2 + pitch // 3)
        down = np.arange(rows - height + pitch, pixels.shape[0] - pitch, pitch)
        across = np.arange(left + inset, right - wide, pitch)
        lit = dice[(np.arange(len(down)) + number * 7)[:, None] % 64, (np.arange(len(across)) + number * 13) % 64]
        ys = (down[:, None] + np.arange(tall)).ravel()[:, None]
        xs = (across[:, None] + np.arange(wide)).ravel()
        panes = lit.repeat(tall, axis=0).repeat(wide, axis=1)[:, :, None]
        walls = pixels[ys, xs]
        unlit = (walls.astype(np.uint16) * 215 >> 8).astype(np.uint8) if number % 3 else walls
        pixels[ys, xs] = np.where(panes, np.array(colour, np.uint8), unlit)
    image.paste(Image.fromarray(pixels))


def ground(
    width: int, rows: int, far: Colour, near: Colour, seed: int, *, strength: int = 34, flat: float = 6.0
) -> Image.Image:
    """An opaque plain seen at a slant, in RGB: mottling is flattened towards the horizon."""
    parts = np.arange(rows) / max(1, rows - 1)
    image = lines(width, steps(far, near, parts))
    noise = Image.fromarray(smooth(seed, max(2, rows // 2), max(2, width // 2), (rows / 5, rows / 5 * flat / 2), 4))
    grain = np.asarray(scaled(noise, (width, rows), Image.Resampling.BILINEAR))
    # Rows near the horizon take their noise from further apart: seen at a slant it is squeezed.
    order = [min(rows - 1, round(rows * math.sqrt(step))) for step in parts.tolist()]
    _shade(image, Image.fromarray(grain[order]), strength)
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
    extent = max(3, round(size))
    canvas = Image.new("RGBA", (extent * 2, extent))
    blades_, tones = [], []
    for _ in range(5):
        root, tip = extent + stream.uniform(-0.3, 0.3) * extent, extent + stream.uniform(-0.9, 0.9) * extent
        top, half = extent * stream.uniform(0.0, 0.45), extent * 0.07
        bend = (mixf(root, tip, 0.4) - half, mixf(extent, top, 0.6))
        blades_.append([np.array(((root - half, extent), bend, (tip, top), (root + half, extent)))])
        tones.append(scale(colour, stream.uniform(0.85, 1.15)))
    for cover, tone in zip(raster.coverages(blades_, *canvas.size), tones, strict=True):
        raster.lay(canvas, cover, (*tone, 255))
    return Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")


def mixf(first: float, second: float, part: float) -> float:
    """A number between two."""
    return first + (second - first) * part
