"""What made files hold, told by decoders that had no part in making them."""

import io
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy
from PIL import Image

FFPROBE = shutil.which("ffprobe")

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_RATES = {0b11: (44_100, 48_000, 32_000), 0b10: (22_050, 24_000, 16_000), 0b00: (11_025, 12_000, 8_000)}
_KBITS = {  # ISO/IEC 11172-3 and 13818-3, layer III
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


# ---------------------------------------------------------------------------------------------- pictures


def picture(data: bytes) -> Image.Image:
    """The picture, every pixel read; raises for damaged data."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.copy()


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header says (PNG 11.2.2)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[12:16] == b"IHDR"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def difference(one: bytes, other: bytes) -> float:
    """The mean difference of two pictures of the same size, 0 to 255."""
    arrays = [numpy.asarray(picture(data).convert("RGB"), dtype=numpy.int16) for data in (one, other)]
    return float(numpy.abs(arrays[0] - arrays[1]).mean())


# ------------------------------------------------------------------------------------------------ videos


@dataclass(frozen=True)
class Movie:
    """An MP4 file as its boxes tell it (ISO/IEC 14496-12). `order` has the names of the top boxes."""

    order: tuple[str, ...]
    seconds: float
    tracks: dict[str, int]  # handler, the number of its samples

    @property
    def streams_at_once(self) -> bool:
        """Whether the index comes before the data, so that a browser plays it while it loads."""
        return self.order.index("moov") < self.order.index("mdat")


def movie(data: bytes) -> Movie:
    tops = list(_boxes(data))
    index = dict(tops)[b"moov"]
    tracks = {}
    for name, body in _boxes(index):
        if name == b"trak":
            inner = dict(_all_boxes(body))
            (samples,) = struct.unpack(">I", inner[b"stsz"][8:12])
            tracks[inner[b"hdlr"][8:12].decode()] = samples
    return Movie(tuple(name.decode() for name, _ in tops), _seconds(dict(_boxes(index))[b"mvhd"]), tracks)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", data[place + 8 : place + 16])
            head = 16
        assert head <= size <= len(data) - place, f"box {name!r} of {size} bytes does not fit"
        yield name, data[place + head : place + size]
        place += size


def _all_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for name, body in _boxes(data):
        yield name, body
        if name in _CONTAINERS:
            yield from _all_boxes(body)


def _seconds(header: bytes) -> float:
    wide = header[0] == 1
    scale, duration = struct.unpack(">IQ" if wide else ">II", header[20:32] if wide else header[12:20])
    return float(duration / scale)


@dataclass(frozen=True)
class Frames:
    """What a decoder makes of a video: how many pictures, their size and form, and how much they move (0 to 255)."""

    count: int
    width: int
    height: int
    form: str
    motion: float


def frames(data: bytes) -> Frames:
    count, total, first, last = 0, 0.0, None, None
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            last = frame
            grey = frame.to_ndarray(format="gray").astype(numpy.int16)
            total += float(numpy.abs(grey - first).mean()) if first is not None else 0.0
            first, count = grey, count + 1
    assert last is not None
    return Frames(count, last.width, last.height, last.format.name, total / max(count - 1, 1))


# ------------------------------------------------------------------------------------------------- sound


def mp3_seconds(data: bytes) -> float:
    """The length of an MP3 file by its frames' headers, the information frame not counted."""
    place, seconds = 0, 0.0
    if data[:3] == b"ID3":
        place = 10 + sum(part << shift for part, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    while place + 4 <= len(data) and data[place : place + 3] != b"TAG":
        size, length = _mp3_frame(data[place : place + 4])
        if not any(mark in data[place : place + 48] for mark in (b"Xing", b"Info")):
            seconds += length
        place += size
    return seconds


def _mp3_frame(header: bytes) -> tuple[int, float]:
    """Bytes and seconds of the frame that begins with these four bytes."""
    (bits,) = struct.unpack(">I", header)
    assert bits >> 21 == 0x7FF, f"no frame where one should begin: {header.hex()}"
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    assert layer == 0b01, "not layer III"
    first = version == 0b11
    rate = _RATES[version][bits >> 10 & 3]
    samples = 1152 if first else 576
    size = samples // 8 * _KBITS[first][bits >> 12 & 15] * 1000 // rate + (bits >> 9 & 1)
    return size, samples / rate


def loudness(data: bytes) -> tuple[float, float]:
    """Seconds of sound as decoded, and its root mean square, 0 to 1."""
    squares, samples, rate = 0.0, 0, 1
    with av.open(io.BytesIO(data)) as container:
        resampler = av.AudioResampler("fltp", "mono")
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                block = part.to_ndarray()
                squares, samples, rate = squares + float((block**2).sum()), samples + block.shape[1], part.sample_rate
    return samples / rate, (squares / max(samples, 1)) ** 0.5


# ---------------------------------------------------------------------------------------- a second opinion


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe says of a file, frames counted by decoding; {} where it is not installed."""
    if FFPROBE is None:
        return {}
    words = [FFPROBE, "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return dict(json.loads(ran.stdout))
