"""Synthesisers of single sounds: endless textures of noise, and events such as a bird, a bell or thunder.

Sound is float32 of shape (samples, 2) within [-1, 1] at SOUND_RATE.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.clips.video_writer import SOUND_RATE

Sound = NDArray[np.float32]

_TAIL_SECONDS: Final = 0.004


@dataclass(frozen=True)
class Texture:
    """Continuous noise: band in Hz, slope in dB per octave, how deep and how fast (Hz) it swells."""

    low: float
    high: float
    slope: float
    swell: float
    rate: float


@dataclass(frozen=True)
class Event:
    """A sound that comes now and then: its synthesiser, mean seconds between two, loudness."""

    voice: Callable[[np.random.Generator], Sound]
    every: float
    level: float


def _times(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE


def _panned(mono: NDArray[np.float64], draw: np.random.Generator) -> Sound:
    """Stereo at a drawn place, with an end that does not click."""
    place = 0.2 + 0.6 * float(draw.random())
    sides = np.array([math.cos(place * math.pi / 2), math.sin(place * math.pi / 2)])
    tail = min(len(mono), round(_TAIL_SECONDS * SOUND_RATE))
    faded = np.concatenate([mono[: len(mono) - tail], mono[len(mono) - tail :] * np.linspace(1.0, 0.0, tail)])
    return np.asarray(faded[:, None] * sides, np.float32)


def _swept(start: float, end: float, seconds: float, vibrato: float = 0.0) -> NDArray[np.float64]:
    t = _times(seconds)
    pitch = start * (end / start) ** (t / seconds) * (1 + vibrato * np.sin(2 * math.pi * 28 * t))
    tone: NDArray[np.float64] = np.sin(2 * math.pi * np.cumsum(pitch) / SOUND_RATE)
    return tone * np.sin(math.pi * t / seconds) ** 0.7


def _bird(draw: np.random.Generator) -> Sound:
    parts = []
    for _ in range(int(draw.integers(2, 6))):
        base = 2400 + 2200 * float(draw.random())
        parts.append(_swept(base, base * (0.75 + 0.6 * float(draw.random())), 0.06 + 0.09 * float(draw.random()), 0.02))
        parts.append(np.zeros(round((0.03 + 0.07 * float(draw.random())) * SOUND_RATE)))
    return _panned(np.concatenate(parts), draw)


def _gull(draw: np.random.Generator) -> Sound:
    calls = [_swept(900, 1500, 0.12), _swept(1500, 1050, 0.35)]
    tone = np.concatenate(calls)
    return _panned(np.tanh(2.0 * tone) * 0.7, draw)


def _cricket(draw: np.random.Generator) -> Sound:
    t = _times(0.5)
    pitch = 4100 + 500 * float(draw.random())
    pulses = np.clip(np.sin(2 * math.pi * 26 * t), 0, 1) ** 2
    return _panned(np.sin(2 * math.pi * pitch * t) * pulses * np.sin(math.pi * t / 0.5), draw)


def _bell(draw: np.random.Generator) -> Sound:
    t = _times(3.0)
    base = 330 * 2 ** (int(draw.integers(0, 5)) / 6)
    tone = sum(
        math.exp(-i * 0.5) * np.sin(2 * math.pi * base * ratio * t) * np.exp(-t * (0.9 + 0.7 * i))
        for i, ratio in enumerate((1.0, 2.0, 2.4, 3.0, 4.2))
    )
    return _panned(np.asarray(tone) * np.minimum(1, t / 0.004) * 0.5, draw)


def _drop(draw: np.random.Generator) -> Sound:
    pitch = 700 + 1500 * float(draw.random())
    return _panned(_swept(pitch, pitch * 1.5, 0.03 + 0.03 * float(draw.random())), draw)


def _crackle(draw: np.random.Generator) -> Sound:
    t = _times(0.02)
    return _panned((draw.random(len(t)) * 2 - 1) * np.exp(-t * (250 + 400 * float(draw.random()))), draw)


def _thunder(draw: np.random.Generator) -> Sound:
    t = _times(4.0)
    noise = np.cumsum(draw.random(len(t)) * 2 - 1)
    noise -= np.convolve(noise, np.full(1201, 1 / 1201), "same")
    shape = np.minimum(1, t / 0.08) * np.exp(-t * 1.1) * (1 + 0.5 * np.sin(2 * math.pi * 2.3 * t)) * (1 - t / 4.0)
    sound = noise * shape
    return _panned(sound / max(1e-9, float(np.abs(sound).max())), draw)


def _horn(draw: np.random.Generator) -> Sound:
    seconds = 0.3 + 0.5 * float(draw.random())
    t = _times(seconds)
    base = 330 + 90 * float(draw.random())
    tone = np.tanh(1.5 * (np.sin(2 * math.pi * base * t) + np.sin(2 * math.pi * base * 1.26 * t)))
    return _panned(tone * np.minimum(1, np.minimum(t, seconds - t) / 0.03), draw)


def _clop(draw: np.random.Generator) -> Sound:
    t = _times(0.08)
    return _panned(np.sin(2 * math.pi * (160 + 60 * float(draw.random())) * t) * np.exp(-t * 60), draw)


def _owl(draw: np.random.Generator) -> Sound:
    parts = [_swept(390, 360, 0.22), np.zeros(SOUND_RATE // 8), _swept(400, 350, 0.5)]
    return _panned(np.concatenate(parts), draw)


def _meow(draw: np.random.Generator) -> Sound:
    tone = np.concatenate([_swept(520, 780, 0.22), _swept(780, 430, 0.42)])
    return _panned(np.tanh(2.5 * tone) * 0.6, draw)


def _bark(draw: np.random.Generator) -> Sound:
    t = _times(0.16)
    tone = np.tanh(4 * np.sin(2 * math.pi * (430 - 900 * t) * t)) * np.exp(-t * 16) * np.minimum(1, t / 0.008)
    gap = np.zeros(round(0.22 * SOUND_RATE))
    return _panned(np.concatenate([tone, gap, tone * 0.8]), draw)


def _pad(draw: np.random.Generator) -> Sound:
    """A soft chord of four seconds: a step of a pentatonic scale with its fifth and octave."""
    t = _times(5.0)
    root = 110 * 2 ** (int(draw.choice([0, 3, 5, 7, 10])) / 12)
    tone = sum(np.sin(2 * math.pi * root * k * (1 + d) * t) / k for k in (1, 1.5, 2, 3) for d in (-0.002, 0.0015))
    return _panned(np.asarray(tone) * np.sin(math.pi * t / 5.0) ** 2 * 0.25, draw)


def _tick(draw: np.random.Generator) -> Sound:
    t = _times(0.03)
    return _panned(np.sin(2 * math.pi * 1900 * t) * np.exp(-t * 220), draw)


TEXTURES: Final[Mapping[str, Texture]] = {
    "wind": Texture(80, 900, -6, 0.6, 0.17),
    "waves": Texture(60, 5000, -4, 0.85, 0.13),
    "water": Texture(350, 6000, -2, 0.25, 0.9),
    "rain": Texture(700, 12000, -1, 0.12, 0.4),
    "city": Texture(50, 700, -6, 0.25, 0.21),
    "engine": Texture(40, 320, -7, 0.25, 2.1),
    "crowd": Texture(220, 1900, -5, 0.35, 1.3),
    "fire": Texture(60, 800, -5, 0.4, 1.7),
    "air": Texture(100, 1500, -7, 0.2, 0.11),
    "room": Texture(50, 400, -8, 0.1, 0.2),
    "leaves": Texture(1500, 9000, -3, 0.7, 0.23),
    "space": Texture(30, 220, -4, 0.5, 0.07),
}

EVENTS: Final[Mapping[str, Event]] = {
    "bird": Event(_bird, 1.3, 0.16),
    "gull": Event(_gull, 3.5, 0.10),
    "cricket": Event(_cricket, 0.7, 0.07),
    "bell": Event(_bell, 2.6, 0.25),
    "drop": Event(_drop, 0.22, 0.06),
    "crackle": Event(_crackle, 0.12, 0.22),
    "thunder": Event(_thunder, 6.0, 0.8),
    "horn": Event(_horn, 4.5, 0.07),
    "clop": Event(_clop, 0.32, 0.30),
    "owl": Event(_owl, 4.0, 0.14),
    "meow": Event(_meow, 2.8, 0.14),
    "bark": Event(_bark, 2.4, 0.20),
    "pad": Event(_pad, 2.4, 0.45),
    "tick": Event(_tick, 0.5, 0.12),
}
