"""Small media for requests, and large media made on the fly."""

import hashlib
import io
import math
import struct
import wave
from array import array
from collections.abc import Iterator

from PIL import Image

_BLOCK = 1 << 20


def sine_wave(seconds: float = 0.1, frequency: float = 440.0, rate: int = 8000) -> bytes:
    """A tone as a WAV file, 16 bits, mono."""
    samples = array("h", (int(8000 * math.sin(2 * math.pi * frequency * n / rate)) for n in range(int(seconds * rate))))
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return held.getvalue()


def photograph(width: int = 1280, height: int = 720, shade: int = 120) -> bytes:
    """A JPEG with soft gradients, as a camera would give."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", (across, down, Image.new("L", (width, height), shade)))
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=90)
    return held.getvalue()


def wave_head(size: int) -> bytes:
    """The 44 bytes that a WAV file of `size` bytes begins with (RIFF, PCM, 16 bits, stereo, 48 kHz)."""
    form = struct.pack("<HHIIHH", 1, 2, 48_000, 192_000, 4, 16)
    return (
        b"RIFF"
        + struct.pack("<I", size - 8)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size - 44)
    )


def large_wave(size: int, seed: int = 0) -> Iterator[bytes]:
    """A valid WAV file of `size` bytes, a mebibyte at most at a time; the same seed gives the same bytes.

    Noise from a hash, xored with a counter's block, is no two times the same and costs next to nothing.
    """
    noise = hashlib.shake_128(seed.to_bytes(8, "big")).digest(_BLOCK)
    head = wave_head(size)
    yield head
    left, number = size - len(head), 0
    while left > 0:
        block = struct.pack(">QQ", seed, number) + noise[16:]
        yield block[:left]
        left -= len(block)
        number += 1
