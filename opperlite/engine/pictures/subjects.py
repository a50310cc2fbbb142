"""What a picture shows, against what it stands on: cutting out the subject and filling holes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.scaling import scaled

_STEEP: Final = 14
"""Differences between neighbours from which a contour is taken to be there, of 255."""
_LEAST, _MOST = 0.02, 0.75
"""Shares of the picture within which a subject is believed."""

Mask = NDArray[np.uint8]
"""Shape (height, width): 0 outside to 255 inside."""


def subject(pixels: Pixels) -> Mask:
    """Where the subject is: alpha if the picture has any, else what differs from the colours around the border."""
    if pixels.shape[2] == 4 and int(pixels[:, :, 3].min()) < 255:
        return np.ascontiguousarray(pixels[:, :, 3])
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
    factor = max(1, min(image.size) // 220)
    small = np.asarray(image.reduce(factor) if factor > 1 else image, np.int32)
    away = np.abs(small - _surroundings(small)).max(axis=2)
    inside = 255 - _from_border(_steps(small) < _STEEP)
    share = float((inside > 0).mean())
    if not _LEAST < share < _MOST:
        # No closed contour holds the subject together: go by colour instead.
        inside = 255 - _from_border(away < _threshold(away))
    # The contour itself counts as inside so far; take it off again.
    shaped = Image.fromarray(inside).filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MedianFilter(3))
    return np.array(scaled(shaped, image.size))


def salient(pixels: Pixels) -> Mask:
    """What stands out most near the middle, in one piece: by how far its colours are from those around the border."""
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
    factor = max(1, min(image.size) // 160)
    small = np.asarray(image.reduce(factor) if factor > 1 else image, np.int32)
    rows, columns = small.shape[:2]
    away = np.abs(small - _surroundings(small)).max(axis=2)
    x = np.abs(np.arange(columns)[None, :] * 2 - columns) * 256 // columns
    y = np.abs(np.arange(rows)[:, None] * 2 - rows) * 256 // rows
    weighed = away * (256 - np.maximum(x, y) * 3 // 4) // 256
    soft = np.asarray(Image.fromarray(weighed.astype(np.uint8)).filter(ImageFilter.BoxBlur(2)), np.int32)
    allowed = soft >= max(12, _threshold(soft))
    start = np.zeros_like(allowed)
    start.flat[int(soft.argmax())] = True
    found = Image.fromarray(_grown(start & allowed, allowed)).filter(ImageFilter.MaxFilter(5))
    return np.array(scaled(found, image.size))


def sky(pixels: Pixels) -> Mask:
    """What hangs together with the upper border without a contour between."""
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
    factor = max(1, min(image.size) // 220)
    small = np.asarray(image.reduce(factor) if factor > 1 else image, np.int32)
    reached = Image.fromarray(_from_border(_steps(small) < _STEEP, top_only=True))
    return np.array(scaled(reached.filter(ImageFilter.MaxFilter(3)), image.size))


def _steps(pixels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The largest difference between each place and its neighbours right and below."""
    out = np.zeros(pixels.shape[:2], np.int32)
    across = np.abs(pixels[:, 1:] - pixels[:, :-1]).max(axis=2)
    down = np.abs(pixels[1:] - pixels[:-1]).max(axis=2)
    np.maximum(out[:, 1:], across, out=out[:, 1:])
    np.maximum(out[:, :-1], across, out=out[:, :-1])
    np.maximum(out[1:], down, out=out[1:])
    np.maximum(out[:-1], down, out=out[:-1])
    return out


