"""Snow, rain and drifting sparks drawn over the luma plane of a moving picture."""

import math
from collections.abc import Collection
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.clips.motion import Planes

_WHITE: Final = 235  # BT.709, limited range
_RISE_SECONDS: Final = 1.0
"""Weather sets in during this time, so that a clip's first frame is the picture it was given."""

SNOW: Final = frozenset({"snow", "snowfield", "winter"})
RAIN: Final = frozenset({"rain", "storm"})
SPARKS: Final = frozenset(
    {"fire", "campfire", "bonfire", "fireflies", "firefly", "sparks", "embers", "glitter", "magic"}
)


class Overlay(Protocol):
    """Something drawn over each frame."""

    def apply(self, luma: Planes, seconds: float, strength: float = 1.0) -> None:
        """Draw onto the luma plane in place, as it looks at a time, at a strength of 0 to 1."""


def overlays(words: Collection[str], width: int, height: int, seed: int) -> list[Overlay]:
    """The weather that words ask for: keys of the vocabulary's weather, settings and seasons, or plain words."""
    found: list[Overlay] = []
    if SNOW & set(words):
        found.append(Flakes(width, height, seed))
    if RAIN & set(words):
        found.append(Rain(width, height, seed))
    if SPARKS & set(words):
        found.append(Flakes(width, height, seed + 7, rising=True))
    return found


class Flakes:
    """Soft round flakes that fall and sway, or (rising) sparks that float upwards."""

    def __init__(self, width: int, height: int, seed: int, *, rising: bool = False) -> None:
        count = 90 if rising else 420
        draw = np.random.Generator(np.random.PCG64(seed)).random((6, count))
        near = draw[2] ** 2
        self._size = (width, height)
        self._start = draw[:2]
        self._radius = np.maximum(0.8, height / 720 * (1.2 + (2.2 if rising else 4.0) * near))
        self._speed = (0.05 + 0.10 * near) * (-0.8 if rising else 1.0)
        self._sway = (0.006 + 0.02 * draw[3], 2 * math.pi * draw[4], 0.5 + draw[5])
        self._drift = 0.03 * (float(draw[3, 0]) - 0.3)
        self._alpha = 0.95 - 0.35 * near
        self._glimmer = rising

    def apply(self, luma: Planes, seconds: float, strength: float = 1.0) -> None:
        """Draw the flakes as they are at a time."""
        strength *= min(1.0, seconds / _RISE_SECONDS)
        if strength <= 0:
            return
        width, height = self._size
        amplitude, phase, rate = self._sway
        x = self._start[0] + self._drift * seconds + amplitude * np.sin(phase + rate * seconds)
        y = self._start[1] + self._speed * seconds
        # A margin beyond the edges, so that nothing appears or vanishes within the picture.
        x = ((x % 1.0) * 1.06 - 0.03) * width
        y = ((y % 1.0) * 1.06 - 0.03) * height
        alpha = self._alpha * strength
        if self._glimmer:
            alpha = alpha * (0.55 + 0.45 * np.sin(phase * 3 + 2.7 * rate * seconds))
        reach = int(self._radius.max()) + 2
        for limit in range(2, reach + 1, 2):
            chosen = (self._radius + 1 > limit - 2) & (self._radius + 1 <= limit)
            if chosen.any():
                _discs(luma, x[chosen], y[chosen], self._radius[chosen], alpha[chosen], limit)


class Rain:
    """Slanted streaks that fall fast, near ones longer and brighter."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        count = 340
        draw = np.random.Generator(np.random.PCG64(seed + 3)).random((4, count))
        near = draw[2]
        self._size = (width, height)
        self._start = draw[:2]
        self._speed = 1.1 + 0.9 * near
        self._length = max(4, round(height * 0.055))
        self._own_length = 0.5 + 0.5 * near
        self._slant = 0.16 * (1 if draw[3, 0] < 0.5 else -1)
        self._alpha = 0.12 + 0.26 * near

    def apply(self, luma: Planes, seconds: float, strength: float = 1.0) -> None:
        """Draw the streaks as they are at a time."""
        strength *= min(1.0, seconds / _RISE_SECONDS)
        if strength <= 0:
            return
        width, height = self._size
        fallen = self._start[1] + self._speed * seconds
        # Each fall begins at another column; its number picks the column.
        column = (self._start[0] + np.floor(fallen) * 0.618034) % 1.0
        top = ((fallen % 1.0) * 1.2 - 0.15) * height
        along = np.arange(self._length)
        ys: NDArray[np.float64] = np.rint(top[:, None] + along * self._own_length[:, None])
        xs = column[:, None] * width * 1.2 - 0.1 * width + self._slant * (ys - height / 2)
        taper = np.sin(math.pi * (along + 0.5) / self._length)
        alpha = strength * self._alpha[:, None] * taper
        _mix(luma, np.floor(xs), ys, alpha * (1 - (xs % 1.0)))
        _mix(luma, np.floor(xs) + 1, ys, alpha * (xs % 1.0))


def _discs(
    luma: Planes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: NDArray[np.float64],
    alpha: NDArray[np.float64],
    reach: int,
) -> None:
    """Draw soft discs at places finer than pixels, so that slow ones glide."""
    offsets = np.arange(-reach, reach + 1)
    px = np.floor(x)[:, None, None] + offsets[None, None, :]
    py = np.floor(y)[:, None, None] + offsets[None, :, None]
    distance = np.hypot(px + 0.5 - x[:, None, None], py + 0.5 - y[:, None, None])
    cover = np.clip(radius[:, None, None] + 0.5 - distance, 0.0, 1.0)
    inner = np.clip(1.3 - distance / (radius[:, None, None] + 0.5), 0.0, 1.0)
    columns, rows = np.broadcast_arrays(px, py)
    _mix(luma, columns, rows, cover * inner * alpha[:, None, None])


def _mix(
    luma: Planes, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], alpha: NDArray[np.floating[Any]]
) -> None:
    """Move pixels towards white by alpha; places beyond the picture are left out."""
    height, width = luma.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (alpha > 1 / 256)
    at = y[inside].astype(np.int64) * width + x[inside].astype(np.int64)
    flat = luma.reshape(-1)
    old = flat[at].astype(np.float64)
    bright = np.rint(old + (_WHITE - old) * alpha[inside]).astype(np.uint8)
    # Where two meet, the brighter one counts, whatever their order.
    np.maximum.at(flat, at, bright)
