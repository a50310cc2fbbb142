"""Stretches of sound that may be speech, cut out of a source of any length in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from opperlite.engine.sound import audio

Samples = NDArray[np.float32]

RATE = 16_000
"""Sample rate of the acoustic model, in Hz."""

_LONGEST = 20.0
"""Seconds after which speech without a pause is cut at its quietest place."""

_SEARCH = 4.0
"""Seconds before the cut in which that place is looked for."""


@dataclass(frozen=True, slots=True)
class Stretch:
    start: float
    samples: NDArray[np.int16]


class Meter:
    """The 16-bit blocks of a source, counted as they pass."""

    def __init__(self, path: Path | str, progress: Callable[[float], None] | None) -> None:
        self._path = path
        self._progress = progress
        self._count = 0

    @property
    def seconds(self) -> float:
        return self._count / RATE

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        for block in audio.decode_blocks(self._path, RATE):
            self._count += len(block)
            yield audio.pcm16(block)
            if self._progress is not None:
                self._progress(self.seconds)


def stretches(blocks: Meter) -> Iterator[Stretch]:
    """Yield the stretches of sound that may be speech, none longer than `_LONGEST`."""
    endpointer = pocketsphinx.Endpointer(sample_rate=RATE)
    kept: list[bytes] = []
    start = 0.0
    for frame, last in _endpointer_frames(blocks, endpointer.frame_bytes):
        speech = endpointer.end_stream(frame) if last else endpointer.process(frame)
        if speech is None:
            continue
        if not kept:
            start = endpointer.speech_start
        kept.append(speech)
        if not endpointer.in_speech:
            yield Stretch(start, np.frombuffer(b"".join(kept), np.int16))
            kept = []
        elif sum(map(len, kept)) > 2 * RATE * _LONGEST:
            samples = np.frombuffer(b"".join(kept), np.int16)
            cut = _quietest(samples)
            yield Stretch(start, samples[:cut])
            kept = [samples[cut:].tobytes()]
            start += cut / RATE
    if kept:
        yield Stretch(start, np.frombuffer(b"".join(kept), np.int16))


def _endpointer_frames(blocks: Meter, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield frames of `size` bytes, then the shorter rest marked as the last one."""
    rest = b""
    for block in blocks:
        rest += block.tobytes()
        whole = len(rest) // size * size
        for at in range(0, whole, size):
            yield rest[at : at + size], False
        rest = rest[whole:]
    # The endpointer fails on an empty frame.
    yield rest or bytes(2), True


def _quietest(samples: NDArray[np.int16]) -> int:
    """Return where, in the last seconds, 100 ms are quietest."""
    step = RATE // 50
    tail = samples[-round(RATE * _SEARCH) :]
    energy = (tail[: len(tail) // step * step].astype(np.float32).reshape(-1, step) ** 2).mean(axis=1)
    return len(samples) - len(tail) + (int(np.convolve(energy, np.ones(5), "valid").argmin()) + 2) * step


def floating(stretch: Stretch) -> Samples:
    return stretch.samples.astype(np.float32) / np.float32(32768)