def _surroundings(pixels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The background guessed at each place: the border's colours, each counting more the nearer it is."""
    rows, columns = pixels.shape[:2]
    rim = max(1, min(rows, columns) // 40)
    left, right = np.median(pixels[:, :rim], axis=1), np.median(pixels[:, -rim:], axis=1)
    top, bottom = np.median(pixels[:rim], axis=0), np.median(pixels[-rim:], axis=0)
    x = np.arange(columns, dtype=np.float64)[None, :, None] + 1.0
    y = np.arange(rows, dtype=np.float64)[:, None, None] + 1.0
    weights = (1.0 / x, 1.0 / (columns + 1.0 - x), 1.0 / y, 1.0 / (rows + 1.0 - y))
    parts = (left[:, None], right[:, None], top[None], bottom[None])
    total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return np.asarray(np.rint(total / sum(weights)), np.int32)


def _threshold(away: NDArray[np.int32]) -> int:
    """Otsu's threshold (1979) of the differences, kept within sensible bounds."""
    counts = np.bincount(np.clip(away, 0, 255).ravel(), minlength=256).astype(np.int64)
    values = np.arange(256, dtype=np.int64)
    below, mass = np.cumsum(counts), np.cumsum(counts * values)
    above = below[-1] - below
    valid = (below > 0) & (above > 0)
    low = mass / np.maximum(below, 1)
    high = (mass[-1] - mass) / np.maximum(above, 1)
    between = np.where(valid, below * 1.0 * above * (low - high) ** 2, -1.0)
    return int(min(70, max(16, int(np.argmax(between)))))


def _from_border(allowed: NDArray[np.bool_], *, top_only: bool = False) -> Mask:
    """255 where the allowed places hang together with the border, else 0."""
    reached = np.zeros_like(allowed)
    reached[0] = allowed[0]
    if not top_only:
        reached[-1], reached[:, 0], reached[:, -1] = allowed[-1], allowed[:, 0], allowed[:, -1]
    return _grown(reached, allowed)


def _grown(reached: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> Mask:
    """255 where the allowed places hang together with those reached, else 0."""
    while True:
        grown = reached.copy()
        for _ in range(8):
            grown[1:] |= grown[:-1]
            grown[:-1] |= grown[1:]
            grown[:, 1:] |= grown[:, :-1]
            grown[:, :-1] |= grown[:, 1:]
            grown &= allowed
        if np.array_equal(grown, reached):
            return np.where(reached, 255, 0).astype(np.uint8)
        reached = grown


def filled(pixels: Pixels, hole: Mask) -> Pixels:
    """RGB with the hole filled from its surroundings: across, so that horizons go on, and a little softly."""
    soft = _pulled(pixels, hole)
    out = np.ascontiguousarray(pixels[:, :, :3]).copy()
    inside = hole > 0
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return out
    box = slice(int(rows[0]), int(rows[-1]) + 1)
    across = _across(out[box], inside[box], soft[box])
    blurred = np.asarray(Image.fromarray(across).filter(ImageFilter.BoxBlur(1)), np.int32)
    mixed = (blurred * 3 + soft[box]) // 4
    part = hole[box].astype(np.int32)[:, :, None]
    out[box] = ((out[box] * (255 - part) + mixed * part) // 255).astype(np.uint8)
    return out


def _across(colours: Pixels, inside: NDArray[np.bool_], soft: Pixels) -> Pixels:
    """Each row's hole bridged from its left side to its right one; from the soft filling where a side is missing."""
    height, width = inside.shape
    places = np.broadcast_to(np.arange(width, dtype=np.int32), (height, width))
    left = np.maximum.accumulate(np.where(inside, -1, places), axis=1)
    right = np.minimum.accumulate(np.where(inside, width, places)[:, ::-1], axis=1)[:, ::-1]
    row = np.arange(height)[:, None]
    first = np.where((left >= 0)[:, :, None], colours[row, np.maximum(left, 0)], soft)
    last = np.where((right < width)[:, :, None], colours[row, np.minimum(right, width - 1)], soft)
    span = np.maximum(right - left, 1)[:, :, None].astype(np.int32)
    far = (places - left)[:, :, None].astype(np.int32)
    bridged = (first.astype(np.int32) * (span - far) + last.astype(np.int32) * far) // span
    return np.where(inside[:, :, None], bridged, colours).astype(np.uint8)


def _pulled(pixels: Pixels, hole: Mask) -> Pixels:
    """The hole filled by averages at every scale, the finest known on top."""
    image = Image.fromarray(np.dstack((pixels[:, :, :3], 255 - hole)))
    levels = [image]
    while min(levels[-1].size) > 1 and levels[-1].getchannel("A").getextrema()[0] == 0:
        levels.append(levels[-1].reduce(2))
    out = levels[-1].convert("RGB")
    for level in reversed(levels[:-1]):
        out = scaled(out, level.size)
        out.paste(level.convert("RGB"), (0, 0), level.getchannel("A"))
    return np.array(out)
