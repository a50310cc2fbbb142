"""Who speaks when: voices told apart by pitch and spectrum, without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import audio

Samples = NDArray[np.float32]
Signature = NDArray[np.float32]

_FLOOR, _TOP = 60.0, 420.0
"""Hz between which a voice's pitch is looked for."""

_WINDOW, _HOP = 0.04, 0.01


def pitches(samples: Samples, rate: int) -> NDArray[np.float32]:
    """Return the pitch in Hz of every voiced frame (10 ms apart), by autocorrelation."""
    window, hop = round(rate * _WINDOW), round(rate * _HOP)
    if len(samples) < window:
        return np.zeros(0, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    found = [_frame_pitches(frames[start : start + 512], rate) for start in range(0, len(frames), 512)]
    return np.concatenate(found)


def _frame_pitches(frames: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    window = frames.shape[1]
    taper = np.hanning(window).astype(np.float32)
    size = 1 << (2 * window - 1).bit_length()
    shaped = (frames - frames.mean(axis=1, keepdims=True)) * taper
    power = np.abs(np.fft.rfft(shaped, size, axis=1)) ** 2
    correlation = np.fft.irfft(power, size, axis=1)[:, : window // 2 + window // 4]
    own = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2, size)[: correlation.shape[1]]
    energy = correlation[:, :1]
    normal = correlation / np.maximum(energy, 1e-9) * (own[0] / np.maximum(own, 1e-6 * own[0]))
    low, high = round(rate / _TOP), min(correlation.shape[1] - 1, round(rate / _FLOOR))
    region = normal[:, low:high] - 0.002 * np.arange(high - low) * (16_000 / rate) * 0.5
    best = region.argmax(axis=1)
    strong = normal[np.arange(len(best)), best + low] > 0.55
    loud = energy[:, 0] > 0.02 * max(float(energy.max()), 1e-9)
    found: NDArray[np.float32] = (rate / (best[strong & loud] + low)).astype(np.float32)
    return found


_MEL_BANDS = 24
_COEFFICIENTS = 13
_PITCH_SPREAD = 0.035
"""Octaves by which the median pitch of one voice differs from turn to turn (standard deviation, measured)."""

_CEPSTRUM_SPREAD = np.array([0.95, 0.6, 0.5, 0.55, 0.35, 0.3, 0.24, 0.24, 0.17, 0.17, 0.14, 0.12], np.float32)
"""The same for the mean cepstral coefficients, widened because the vowels of a turn move them together."""

THRESHOLD = 4.0
"""Distance above which two groups of turns are two voices, in the units of `signature`; best on 14 voices."""

_SHORTEST = 0.35
"""Seconds of sound below which a turn is too short to know its voice by."""

_MOST_AT_ONCE = 400

_RATE = 16_000
"""Hz at which samples of voices are looked at, as recordings are."""

_SAMPLE_SECONDS = 30.0
"""How much of a sample is looked at."""


@lru_cache(maxsize=4)
def _mel_filters(rate: int, size: int) -> NDArray[np.float32]:
    """Return triangular filters from 100 Hz to 7 kHz, equally wide on the mel scale."""
    edges = 700 * (
        10 ** (np.linspace(np.log10(1 + 100 / 700), np.log10(1 + min(7000, rate / 2) / 700), _MEL_BANDS + 2)) - 1
    )
    frequency = np.fft.rfftfreq(size, 1 / rate)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    filters: Samples = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return filters


def signature(samples: Samples, rate: int) -> Signature | None:
    """Return a vector that tells voices apart (mean cepstrum of the loud frames, pitch); None when too short."""
    window, hop = round(rate * 0.025), round(rate * _HOP)
    if len(samples) < rate * _SHORTEST:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, 512 if rate <= 16_000 else 2048, axis=1)) ** 2
    size = 2 * (power.shape[1] - 1)
    energy = power.sum(axis=1)
    loud = power[energy > 0.05 * np.percentile(energy, 95)]
    found = pitches(samples, rate)
    if len(loud) < 10 or len(found) < 8:
        return None
    bands = np.log(loud @ _mel_filters(rate, size).T + 1e-8).mean(axis=0)
    order = np.arange(1, _COEFFICIENTS)[:, None]
    basis = np.cos(np.pi * order * (np.arange(_MEL_BANDS) + 0.5) / _MEL_BANDS) / _MEL_BANDS
    cepstrum = basis @ bands
    pitch = np.log2(np.median(found) / 100.0) / _PITCH_SPREAD
    return np.concatenate(([pitch], cepstrum / _CEPSTRUM_SPREAD)).astype(np.float32)


