"""What styles are made with: edges, noise, grain, paper and colour."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from opperlite.engine.pictures.noise import smooth, white
from opperlite.engine.pictures.scaling import scaled

Filter = Callable[[Image.Image, int], Image.Image]


PAPER: Final = (247, 243, 234)


def unit_of(image: Image.Image) -> float:
    """What strokes are measured by: 1 at a 512 pixel side."""
    return max(0.5, min(image.size) / 512.0)


def lightness(image: Image.Image) -> Image.Image:
    return image.convert("L")


def edges_of(image: Image.Image, reach: float, gain: int) -> Image.Image:
    """Where lightness changes: 0 on flat ground, up to 255 on edges."""
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(max(0.6, reach * 0.7))), np.int16)
    out = np.zeros(soft.shape[:2], np.int16)
    across = np.abs(soft[:, 2:] - soft[:, :-2]).max(axis=2)
    down = np.abs(soft[2:] - soft[:-2]).max(axis=2)
    np.maximum(out[:, 1:-1], across, out=out[:, 1:-1])
    np.maximum(out[1:-1], down, out=out[1:-1])
    return Image.fromarray(np.clip((out - 9) * gain, 0, 255).astype(np.uint8))


def at_part(image: Image.Image, factor: int, draw: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Work at a fraction of the size: soft filters cost a fraction and look the same."""
    if min(image.size) < 96 or factor == 1:
        return draw(image)
    return scaled(draw(image.reduce(factor)), image.size)


def noise_over(image: Image.Image, seed: int, tall: float, wide: float, octaves: int = 3) -> Image.Image:
    width, height = image.size
    rows, columns = max(2, height // 2), max(2, width // 2)
    small = Image.fromarray(smooth(seed, rows, columns, (max(1.5, tall / 2), max(1.5, wide / 2)), octaves))
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
    table = [128 + (value - 128) * strength // 128 for value in range(256)]
    shade = texture.point(table)
    return ImageChops.overlay(image, Image.merge("RGB", (shade, shade, shade)))


def bordered(image: Image.Image, seed: int, share: float) -> Image.Image:
    """Fade to paper at a torn edge."""
    width, height = image.size
    reach = share * min(image.size)
    x = np.minimum(np.arange(width), np.arange(width)[::-1])[None, :]
    y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    away = np.minimum(x, y).astype(np.float64)
    rough = np.asarray(noise_over(image, seed + 7, reach * 2, reach * 2, 4), np.float64)
    mask = np.clip((reach * (0.35 + rough / 200.0) - away) * 400.0 / max(1.0, reach), 0, 255).astype(np.uint8)
    image.paste(PAPER, (0, 0), Image.fromarray(mask))
    return image


def displaced(image: Image.Image, seed: int, reach: float) -> Image.Image:
    """Move pixels along smooth noise: straight edges become hand-drawn."""
    width, height = image.size
    sides = [np.asarray(noise_over(image, seed + 11 + k, reach * 9, reach * 9, 3), np.int32) - 128 for k in (0, 1)]
    x = np.clip(np.arange(width)[None, :] + sides[0] * round(reach * 16) // 2048, 0, width - 1)
    y = np.clip(np.arange(height)[:, None] + sides[1] * round(reach * 16) // 2048, 0, height - 1)
    return Image.fromarray(np.asarray(image)[y, x])


def saturated(image: Image.Image, factor: float) -> Image.Image:
    """More (above 1) or less colourful, at the same lightness."""
    pixels = np.asarray(image, np.int32)
    grey = (pixels[:, :, 0] * 77 + pixels[:, :, 1] * 150 + pixels[:, :, 2] * 29) >> 8
    part = round(factor * 256)
    out = grey[:, :, None] + ((pixels - grey[:, :, None]) * part >> 8)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
