"""Sound as float32 mono arrays in [-1, 1]: other rates, 16-bit integers, frames for the codecs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def samples_of(frame: Any) -> Samples:
    block: Samples = np.nan_to_num(frame.to_ndarray().reshape(-1), copy=True)
    return np.clip(block, -1.0, 1.0).astype(np.float32, copy=False)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Return `samples` at another rate; the length is rounded to the nearest sample."""
    if rate == target or not samples.size:
        return samples
    resampler = AudioResampler(format="flt", layout="mono", rate=target)
    blocks = [samples_of(frame) for block in frames_of(samples, rate) for frame in resampler.resample(block)]
    blocks.extend(samples_of(frame) for frame in resampler.resample(None))
    out = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    length = max(1, round(len(samples) * target / rate))
    return np.pad(out, (0, max(0, length - len(out))))[:length]


def frames_of(samples: Samples, rate: int, sample_format: str = "flt") -> Iterator[Any]:
    """Yield frames of one second each."""
    for start in range(0, len(samples), rate):
        block = samples[start : start + rate]
        data: Any = block if sample_format == "flt" else pcm16(block)
        frame: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(data[None]), format=sample_format, layout="mono")
        frame.sample_rate = rate
        frame.pts = start
        yield frame


def pcm16(samples: Samples) -> NDArray[np.int16]:
    """Return samples as 16-bit integers, rounded to nearest."""
    scaled: NDArray[np.int16] = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    return scaled
