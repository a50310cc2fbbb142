"""Soft light: gradients, glows and shadows."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.symbols import Colour

# A 4 by 4 Bayer matrix: bands of one step would show in wide skies.
_BAYER = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5)), np.int32) * 16 + 8


def column(width: int, height: int, stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """A vertical gradient through colours at places 0 to 1; dithered, so that no bands show."""
    places = [stop[0] for stop in stops]
    rows = np.arange(height) / max(1, height - 1)
    lines = np.stack([np.interp(rows, places, [stop[1][channel] for stop in stops]) for channel in range(3)], axis=1)
    fixed = np.rint(lines * 256.0).astype(np.int32)[:, None, :]
    tile = np.tile(_BAYER, (math.ceil(height / 4), 1))[:height, :, None]
    four = np.clip((fixed + tile) >> 8, 0, 255).astype(np.uint8)
    # Four columns of three bytes repeat across.
    across = np.tile(four.reshape(height, 12), (1, math.ceil(width / 4)))[:, : width * 3]
    return Image.frombytes("RGB", (width, height), across.tobytes())


def enlarged(small: Image.Image, width: int, height: int) -> Image.Image:
    """Something soft at twice its size, cut off at width and height; one pixel becomes four."""
    return small.resize((small.width * 2, small.height * 2), Image.Resampling.NEAREST).crop((0, 0, width, height))


def half(width: int, height: int) -> tuple[int, int]:
    """The size at which something soft is drawn before it is `enlarged`."""
    return (width + 1) // 2, (height + 1) // 2


def steps(upper: Colour, lower: Colour, parts: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours between two: shape (n, 3), for n shares of the lower one."""
    start = np.array(upper, np.float64)
    return np.rint(start + (np.array(lower) - start) * parts[:, None]).astype(np.uint8)


def lines(width: int, colours: NDArray[np.uint8]) -> Image.Image:
    """One row of the picture for each colour."""
    narrow = Image.frombytes("RGB", (1, len(colours)), colours.tobytes())
    return narrow.resize((width, len(colours)), Image.Resampling.NEAREST)


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
