"""What styles are made with: edges, noise, grain, paper and colour."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from opperlite.engine.pictures.noise import smooth, white
from opperlite.engine.pictures.scaling import scaled

Filter = Callable[[Image.Image, int], Image.Image]


PAPER: Final = (247, 243, 234)
_BAND_ROWS: Final = 64

_MEDIAN: Final = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3),
    (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip
"""Exchanges that bring the median of nine values to the middle (Devillard 1998, Fast median search, opt_med9)."""


def unit_of(image: Image.Image) -> float:
    """What strokes are measured by: 1 at a 512 pixel side."""
    return max(0.5, min(image.size) / 512.0)


def lightness(image: Image.Image) -> Image.Image:
    return image.convert("L")


def edges_of(image: Image.Image, reach: float, gain: int) -> Image.Image:
    """Where colour changes: 0 on flat ground, up to 255 on edges; of large pictures looked at in half the size."""
    if reach >= 1.6:
        return scaled(edges_of(image.reduce(2), reach / 2, gain), image.size, Image.Resampling.BILINEAR)
    soft = image.filter(ImageFilter.BoxBlur(max(0.6, reach * 0.7)))
    out = np.zeros((image.height, image.width), np.uint8)
    for channel in range(3):
        plane = np.asarray(soft.getchannel(channel))
        for inner, first, last in (
            (out[:, 1:-1], plane[:, 2:], plane[:, :-2]),
            (out[1:-1], plane[2:], plane[:-2]),
        ):
            np.maximum(inner, np.maximum(first, last) - np.minimum(first, last), out=inner)
    return Image.fromarray(out).point([min(255, max(0, value - 9) * gain) for value in range(256)])


def median(image: Image.Image) -> Image.Image:
    """Each pixel's median among its eight neighbours and itself: Pillow's MedianFilter(3), many times quicker."""
    padded = np.pad(np.asarray(image), ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = image.height, image.width
    near = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    for first, second in _MEDIAN:
        near[first], near[second] = np.minimum(near[first], near[second]), np.maximum(near[first], near[second])
    return Image.fromarray(near[4])


def widened(lines: Image.Image) -> Image.Image:
    """Each pixel the brightest of its neighbours and itself: Pillow's MaxFilter(3), many times quicker."""
    padded = np.pad(np.asarray(lines), 1, mode="edge")
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return Image.fromarray(np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:]))


def at_part(image: Image.Image, factor: int, draw: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Work at a fraction of the size: soft filters cost a fraction and look the same."""
    if min(image.size) < 96 or factor == 1:
        return draw(image)
    return scaled(draw(image.reduce(factor)), image.size, Image.Resampling.BILINEAR)


def noise_over(image: Image.Image, seed: int, tall: float, wide: float, octaves: int = 3) -> Image.Image:
    """Smooth noise of the picture's size, made at half of it, or at a quarter when its grains are large."""
    width, height = image.size
    part = 4 if min(tall, wide) >= 16 << octaves else 2
    rows, columns = max(2, height // part), max(2, width // part)
    small = Image.fromarray(smooth(seed, rows, columns, (max(1.5, tall / part), max(1.5, wide / part)), octaves))
    return scaled(small, image.size, Image.Resampling.BILINEAR)


def grain(image: Image.Image, seed: int) -> Image.Image:
    """Independent bytes of the picture's size, from a repeated tile."""
    width, height = image.size
    tile = Image.fromarray(white(seed, min(height, 512), min(width, 512)))
    if tile.size == image.size:
        return tile
    out = Image.new("L", image.size)
    for top in range(0, height, tile.height):
        for left in range(0, width, tile.width):
            out.paste(tile, (left, top))
    return out


def textured(image: Image.Image, texture: Image.Image, strength: int) -> Image.Image:
    """Lighten and darken by a texture about 128."""
    return shaded(image, toned(texture, strength))


def toned(texture: Image.Image, strength: int) -> Image.Image:
    """A texture about 128 made stronger or weaker; 128 leaves it as it is."""
    return texture.point([128 + (value - 128) * strength // 128 for value in range(256)])


def shaded(image: Image.Image, shade: Image.Image) -> Image.Image:
    """Lighten where the shade is above 128, darken where it is below."""
    return ImageChops.overlay(image, Image.merge("RGB", (shade, shade, shade)))


def bordered(image: Image.Image, seed: int, share: float) -> Image.Image:
    """Fade to paper at a torn edge, which is drawn at half the size."""
    small = Image.new("L", (max(2, image.width // 2), max(2, image.height // 2)))
    width, height = small.size
    reach = share * min(small.size)
    x = np.minimum(np.arange(width), np.arange(width)[::-1])[None, :]
    y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    rough = np.asarray(noise_over(small, seed + 7, reach * 2, reach * 2, 4)).astype(np.float64)
    mask = np.clip((reach * (0.35 + rough / 200.0) - np.minimum(x, y)) * (400.0 / max(1.0, reach)), 0, 255)
    image.paste(PAPER, (0, 0), scaled(Image.fromarray(mask.astype(np.uint8)), image.size, Image.Resampling.BILINEAR))
    return image


def displaced(image: Image.Image, seed: int, reach: float) -> Image.Image:
    """Move pixels along smooth noise: straight edges become hand-drawn."""
    width, height = image.size
    size = (height + 1) // 2, (width + 1) // 2
    grains = (max(1.5, reach * 4.5), max(1.5, reach * 4.5))
    shifts = [
        (((smooth(seed + 11 + k, *size, grains, 3).astype(np.int32) - 128) * round(reach * 16)) >> 11)
        .repeat(2, axis=0)[:height]
        .repeat(2, axis=1)[:, :width]
        for k in (0, 1)
    ]
    x = np.clip(np.arange(width, dtype=np.int32)[None, :] + shifts[0], 0, width - 1)
    y = np.clip(np.arange(height, dtype=np.int32)[:, None] + shifts[1], 0, height - 1)
    y *= width
    y += x
    # Four bytes a pixel move as one number.
    moved = np.frombuffer(image.convert("RGBA").tobytes(), np.uint32).take(y)
    return Image.frombytes("RGBA", image.size, moved.tobytes()).convert("RGB")


def by_rows(image: Image.Image, change: Callable[[Image.Image, int], Image.Image]) -> Image.Image:
    """Change a picture by bands of rows, each given with its top row: less memory, and what is worked on is cached."""
    out = Image.new(image.mode, image.size)
    for top in range(0, image.height, _BAND_ROWS):
        band = image.crop((0, top, image.width, min(image.height, top + _BAND_ROWS)))
        out.paste(change(band, top), (0, top))
    return out


def saturated(image: Image.Image, factor: float) -> Image.Image:
    """More (above 1) or less colourful, at the same lightness; factor is 0 to 2."""
    return by_rows(image, lambda band, _: _saturated(band, factor))


def _saturated(image: Image.Image, factor: float) -> Image.Image:
    pixels = np.asarray(image).astype(np.int16)
    light = lightness(image)
    grey = np.asarray(Image.merge("RGB", (light, light, light))).astype(np.int16)
    pixels -= grey
    pixels *= np.int16(round(factor * 64))
    pixels >>= 6
    pixels += grey
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