def cluster(vectors: NDArray[np.float32], threshold: float = THRESHOLD) -> list[int]:
    """Return a group number for each vector (first seen is 0), by average linkage up to `threshold`."""
    if len(vectors) > _MOST_AT_ONCE:
        half = len(vectors) // 2
        return _joined(vectors, cluster(vectors[:half], threshold), cluster(vectors[half:], threshold), threshold)
    members = [[index] for index in range(len(vectors))]
    mass = np.ones(len(vectors))
    distances = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    alive = np.ones(len(vectors), bool)
    while alive.sum() > 1:
        first, second = divmod(int(distances.argmin()), len(vectors))
        if distances[first, second] > threshold:
            break
        members[first] += members[second]
        distances[first] = (distances[first] * mass[first] + distances[second] * mass[second]) / (
            mass[first] + mass[second]
        )
        distances[:, first] = distances[first]
        distances[first, first] = np.inf
        mass[first] += mass[second]
        alive[second] = False
        distances[second] = distances[:, second] = np.inf
    groups = np.zeros(len(vectors), int)
    for index in np.flatnonzero(alive):
        groups[members[index]] = index
    return _numbered(groups)


def _joined(vectors: NDArray[np.float32], early: list[int], late: list[int], threshold: float) -> list[int]:
    """Join the groups of two halves by their centres."""
    groups = np.array(early + [group + max(early) + 1 for group in late])
    centres = np.stack([vectors[groups == kind].mean(axis=0) for kind in range(groups.max() + 1)])
    # Centres lie closer together than single turns do.
    return _numbered(np.array(cluster(centres, 0.75 * threshold))[groups])


def _numbered(groups: NDArray[np.int_]) -> list[int]:
    """Renumber groups in the order of their first appearance."""
    order: dict[int, int] = {}
    return [order.setdefault(int(group), len(order)) for group in groups]


def label(number: int) -> str:
    """Return a speaker's label: "A" to "Z", then "AA"."""
    name = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(65 + letter) + name
    return name


_KNOWN = 1.5 * THRESHOLD
"""Distance up to which a voice is that of a sample: a sample says other words than the recording does."""


def known_voices(samples: Mapping[str, Path]) -> dict[str, Signature]:
    """The signatures of samples of people's voices, by name; one that is too short to know a voice by is left out.

    Raises BadMedia for a file without sound.
    """
    found = {}
    for name, path in samples.items():
        voice = signature(audio.decode(path, _RATE, max_seconds=_SAMPLE_SECONDS), _RATE)
        if voice is not None:
            found[name] = voice
    return found


def speakers(signatures: Sequence[Signature | None], known: Mapping[str, Signature] | None = None) -> list[str]:
    """Return the label of each turn's voice, in the order of time ("A" speaks first), or its name where it is known.

    A turn too short to have a signature has the label of the turn before it.
    """
    heard = {index: vector for index, vector in enumerate(signatures) if vector is not None}
    if not heard:
        return [label(0)] * len(signatures)
    groups = dict(zip(heard, cluster(np.stack(list(heard.values()))), strict=True))
    names = _names(groups, heard, known or {})
    labels, current = [], groups[min(heard)]
    for index in range(len(signatures)):
        current = groups.get(index, current)
        labels.append(names.get(current, label(current)))
    return labels


def _names(groups: Mapping[int, int], heard: Mapping[int, Signature], known: Mapping[str, Signature]) -> dict[int, str]:
    """The name of each group whose voice is known; two groups may be one person, who spoke in two ways."""
    names: dict[int, str] = {}
    for group in set(groups.values()):
        centre = np.mean([heard[index] for index, other in groups.items() if other == group], axis=0)
        away = {name: float(np.linalg.norm(centre - voice)) for name, voice in known.items()}
        nearest = min(away, key=lambda name: away[name], default=None)
        if nearest is not None and away[nearest] <= _KNOWN:
            names[group] = nearest
    return names
