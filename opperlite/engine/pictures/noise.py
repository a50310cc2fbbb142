"""Chance that is the same everywhere: seeded numbers and smooth noise made of integers."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures.scaling import scaled

T = TypeVar("T")


def fingerprint(*parts: object) -> int:
    """A 64-bit number that depends on the parts' text alone (Python's own hash differs between processes)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Stream:
    """A stream of chance from any parts: SplitMix64 (Steele, Lea, Flood 2014), in plain integers."""

    def __init__(self, *parts: object) -> None:
        self._state = fingerprint(*parts)

    def random(self) -> float:
        """A number in [0, 1) with 53 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return ((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.random()

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return int(self.random() * limit)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.random() < probability


def white(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Independent bytes of shape (height, width): SplitMix64 of each place's number."""
    count = height * width
    words = (count + 7) // 8
    with np.errstate(over="ignore"):
        state = np.arange(1, words + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state += np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    # Little-endian on every system, so that the bytes come in one order.
    return state.astype("<u8").view(np.uint8)[:count].reshape(height, width)


def smooth(seed: int, height: int, width: int, cell: tuple[float, float], octaves: int = 4) -> NDArray[np.uint8]:
    """Value noise of shape (height, width) about 128; cell is the (height, width) of its largest grains in pixels."""
    total = np.zeros((height, width), np.int16)
    weight = 1 << octaves
    used = 0
    for octave in range(octaves):
        rows = max(2, int(height * 2**octave / cell[0]) + 2)
        columns = max(2, int(width * 2**octave / cell[1]) + 2)
        grain = Image.fromarray(white(fingerprint(seed, octave), min(rows, height + 2), min(columns, width + 2)))
        total += (np.asarray(scaled(grain, (width, height))).astype(np.int16) - 128) * np.int16(weight)
        used += weight
        weight >>= 1
    spread = total * 3 // (used * 2) + 128
    return np.clip(spread, 0, 255).astype(np.uint8)


def profile(seed: int, width: int, cell: float, octaves: int = 4, rough: float = 0.5) -> NDArray[np.float64]:
    """A smooth line of `width` heights within about [-1, 1]: value noise with cosine-free (smoothstep) joins."""
    total = np.zeros(width)
    strength, used = 1.0, 0.0
    places = np.arange(width, dtype=np.float64)
    for octave in range(octaves):
        step = max(2.0, cell / 2**octave)
        knots = white(fingerprint(seed, octave, "line"), 1, int(width / step) + 3)[0].astype(np.float64) / 127.5 - 1.0
        at = places / step
        index = at.astype(np.int64)
        part = at - index
        part = part * part * (3.0 - 2.0 * part)
        total += strength * (knots[index] * (1.0 - part) + knots[index + 1] * part)
        used += strength
        strength *= rough
    return total / used
