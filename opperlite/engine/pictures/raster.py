"""Antialiased filling of outlines by exact integer coverage.

Outlines are float arrays (n, 2) of x, y in pixels. Every sum is an integer in 1/256 pixel, so that a shape gets the
same bytes on every machine; that is why no drawing library with its own vector code is used here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Outline = NDArray[np.float64]

_LINES = 8
"""Scan lines per pixel row; across a row the coverage is exact."""


def coverage(outlines: Sequence[Outline], width: int, height: int) -> tuple[NDArray[np.uint8], tuple[int, int]] | None:
    """The coverage 0..255 of the closed outlines' union, and its left, top; None when nothing lies within the frame.

    Outlines that run the same way round add up, those running the other way cut holes.
    """
    starts = np.concatenate(outlines)
    ends = np.concatenate([np.concatenate((outline[1:], outline[:1])) for outline in outlines])
    low, high = starts.min(axis=0), starts.max(axis=0)
    left, top = max(0, int(np.floor(low[0]))), max(0, int(np.floor(low[1])))
    right, bottom = min(width, int(np.ceil(high[0])) + 1), min(height, int(np.ceil(high[1])) + 1)
    if left >= right or top >= bottom:
        return None
    columns, rows = right - left, bottom - top
    origin = np.array((left, top), np.float64)
    first = np.rint((starts - origin) * 256.0).astype(np.int64)
    last = np.rint((ends - origin) * 256.0).astype(np.int64)
    cells = _crossings(first, last, columns, rows)
    np.cumsum(cells, axis=1, out=cells)
    np.abs(cells, out=cells)
    cells = cells[:, :columns] >> 3
    np.minimum(cells, 255, out=cells)
    return cells.astype(np.uint8), (left, top)


def _crossings(first: NDArray[np.int64], last: NDArray[np.int64], columns: int, rows: int) -> NDArray[np.int32]:
    """Where edges cross the scan lines, as differences along each row: (rows, columns + 2), summed by the caller."""
    step = 256 // _LINES
    down = last[:, 1] > first[:, 1]
    sign = np.where(down, 1, -1)
    upper = np.where(down[:, None], first, last)
    lower = np.where(down[:, None], last, first)
    begin = np.clip((upper[:, 1] + step // 2 - 1) // step, 0, rows * _LINES)
    end = np.clip((lower[:, 1] + step // 2 - 1) // step, 0, rows * _LINES)
    counts = end - begin
    edge = np.repeat(np.arange(len(counts)), counts)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts - begin, counts)
    run = lower[edge] - upper[edge]
    x = upper[edge, 0] + (line * step + step // 2 - upper[edge, 1]) * run[:, 0] // np.maximum(run[:, 1], 1)
    np.clip(x, 0, columns * 256, out=x)
    place = (line // _LINES) * (columns + 2) + (x >> 8)
    part = (x & 255) * sign[edge]
    whole = 256 * sign[edge]
    size = rows * (columns + 2)
    cells = np.zeros(size, np.int32)
    np.add.at(cells, place, (whole - part).astype(np.int32))
    np.add.at(cells, place + 1, part.astype(np.int32))
    return cells.reshape(rows, columns + 2)


def fill(canvas: Image.Image, outlines: Sequence[Outline], colour: tuple[int, ...], opacity: int = 255) -> None:
    """Paint the outlines onto a Pillow image; RGBA images are taken as premultiplied, colour is then opaque."""
    found = coverage(outlines, canvas.width, canvas.height)
    if found is None:
        return
    cells, (left, top) = found
    if opacity < 255:
        cells = ((cells.astype(np.uint16) * opacity + 127) // 255).astype(np.uint8)
    mask = Image.fromarray(cells)
    canvas.paste(colour, (left, top, left + mask.width, top + mask.height), mask)
