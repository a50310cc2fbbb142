"""Small videos for tests, and a reader of MP4 boxes that shares no code with the writer."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CONTAINER_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Boxes of an MP4 file, containers opened: type, start of the payload, end."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        length, kind, header = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if length == 1:
            length, header = int.from_bytes(data[start + 8 : start + 16]), 16
        yield kind, start + header, start + length
        if kind in CONTAINER_BOXES:
            yield from boxes(data, start + header, start + length)
        start += length


def number(data: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(data[at : at + size])


def sample_counts(data: bytes) -> list[int]:
    """Samples of each track (stsz: version, sample size, count)."""
    return [number(data, start + 8) for kind, start, _ in boxes(data) if kind == b"stsz"]


def movie_duration(data: bytes) -> Fraction:
    """Seconds by the movie header (mvhd of version 0: two dates, scale, duration)."""
    start = next(start for kind, start, _ in boxes(data) if kind == b"mvhd")
    assert data[start] == 0
    return Fraction(number(data, start + 16), number(data, start + 12))


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame as RGB."""
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_color_range="JPEG")
            for frame in container.decode(video=0)
        ]


def sound_level(path: Path) -> tuple[float, float]:
    """Seconds of the sound track and its RMS (0 to 1)."""
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
        samples = np.concatenate(parts, axis=1)
        return samples.shape[1] / container.streams.audio[0].rate, float(np.sqrt(np.mean(samples**2)))


def photograph(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth picture with some detail, as cameras see."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [
        np.sin(2 * np.pi * (draw.uniform(0.3, 1.3) * x + draw.uniform(0.3, 1.3) * y + draw.random())) for _ in range(3)
    ]
    grain = draw.normal(0, 2, (height, width, 1))
    return np.clip(np.stack(waves, -1) * 70 + 128 + grain, 0, 255).astype(np.uint8)


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    error = float(np.mean((first.astype(float) - second.astype(float)) ** 2))
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def write(
    path: Path,
    *,
    codec: str = "libx264",
    width: int = 64,
    height: int = 48,
    fps: Fraction = Fraction(25),
    frames: int = 25,
    sound: str | None = "aac",
    rotation: int = 0,
) -> Path:
    """A video of a square that moves over a photograph, with a tone of 440 Hz."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        if rotation:
            video.set_display_rotation(rotation)
        tone = container.add_stream(sound, rate=48000, layout="stereo") if sound else None
        ground = photograph(width, height)
        for index in range(frames):
            picture = ground.copy()
            picture[4:12, index % (width - 8) : index % (width - 8) + 8] = 255
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode(None))
        if tone:
            length = round(frames / fps * 48000)
            wave = (np.sin(np.arange(length) * 2 * np.pi * 440 / 48000) * 8000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
            frame.sample_rate = 48000
            for part in [frame] if sound == "aac" else _pieces(wave):
                container.mux(tone.encode(part))
            container.mux(tone.encode(None))
    return path


def _pieces(wave: NDArray[np.int16]) -> Iterator[av.AudioFrame]:
    for start in range(0, len(wave), 960):
        part = np.pad(wave[start : start + 960], (0, max(0, start + 960 - len(wave))))
        frame = av.AudioFrame.from_ndarray(np.repeat(part, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield frame


def write_ramp(path: Path, times: Sequence[Fraction]) -> Path:
    """A silent video of grey frames, each lighter than the one before, shown at the given seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 120_000)
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 7 * index, np.uint8))
            frame.pts, frame.time_base = round(time * 120_000), Fraction(1, 120_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ramp_index(picture: NDArray[np.uint8]) -> int:
    """Which frame of write_ramp a picture is."""
    return round((float(picture.mean()) - 20) / 7)


def write_changing_size(path: Path) -> Path:
    """A WebM whose second half is of another size."""
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(photograph(64, 48, index))))
        container.mux(stream.encode(None))
        other = av.CodecContext.create("libvpx-vp9", "w")
        other.width, other.height, other.pix_fmt = 96, 80, "yuv420p"
        other.time_base, other.framerate = Fraction(1, 10), Fraction(10)
        for index in range(10, 20):
            frame = av.VideoFrame.from_ndarray(photograph(96, 80, index)).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            for packet in other.encode(frame):
                packet.stream = stream
                container.mux(packet)
        for packet in other.encode(None):
            packet.stream = stream
            container.mux(packet)
    return path
