"""Changes to the sound of speech: brightness, whisper, and tempo without pitch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_TAPS = 21
_PIVOT = 1000.0
"""Frequency in Hz whose level a tilt leaves alone."""


def tilt(samples: Samples, rate: int, slope: float) -> Samples:
    """Return samples with `slope` dB per octave of brightness added around 1 kHz."""
    if abs(slope) < 0.05 or not samples.size:
        return samples
    return _filtered(samples, _tilt_filter(rate, slope))


def _filtered(samples: Samples, taps: Samples) -> Samples:
    """Return samples through a symmetric filter, by blocks of FFTs: three times as fast as a sum over its taps."""
    size = 4096
    step, delay = size - len(taps) + 1, len(taps) // 2
    count = -(-(len(samples) + delay) // step)
    padded = np.pad(samples, (len(taps) - 1, count * step - len(samples)))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    response = np.fft.rfft(taps, size)
    out = np.empty((count, step), np.float32)
    for start in range(0, count, 64):
        spectra = np.fft.rfft(blocks[start : start + 64], axis=1) * response
        out[start : start + 64] = np.fft.irfft(spectra, axis=1)[:, len(taps) - 1 :]
    return out.reshape(-1)[delay : delay + len(samples)]


@lru_cache(maxsize=64)
def _tilt_filter(rate: int, slope: float) -> Samples:
    frequency = np.clip(np.fft.rfftfreq(512, 1 / rate), 150.0, 6000.0)
    response = 10 ** (slope * np.log2(frequency / _PIVOT) / 20)
    impulse = np.roll(np.fft.irfft(response), _TAPS // 2)[:_TAPS] * np.hamming(_TAPS)
    return impulse.astype(np.float32)


def whisper(samples: Samples, rate: int, seed: int) -> Samples:
    """Return samples with the voice's vibration replaced by breath: spectral envelope kept, excitation noise."""
    length, hop = 512, 128
    if len(samples) < length:
        return samples
    padded = np.pad(samples, (length, length + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]
    window = np.hanning(length).astype(np.float32)
    noise = np.random.default_rng(seed).standard_normal(len(padded)).astype(np.float32)
    breaths = np.lib.stride_tricks.sliding_window_view(noise, length)[::hop]
    out = np.zeros(len(padded), np.float32)
    lifter = np.zeros(length, np.float32)
    lifter[: round(rate * 0.0015)] = lifter[-round(rate * 0.0015) + 1 :] = 1.0
    brightness = np.minimum(1.0, np.fft.rfftfreq(length, 1 / rate) / 900.0) ** 0.7
    for start in range(0, len(frames), 256):
        spectra = np.abs(np.fft.rfft(frames[start : start + 256] * window, axis=1)) + 1e-6
        cepstra = np.fft.irfft(np.log(spectra), axis=1) * lifter
        envelopes = np.exp(np.fft.rfft(cepstra, axis=1).real) * brightness
        excited = np.fft.rfft(breaths[start : start + 256] * window, axis=1)
        blocks = np.fft.irfft(excited * envelopes, axis=1) * window
        for index, block in enumerate(blocks):
            at = (start + index) * hop
            out[at : at + length] += block.astype(np.float32)
    return out[length : length + len(samples)] / np.float32(length**0.5)


def stretch(samples: Samples, rate: int, factor: float) -> Samples:
    """Return samples `factor` times as long at the same pitch, by WSOLA (Verhelst and Roelands, 1993)."""
    if abs(factor - 1.0) < 0.01 or len(samples) < rate // 10:
        return samples
    length = round(rate * 0.03) // 2 * 2
    hop, reach = length // 2, length // 3
    count = max(1, round(len(samples) * factor / hop))
    padded = np.pad(samples, (reach, 3 * length + reach))
    window = np.hanning(length + 1)[:length].astype(np.float32)
    out = np.zeros((count + 1) * hop, np.float32)
    at = reach
    for index in range(count):
        out[index * hop : index * hop + length] += padded[at : at + length] * window
        wanted = padded[at + hop : at + hop + length]
        centre = min(round((index + 1) * hop / factor), len(samples)) + reach
        region = padded[centre - reach : centre + reach + length]
        at = centre - reach + int(np.correlate(region, wanted, "valid").argmax())
    return out[: round(len(samples) * factor)]
