"""Loudness by ITU-R BS.1770-4, level setting without clipping, and fades."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

TARGET = -16.0
"""Loudness of speech, in LUFS: the usual level of podcasts and of mono voice on the web."""

CEILING = 10 ** (-2.0 / 20)
"""Highest level after `level`: 1 dB below the usual -1 dBTP, because lossy formats add to peaks."""

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_CLOSE = 0.25
"""Difference from the target, in LU, that nobody hears."""

_STEP = 0.1
"""Seconds between gating blocks: 400 ms blocks that overlap by 75 % (BS.1770-4, annex 1)."""


@lru_cache(maxsize=8)
def _k_weighting(rate: int, length: int) -> NDArray[np.float32]:
    """Return the K filter's power response at the bins of a real FFT of `length` samples."""
    frequency = np.fft.rfftfreq(length, 1 / rate)
    # BS.1770 tabulates its two biquads for 48 kHz; their response is evaluated at the true frequencies.
    z = np.exp(-2j * np.pi * np.minimum(frequency, 23_999) / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    highpass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    response: Samples = (np.abs(shelf * highpass) ** 2).astype(np.float32)
    return response


def _step_powers(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the K-weighted mean square of each 100 ms step, by Parseval's theorem."""
    length = round(rate * _STEP)
    count = max(1, -(-len(samples) // length))
    weights = _k_weighting(rate, length)
    powers = np.empty(count)
    for start in range(0, count, 256):
        part = samples[start * length : (start + 256) * length]
        steps = np.pad(part, (0, -len(part) % length if len(part) else length)).reshape(-1, length)
        spectrum = np.fft.rfft(steps, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        power[:, 1:-1] *= 2
        powers[start : start + 256] = (power * weights).sum(axis=1) / length**2
    return powers


def integrated(samples: Samples, rate: int) -> float:
    """Return the gated loudness of mono samples in LUFS; -inf for silence."""
    steps = _step_powers(samples, rate)
    kernel = np.full(4, 0.25)
    blocks = np.convolve(steps, kernel, "valid") if len(steps) >= 4 else np.array([steps.mean()])
    loudness = -0.691 + 10 * np.log10(np.maximum(blocks, 1e-12))
    audible = loudness > _ABSOLUTE_GATE
    if not audible.any():
        return float("-inf")
    gate = -0.691 + 10 * np.log10(blocks[audible].mean()) + _RELATIVE_GATE
    return float(-0.691 + 10 * np.log10(blocks[audible & (loudness > gate)].mean()))


def level(samples: Samples, rate: int, target: float = TARGET) -> Samples:
    """Return samples at `target` LUFS with no sample above the ceiling; silence is returned as it is."""
    current = samples
    for _ in range(3):
        # The limiter takes some loudness away, which a further pass makes up for.
        difference = target - integrated(current, rate)
        if abs(difference) < _CLOSE or difference == float("inf"):
            break
        current = limit(current * np.float32(10 ** (difference / 20)), rate)
    return current


_HALFWAY = tuple(np.float32(weight / 256) for weight in (150, -25, 3))
"""Weights of the six nearest samples, by pairs from the inner one, for the level halfway (Lagrange)."""

_BLOCK = 1 << 10
"""Milliseconds looked at together, few enough samples for a processor's cache."""


def _peaks(samples: Samples, length: int) -> Samples:
    """Return the highest level in each `length` samples, also halfway between samples, where it may be higher."""
    peaks = np.empty(-(-len(samples) // length), np.float32)
    for first in range(0, len(peaks), _BLOCK):
        start, end = first * length, min(len(samples), (first + _BLOCK) * length)
        heights = np.abs(samples[start:end])
        low, high = max(2, start), min(end, len(samples) - 3)
        if low < high:
            np.maximum(
                heights[low - start : high - start],
                _halfway(samples[low - 2 : high + 3]),
                out=heights[low - start : high - start],
            )
        padded = np.pad(heights, (0, -len(heights) % length))
        peaks[first : first + _BLOCK] = padded.reshape(-1, length).max(axis=1)
    return peaks


def _halfway(part: Samples) -> Samples:
    """Return the level between the samples of a part, but for its two first and its three last ones."""
    inner, middle, outer = _HALFWAY
    found: Samples = inner * (part[2:-3] + part[3:-2])
    found += middle * (part[1:-4] + part[4:-1])
    found += outer * (part[:-5] + part[5:])
    np.abs(found, out=found)
    return found


def limit(samples: Samples, rate: int, ceiling: float = CEILING) -> Samples:
    """Return samples with peaks, also between samples, under `ceiling`, by a gain that moves 5 ms ahead of them."""
    length = max(1, rate // 1000)
    peaks = _peaks(samples, length)
    if peaks.size == 0 or peaks.max() <= ceiling:
        return samples
    reach = 5
    gain = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    padded = np.pad(gain, 2 * reach + 1, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 3).min(axis=1)
    window = np.hanning(2 * reach + 3)[1:-1]
    smooth = np.convolve(lowest, window / window.sum(), "valid")
    edges = np.concatenate((smooth[:1], np.minimum(smooth[:-1], smooth[1:]), smooth[-1:])).astype(np.float32)
    ramp = np.arange(length, dtype=np.float32) / np.float32(length)
    slopes = np.diff(edges)
    limited = np.empty_like(samples)
    for first in range(0, len(peaks), _BLOCK):
        last = first + _BLOCK
        out = limited[first * length : last * length]
        curve = (edges[first : min(last, len(slopes)), None] + slopes[first:last, None] * ramp).reshape(-1)
        np.multiply(samples[first * length : last * length], curve[: len(out)], out=out)
        np.clip(out, -ceiling, ceiling, out=out)
    return limited


def fade(samples: Samples, rate: int, seconds: float = 0.008) -> Samples:
    """Return samples that start from and end in silence by raised-cosine ramps of `seconds`."""
    length = min(round(rate * seconds), len(samples) // 2)
    if length < 1:
        return np.zeros_like(samples)
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)
    out = samples.copy()
    out[:length] *= ramp
    out[-length:] *= ramp[::-1]
    return out
