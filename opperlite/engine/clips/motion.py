"""Motion within a still picture: a camera that pushes in, near parts moving more than far ones, changing light.

Pictures here are the encoder's planes in one array of uint8: luma of height x width on top, below it the two
chroma planes of half the size, as FFmpeg packs yuv420p: shape (height * 3 / 2, width).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Planes = NDArray[np.uint8]

_COLUMNS: Final = 10
_ROWS: Final = 6
# Two warped pictures this far apart blend into what lies between them without a visible ghost.
_STEP_PIXELS: Final = 3.0
_Mesh = list[tuple[tuple[int, int, int, int], tuple[float, ...]]]


@dataclass(frozen=True)
class Camera:
    """A camera's way through a picture: where it heads (fractions of the sides) and how far it goes.

    `push` is the growth of the nearest parts at the end, `truck` their sideways way in fractions of the width.
    """

    focus_x: float
    focus_y: float
    push: float
    truck: float

    @classmethod
    def planned(cls, seed: int, seconds: float) -> "Camera":
        """A calm camera for a clip of some seconds: longer clips go further, at a lower speed."""
        draw = np.random.Generator(np.random.PCG64(seed)).random(3)
        reach = min(1.0, (seconds / 60.0) ** 0.5 + 0.12)
        return cls(
            focus_x=0.42 + 0.16 * float(draw[0]),
            focus_y=0.40 + 0.12 * float(draw[1]),
            push=0.10 + 0.26 * reach,
            truck=(0.010 + 0.020 * reach) * (1 if draw[2] < 0.5 else -1),
        )


def eased(fraction: float) -> float:
    """0 to 1: starts and ends at rest, even speed between (the middle 60 %)."""
    edge = 0.2
    x = min(max(fraction, 0.0), 1.0)
    if x < edge:
        way = x * x / (2 * edge)
    elif x > 1 - edge:
        way = 1 - edge - (1 - x) ** 2 / (2 * edge)
    else:
        way = x - edge / 2
    return way / (1 - edge)


def depth_map(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A guess of nearness, 0 far to 1 near, at the corners of a mesh: shape (rows + 1, columns + 1).

    From what photographs have in common: the lower part is near, the sky is bright, smooth and on top,
    the subject is in the middle and rich in detail and colour.
    """
    size = (_COLUMNS * 4 + 4, _ROWS * 4 + 4)
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX), np.float64) / 255.0
    light = small.mean(axis=2)
    detail = np.abs(np.diff(light, axis=1, append=light[:, -1:])) + np.abs(np.diff(light, axis=0, append=light[-1:]))
    colour = small.max(axis=2) - small.min(axis=2)
    rows, columns = np.mgrid[0 : 1 : size[1] * 1j, 0 : 1 : size[0] * 1j]
    middle = np.exp(-(((columns - 0.5) / 0.28) ** 2) - ((rows - 0.6) / 0.35) ** 2)
    near = 0.9 * rows**1.5 + middle * (0.35 + 4.0 * detail + 0.3 * colour) - 0.25 * light * (1 - rows)
    cells = near.reshape(_ROWS + 1, 4, _COLUMNS + 1, 4).mean(axis=(1, 3))
    padded = np.pad(cells, 1, mode="edge")
    smooth = sum(padded[dy : dy + cells.shape[0], dx : dx + cells.shape[1]] for dy in range(3) for dx in range(3))
    low, high = float(np.min(smooth)), float(np.max(smooth))
    scaled: NDArray[np.float64] = (np.asarray(smooth) - low) / max(high - low, 1e-9)
    return scaled


