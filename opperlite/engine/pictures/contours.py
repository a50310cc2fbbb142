"""Outlines of land: hills, peaks, trees, roofs and waves.

An outline is an array of heights in pixels above a band's foot, one per column.
"""

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.pictures.noise import Stream, fingerprint, profile

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


def ripple(width: int, amplitude: float, length: float, start: float) -> Heights:
    """The outline of a wave: sharp crests and round troughs."""
    turns = np.arange(width) / length + start
    part = turns - np.floor(turns)
    return np.array(amplitude * (1.0 - np.abs(2.0 * part - 1.0)) ** 1.6)
