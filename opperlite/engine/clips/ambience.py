"""Sound for a scene: wind, water, birds, streets and more.

Textures are periodic by construction, so they loop without a seam; what happens once in a while (a bird, a bell) is
placed by a seeded generator. Any block can be computed on its own, so a long track needs no more memory than a short
one.
"""

import math
import re
import tomllib
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.clips.sounds import EVENTS, TEXTURES, Sound, Texture
from opperlite.engine.clips.video_writer import SOUND_RATE
from opperlite.engine.pictures import prompt

_LOOP_SECONDS: Final = 4
_EDGE_SECONDS: Final = 0.25
_LEVEL: Final = 0.06  # RMS of a whole ambience: -24 dB of full scale
LONGEST_EVENT: Final = 6 * SOUND_RATE


class Ambience:
    """The sound of a scene: `block` gives any part of it, always the same."""

    def __init__(self, names: Collection[str], seed: int, seconds: float) -> None:
        self.names = tuple(names)
        self.samples = round(seconds * SOUND_RATE)
        textures = [name for name in self.names if name in TEXTURES]
        self._layers = [
            (_loop(TEXTURES[name], seed * 31 + index), TEXTURES[name], index) for index, name in enumerate(textures)
        ]
        self._events = sorted(
            (event for name in self.names if name in EVENTS for event in _schedule(name, seed, seconds)),
            key=lambda event: event[0],
        )
        self._level = _LEVEL / math.sqrt(max(1, len(self._layers)))

    def block(self, start: int, count: int) -> Sound:
        """Samples from `start` on, at most `count` of them, fewer at the end."""
        count = max(0, min(count, self.samples - start))
        out = np.zeros((count, 2), np.float32)
        at = np.arange(start, start + count)
        for loop, texture, index in self._layers:
            swell = _swell(texture, at / SOUND_RATE, index) * self._level
            out += loop[at % len(loop)] * swell[:, None].astype(np.float32)
        for begin, name, seed in self._events:
            if begin < start + count and begin + LONGEST_EVENT > start:
                _add(out, start, begin, _sounded(name, seed))
        return out * _edges(at, self.samples)[:, None]


@cache
def _triggers() -> Mapping[str, frozenset[str]]:
    table = tomllib.loads(Path(__file__).with_name("ambience.toml").read_text("utf-8"))
    return {name: frozenset(words.split()) for name, words in table["triggers"].items()}


def chosen(text: str) -> tuple[str, ...]:
    """Names of the sounds that a prompt calls for: at most three textures and three events, never none."""
    reading = prompt.read(text)
    heard = {
        *(thing.motif for thing in reading.things),
        *reading.settings,
        *reading.weather,
        *reading.moods,
        reading.time_of_day,
        reading.season,
        *re.findall(r"\w+", text.lower()),
    }
    names = [name for name, words in _triggers().items() if heard & words]
    textures = [name for name in names if name in TEXTURES][:3]
    events = [name for name in names if name in EVENTS][:3]
    return (*(textures or ["air"]), *(events or ([] if textures else ["pad"])))


def _loop(texture: Texture, seed: int) -> Sound:
    """Noise of a texture's spectrum that repeats without a seam: its spectrum is drawn, not its samples."""
    size = _LOOP_SECONDS * SOUND_RATE
    draw = np.random.Generator(np.random.PCG64(seed))
    pitch = np.fft.rfftfreq(size, 1 / SOUND_RATE)
    gain = np.zeros_like(pitch)
    band = (pitch >= texture.low / 2) & (pitch <= texture.high * 2)
    octaves = np.log2(pitch[band] / texture.low)
    gain[band] = 10 ** (texture.slope * octaves / 20)
    gain[band] /= np.sqrt(1 + (texture.low / pitch[band]) ** 6) * np.sqrt(1 + (pitch[band] / texture.high) ** 6)
    sides = []
    for _ in range(2):
        phase = draw.random(len(pitch)) * 2 * math.pi
        side = np.fft.irfft(gain * np.exp(1j * phase), size)
        sides.append((side / math.sqrt(float(np.mean(side**2)))).astype(np.float32))
    return np.stack(sides, axis=-1)


def _swell(texture: Texture, seconds: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Loudness over time: three slow sines whose periods share no common multiple of note."""
    angle = 2 * math.pi * texture.rate * seconds
    wave = np.sin(angle + index) + 0.6 * np.sin(angle * 1.618 + 2.1 * index) + 0.4 * np.sin(angle * 0.382 + 1.3)
    swell: NDArray[np.float64] = 1.0 + texture.swell * wave / 2.0
    return np.maximum(swell, 0.05)


def _schedule(name: str, seed: int, seconds: float) -> list[tuple[int, str, int]]:
    draw = np.random.Generator(np.random.PCG64(seed * 131 + sum(name.encode())))
    every, time, events = EVENTS[name].every, 0.0, []
    time = every * 0.5 * float(draw.random())
    while time < seconds:
        events.append((round(time * SOUND_RATE), name, int(draw.integers(0, 24))))
        time += every * (0.5 + float(draw.random()))
    return events


@lru_cache(maxsize=4)  # the long ones reach over several blocks
def _sounded(name: str, seed: int) -> Sound:
    draw = np.random.Generator(np.random.PCG64(seed * 977 + len(name)))
    event = EVENTS[name]
    return event.voice(draw) * np.float32(event.level)


def _add(out: Sound, start: int, begin: int, sound: Sound) -> None:
    first, last = max(begin, start), min(begin + len(sound), start + len(out))
    if first < last:
        out[first - start : last - start] += sound[first - begin : last - begin]


def _edges(at: NDArray[np.int64], total: int) -> Sound:
    """Fades at both ends, so that nothing clicks."""
    length = max(1, min(round(_EDGE_SECONDS * SOUND_RATE), total // 2))
    rise = np.minimum(1.0, np.minimum(at, total - 1 - at) / length)
    return np.asarray(np.sin(rise * math.pi / 2) ** 2, np.float32)