class Warp:
    """A picture seen by a moving camera.

    The warp proper is costly, so it is done every few pixels of motion and what lies between is blended.
    """

    def __init__(self, planes: Planes, depth: NDArray[np.float64], camera: Camera, steps: int) -> None:
        height, width = planes.shape[0] * 2 // 3, planes.shape[1]
        self._size = (width, height)
        self._depth, self._camera = depth, camera
        self._edges_x = _edges(width, min(_COLUMNS, width // 2))
        self._edges_y = _edges(height, min(_ROWS, height // 2))
        moved = float(np.abs(self._corners(1.0) - self._corners(0.0)).max())
        luma, blue, red = split(planes)
        stops = _stops(moved, steps)
        # Half as many pixels, half as many stops.
        self._luma = _Part(luma, 1, stops, self._mesh)
        self._chroma = [_Part(part, 2, _stops(moved / 2, steps), self._mesh) for part in (blue, red)]

    def at(self, way: float) -> Planes:
        """The picture at a part of the way (0 to 1); at 0 it is the picture itself. A fresh array."""
        width, height = self._size
        out = np.empty((height * 3 // 2, width), np.uint8)
        for part, plane in zip((self._luma, *self._chroma), split(out), strict=True):
            view(plane).paste(part.at(min(max(way, 0.0), 1.0)))
        return out

    def _corners(self, way: float) -> NDArray[np.float64]:
        """Where in the source each corner of the mesh looks: shape (rows, columns, 2), x then y."""
        width, height = self._size
        grid_x, grid_y = np.meshgrid(self._edges_x, self._edges_y)
        near = _resampled(self._depth, grid_x / width, grid_y / height)
        scale = 1.0 + way * self._camera.push * (0.4 + 0.6 * near)
        focus_x, focus_y = self._camera.focus_x * width, self._camera.focus_y * height
        truck = way * self._camera.truck * width * (near - 0.3)
        x = focus_x + (grid_x - focus_x) / scale - truck
        y = focus_y + (grid_y - focus_y) / scale
        return np.stack([np.clip(x, 0, width), np.clip(y, 0, height)], axis=-1)

    def _mesh(self, way: float, divisor: int) -> _Mesh:
        """The mesh as Pillow wants it: target boxes, each with the source's corners NW, SW, SE, NE."""
        xs, ys = [x // divisor for x in self._edges_x], [y // divisor for y in self._edges_y]
        points = (self._corners(way) / divisor).tolist()
        return [
            (
                (xs[i], ys[j], xs[i + 1], ys[j + 1]),
                (*points[j][i], *points[j + 1][i], *points[j + 1][i + 1], *points[j][i + 1]),
            )
            for j in range(len(ys) - 1)
            for i in range(len(xs) - 1)
        ]


class _Part:
    """One plane on its way: warped at each stop, blended between two."""

    def __init__(self, plane: Planes, divisor: int, stops: int, mesh: Callable[[float, int], _Mesh]) -> None:
        self._original = Image.fromarray(plane)
        self._divisor, self._stops, self._mesh = divisor, stops, mesh
        self._warped = lru_cache(maxsize=2)(self._warp)

    def at(self, way: float) -> Image.Image:
        place = way * self._stops
        stop = min(int(place), self._stops - 1)
        share = place - stop
        if share < 1e-6:
            return self._warped(stop)
        return Image.blend(self._warped(stop), self._warped(stop + 1), share)

    def _warp(self, stop: int) -> Image.Image:
        if stop == 0:
            return self._original
        mesh = self._mesh(stop / self._stops, self._divisor)
        return self._original.transform(self._original.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _stops(moved: float, steps: int) -> int:
    """Warps needed for a motion in pixels; never more than the clip has frames."""
    return max(1, min(steps, math.ceil(moved / _STEP_PIXELS)))


class Light:
    """Slow light over a picture: a soft brighter band that wanders across, starting from nothing."""

    def __init__(self, width: int, seed: int, strength: float = 0.07) -> None:
        draw = np.random.Generator(np.random.PCG64(seed + 1)).random(2)
        self._columns = np.arange(width) / width
        self._phase, self._strength = float(draw[0]), strength
        self._period = 7.0 + 4.0 * float(draw[1])

    def apply(self, luma: Planes, seconds: float, strength: float = 1.0) -> None:
        """Brighten and dim the luma plane in place."""
        rise = min(1.0, seconds / 2.0) * self._strength * strength
        if rise <= 0:
            return
        angle = 2 * math.pi * (self._columns * 0.6 + self._phase - seconds / self._period)
        gain = np.rint(256 * (1 + rise * np.sin(angle))).astype(np.uint16)
        # Luma counts from 16 to 235 (BT.709, limited range): the small error at black is not visible, and what
        # goes beyond white still fits.
        lit = np.multiply(luma, gain, dtype=np.uint16)
        lit >>= 8
        np.copyto(luma, lit, casting="unsafe")


def split(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Views of the luma and the two chroma planes."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    half = (height // 2, width // 2)
    size = half[0] * half[1]
    flat = planes.reshape(-1)
    start = height * width
    return (
        planes[:height],
        flat[start : start + size].reshape(half),
        flat[start + size : start + 2 * size].reshape(half),
    )


def join(luma: Planes, blue: Planes, red: Planes) -> Planes:
    """The planes in one array."""
    out = np.empty((luma.shape[0] * 3 // 2, luma.shape[1]), np.uint8)
    for target, part in zip(split(out), (luma, blue, red), strict=True):
        target[...] = part
    return out


def view(plane: Planes) -> Image.Image:
    """A plane as an image in the same memory: what is painted on the image is in the array."""
    height, width = plane.shape
    image = Image.frombuffer("L", (width, height), plane, "raw", "L", 0, 1)
    image.readonly = 0
    return image


def blended(first: Planes, second: Planes, share: float) -> Planes:
    """A mix of two pictures; share 0 is the first."""
    return np.array(Image.blend(Image.fromarray(first), Image.fromarray(second), share))


def _edges(length: int, parts: int) -> list[int]:
    """Mesh lines on even pixels, so that the chroma planes have theirs at the same places."""
    return [round(length * i / parts / 2) * 2 for i in range(parts)] + [length]


def _resampled(grid: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear look-up of a grid at fractions of its sides."""
    rows, columns = grid.shape
    px, py = x * (columns - 1), y * (rows - 1)
    left = np.clip(px.astype(np.int64), 0, columns - 2)
    top = np.clip(py.astype(np.int64), 0, rows - 2)
    fx, fy = px - left, py - top
    upper = grid[top, left] * (1 - fx) + grid[top, left + 1] * fx
    lower = grid[top + 1, left] * (1 - fx) + grid[top + 1, left + 1] * fx
    mixed: NDArray[np.float64] = upper * (1 - fy) + lower * fy
    return mixed
