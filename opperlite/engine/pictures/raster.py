"""Antialiased filling of outlines by exact integer coverage.

Outlines are float arrays (n, 2) of x, y in pixels. Every sum is an integer in 1/256 pixel, so that a shape gets the
same bytes on every machine; that is why no drawing library with its own vector code is used here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Outline = NDArray[np.float64]
Cover = tuple[NDArray[np.uint8], tuple[int, int]]
"""A coverage 0..255 of shape (rows, columns), and its left, top."""

_LINES = 8
"""Scan lines per pixel row; across a row the coverage is exact."""
_STEP = 256 // _LINES


def coverage(outlines: Sequence[Outline], width: int, height: int) -> Cover | None:
    """The coverage of the closed outlines' union; None when nothing lies within the frame.

    Outlines that run the same way round add up, those running the other way cut holes.
    """
    return coverages([outlines], width, height)[0]


def coverages(shapes: Sequence[Sequence[Outline]], width: int, height: int) -> list[Cover | None]:
    """The coverage of each shape by itself; many at once cost little more than one."""
    outlines = [outline for shape in shapes for outline in shape]
    points = np.concatenate(outlines)
    lengths = [len(outline) for outline in outlines]
    sizes = [sum(map(len, shape)) for shape in shapes]
    frames = _frames(points, sizes, width, height)
    return _masks(_crossings(points, np.array(lengths), np.array(sizes), frames), frames)


@dataclass(frozen=True, eq=False)
class _Frames:
    """The box of each shape within the picture: arrays of one entry a shape."""

    origins: NDArray[np.int64]
    """Shape (n, 2): left, top."""
    extents: NDArray[np.int64]
    """Shape (n, 2): columns, rows; 0 for a shape outside the picture."""
    starts: NDArray[np.int64]
    """Where each shape's cells begin, and the end of the last: rows of columns + 2 cells, one after another."""


def _frames(points: Outline, sizes: Sequence[int], width: int, height: int) -> _Frames:
    first = np.cumsum([0, *sizes[:-1]])
    size = np.array((width, height))
    begin = np.clip(np.floor(np.minimum.reduceat(points, first)), 0, size).astype(np.int64)
    end = np.clip(np.ceil(np.maximum.reduceat(points, first)) + 1, 0, size).astype(np.int64)
    extents = np.maximum(end - begin, 0)
    extents[(extents == 0).any(axis=1)] = 0
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(extents[:, 1] * (extents[:, 0] + 2), out=starts[1:])
    return _Frames(begin, extents, starts)


def _crossings(
    points: Outline, lengths: NDArray[np.int64], sizes: NDArray[np.int64], frames: _Frames
) -> NDArray[np.int64]:
    """Where edges cross the scan lines, as changes of coverage along the cells: sorted cell * 1024 + change + 512."""
    fixed = np.rint((points - np.repeat(frames.origins, sizes, axis=0)) * 256.0)
    ends = np.cumsum(lengths)
    following = np.arange(1, len(points) + 1)
    following[ends - 1] = ends - lengths
    after = fixed[following]
    down = after[:, 1] > fixed[:, 1]
    upper, lower = np.where(down[:, None], fixed, after), np.where(down[:, None], after, fixed)
    columns, rows = np.repeat(frames.extents, sizes, axis=0).T
    lines = np.stack((upper[:, 1], lower[:, 1])).astype(np.int64) + (_STEP // 2 - 1)
    begin, end = np.clip(lines // _STEP, 0, rows * _LINES)
    counts = end - begin
    edge = np.repeat(np.arange(len(counts)), counts)
    line = np.arange(len(edge)) + (begin + counts - np.cumsum(counts))[edge]
    run, rise = (lower - upper).T
    # Quotients of integers below 2**53 that are no integers lie farther from one than a double rounds.
    away = line * float(_STEP) + (_STEP // 2 - upper[:, 1])[edge]
    away *= run[edge]
    away /= np.maximum(rise, 1.0)[edge]
    at = (np.floor(away) + upper[:, 0][edge]).astype(np.int64)
    np.clip(at, 0, (columns * 256)[edge], out=at)
    sign = np.where(down, 1, -1)[edge]
    part = (at & 255) * sign
    cell = (line // _LINES) * (columns + 2)[edge] + np.repeat(frames.starts[:-1], sizes)[edge] + (at >> 8) << 10
    keys = np.concatenate((cell + (256 * sign - part + 512), cell + (part + 1536)))
    keys.sort()
    return keys


def _masks(keys: NDArray[np.int64], frames: _Frames) -> list[Cover | None]:
    """The sums of the changes along the cells of each shape; every row begins and ends with nothing covered."""
    sums = np.cumsum((keys & 1023) - 512)
    values = np.zeros(len(keys) + 1, np.uint8)
    values[1:] = np.minimum(np.abs(sums) >> 3, 255)
    places = np.concatenate(([0], keys >> 10, frames.starts[-1:]))
    cells = np.repeat(values, places[1:] - places[:-1])
    found: list[Cover | None] = []
    boxes = zip(frames.origins.tolist(), frames.extents.tolist(), frames.starts.tolist()[1:], strict=True)
    for (left, top), (columns, rows), end in boxes:
        part = cells[end - rows * (columns + 2) : end].reshape(rows, columns + 2)[:, :columns]
        found.append((part, (left, top)) if rows else None)
    return found


def fill(canvas: Image.Image, outlines: Sequence[Outline], colour: tuple[int, ...], opacity: int = 255) -> None:
    """Paint the outlines onto a Pillow image; RGBA images are taken as premultiplied, colour is then opaque."""
    lay(canvas, coverage(outlines, canvas.width, canvas.height), colour, opacity)


def lay(canvas: Image.Image, cover: Cover | None, colour: tuple[int, ...], opacity: int = 255) -> None:
    """Paint a colour where a shape covers the image; None paints nothing."""
    if cover is None:
        return
    cells, (left, top) = cover
    if opacity < 255:
        cells = ((cells.astype(np.uint16) * opacity + 127) // 255).astype(np.uint8)
    mask = Image.fromarray(cells)
    canvas.paste(colour, (left, top, left + mask.width, top + mask.height), mask)
