"""Frames and sound out of an MP4, MOV or WebM file, upright and at a constant rate."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from opperlite.engine.errors import BadMedia
from opperlite.engine.video_container import Container, identify
from opperlite.engine.video_writer import SOUND_RATE, Picture, Samples

MAX_SECONDS = 3600.0
MAX_PIXELS = 8192 * 4320
_MAX_SIDE = 16_384
_MAX_FPS = 240
_DECODER_THREADS = 2
_LARGE_FRAME = 1280 * 720 * 3 // 2
_UNSPECIFIED = 2  # ITU-T H.273: matrix code of a stream that names none
_SAMPLED_POSITIONS = 4
# Files cut off by a recorder lack a last frame or two; more than this is a broken file.
_MISSING_SECONDS = 0.5


class SoundOnly(BadMedia):
    """A file of a video's kind without pictures."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds. Size in pixels as shown (upright, square pixels), duration in seconds."""

    width: int
    height: int
    duration: float
    fps: Fraction
    frames: int
    mime_type: str
    has_audio: bool
    codec: str


class VideoReader:
    """One video file, opened and measured; use it as a context.

    BadMedia when the file is no MP4, MOV or WebM, is damaged, encrypted, empty of pictures, or beyond the
    bounds (seconds, pixels of a frame).
    """

    def __init__(self, path: Path, *, max_duration: float = MAX_SECONDS, max_pixels: int = MAX_PIXELS) -> None:
        self._path = path
        self._kind = identify(path)
        self._reformatter = VideoReformatter()
        self._container = _open(path, self._kind)
        try:
            self._stream = _video_stream(self._container)
            _check_size(self._stream, max_pixels)
            self._check_duration(_stated_seconds(self._container, self._stream), max_duration)
            self._first = self._first_frame()
            self.info = self._measure(max_duration)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _check_duration(self, seconds: float, allowed: float) -> None:
        if seconds > allowed:
            raise BadMedia(f"The video is {seconds:.0f} seconds long; at most {allowed:.0f} are allowed.")

    def _first_frame(self) -> VideoFrame:
        try:
            for frame in self._container.decode(self._stream):
                return frame
        except FFmpegError as error:
            raise BadMedia(f"The video cannot be decoded: its {_codec(self._stream)} stream is damaged.") from error
        raise BadMedia("The video holds no frame; at least one is needed.")

    def _measure(self, max_duration: float) -> VideoInfo:
        frames, seconds = _count(self._path, self._kind)
        self._check_duration(seconds, max_duration)
        self._check_sampled(seconds)
        width, height = _shown_size(self._first, self._stream)
        rate = _steady_rate(self._stream, frames, seconds)
        return VideoInfo(
            width=width,
            height=height,
            duration=seconds,
            fps=rate,
            frames=frames,
            mime_type=self._kind.mime_type,
            has_audio=bool(self._container.streams.audio),
            codec=_codec(self._stream),
        )

    def _check_sampled(self, seconds: float) -> None:
        """Decode a frame here and there, so that damage and changes of size show before work begins."""
        for step in range(1, _SAMPLED_POSITIONS):
            try:
                self._seek(seconds * step / _SAMPLED_POSITIONS)
                for frame in islice(self._container.decode(self._stream), 1):
                    self._check_same_size(frame)
            except FFmpegError as error:
                where = seconds * step / _SAMPLED_POSITIONS
                raise BadMedia(f"The video cannot be decoded: it is damaged near {where:.1f} s.") from error

    def _seek(self, seconds: float) -> None:
        base = self._stream.time_base or Fraction(1, 1000)
        start = self._stream.start_time or 0
        self._container.seek(start + int(seconds / base), stream=self._stream)

    def _check_same_size(self, frame: VideoFrame) -> None:
        if (frame.width, frame.height) != (self._first.width, self._first.height):
            raise BadMedia(
                f"The video changes its size from {self._first.width}x{self._first.height} to "
                f"{frame.width}x{frame.height}; one size throughout is needed."
            )

    def _timed(self) -> Iterator[tuple[float, VideoFrame]]:
        self._container.seek(0)
        base, start, last = self._stream.time_base or Fraction(1, 1000), None, 0.0
        try:
            for frame in self._container.decode(self._stream):
                self._check_same_size(frame)
                if frame.pts is None:
                    last += float(1 / self.info.fps)
                else:
                    start = frame.pts if start is None else start
                    last = float((frame.pts - start) * base)
                yield last, frame
        except FFmpegError as error:
            raise BadMedia(f"The video cannot be decoded: it is damaged near {last:.1f} s.") from error
        if last + float(1 / self.info.fps) < self.info.duration - max(_MISSING_SECONDS, self.info.duration / 20):
            raise BadMedia(f"The video breaks off at {last:.1f} s of {self.info.duration:.1f} s.")

    def pictures(
        self, fps: Fraction, frames: int, width: int | None = None, height: int | None = None
    ) -> Iterator[Picture]:
        """Upright RGB pictures at a constant rate: each the newest frame at its time.

        Fewer than `frames` when the video ends sooner. Size in pixels, by default as shown. Constant memory.
        """
        size = (width or self.info.width, height or self.info.height)
        # Half a tick of tolerance: time stamps of WebM are rounded to milliseconds.
        slack = min(0.001, float(1 / fps) / 4)
        made, current = 0, None
        for time, frame in self._timed():
            while current is not None and made < frames and made / fps < time - slack:
                yield self.picture(current, size)
                made += 1
            current = frame
            if made >= frames:
                return
        end = min(frames, max(1, round(self.info.duration * fps)))
        while current is not None and made < end:
            yield self.picture(current, size)
            made += 1

    def picture(self, frame: VideoFrame, size: tuple[int, int]) -> Picture:
        """One decoded frame as an upright RGB picture of a size."""
        turns = _quarter_turns(frame)
        width, height = size if turns % 2 == 0 else size[::-1]
        scaled = (width, height) != (frame.width, frame.height)
        plain = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=_matrix(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=(Interpolation.BICUBIC if scaled else Interpolation.BILINEAR)
            | Interpolation.ACCURATE_RND
            | Interpolation.BITEXACT,
            threads=1,
        )
        array: Picture = plain.to_ndarray()  # type: ignore[assignment]
        return np.ascontiguousarray(np.rot90(array, turns)) if turns else array

    def at(self, seconds: float) -> Picture:
        """The picture shown at a time; the last one for any later time."""
        self._seek(max(0.0, seconds))
        base, start = self._stream.time_base or Fraction(1, 1000), self._stream.start_time or 0
        found = None
        try:
            for frame in self._container.decode(self._stream):
                late = frame.pts is not None and float((frame.pts - start) * base) > seconds + 1e-6
                if found is not None and late:
                    break
                found = frame
        except FFmpegError as error:
            if found is None:
                raise BadMedia(f"The video cannot be decoded near {seconds:.1f} s.") from error
        return self.picture(found or self._first, (self.info.width, self.info.height))


def sound(path: Path) -> Iterator[Samples]:
    """The sound track as blocks of stereo samples at SOUND_RATE, from the video's start; constant memory.

    Nothing when the file has none. BadMedia when it cannot be decoded at all.
    """
    with _open(path, identify(path)) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        resampler = AudioResampler(format="s16", layout="stereo", rate=SOUND_RATE)
        yielded = False
        try:
            for frame in container.decode(stream):
                frame.pts = None
                for part in resampler.resample(frame):
                    yielded = True
                    yield _interleaved(part)
            for part in resampler.resample(None):
                yield _interleaved(part)
        except FFmpegError as error:
            if not yielded:
                raise BadMedia("The video's sound track cannot be decoded.") from error


def _interleaved(frame: av.AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1, 2).astype(np.int16, copy=False)


def _open(path: Path, kind: Container) -> InputContainer:
    try:
        # Naming the format keeps play lists and other formats that open further files out.
        container = av.open(
            f"file:{path}",
            "r",
            format=kind.demuxer,
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except FFmpegError as error:
        raise BadMedia(f"The video cannot be opened: damaged {kind.name} file.") from error
    return container


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if stream.disposition & stream.disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise BadMedia("The video's codec is not known.")
        # Each further thread holds further frames.
        large = stream.codec_context.width * stream.codec_context.height > _LARGE_FRAME
        stream.codec_context.thread_count = 1 if large else _DECODER_THREADS
        stream.thread_type = "AUTO"
        return stream
    if container.streams.audio:
        raise SoundOnly("The file holds sound only; a video with pictures is needed.")
    raise BadMedia("The file holds no video stream.")


def _check_size(stream: VideoStream, max_pixels: int) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels or max(width, height) > _MAX_SIDE:
        raise BadMedia(
            f"The video's frames are {width}x{height} ({width * height / 1e6:.0f} megapixels); at most "
            f"{max_pixels / 1e6:.0f} megapixels and {_MAX_SIDE} pixels a side are allowed."
        )


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _count(path: Path, kind: Container) -> tuple[int, float]:
    """Frames and seconds of the video stream, from its packets (nothing is decoded)."""
    with _open(path, kind) as container:
        stream = _video_stream(container)
        count, first, last, length = 0, None, 0, 0
        try:
            for packet in container.demux(stream):
                if packet.pts is None or packet.is_discard:
                    continue
                count += 1
                first = packet.pts if first is None else min(first, packet.pts)
                if packet.pts >= last:
                    last, length = packet.pts, packet.duration or 0
        except FFmpegError as error:
            raise BadMedia("The video cannot be read to its end: it is damaged.") from error
        if first is None:
            raise BadMedia("The video holds no frame; at least one is needed.")
        base = stream.time_base or Fraction(1, 1000)
        if not length:
            length = (last - first) // max(1, count - 1)
        return count, float((last + length - first) * base)


def _steady_rate(stream: VideoStream, frames: int, seconds: float) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if not rate or not 1 <= rate <= _MAX_FPS:
        rate = Fraction(frames / seconds).limit_denominator(1001) if seconds > 0 else Fraction(25)
    return Fraction(min(max(rate, Fraction(1)), Fraction(_MAX_FPS)))


def _shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(1, round(frame.width * aspect)) if Fraction(1, 8) < aspect < 8 else frame.width
    return (width, frame.height) if _quarter_turns(frame) % 2 == 0 else (frame.height, width)


def _quarter_turns(frame: VideoFrame) -> int:
    return round(frame.rotation / 90) % 4


def _matrix(frame: VideoFrame) -> int:
    """The frame's colour matrix; for a stream that names none the usual rule, BT.709 from 720 lines up."""
    if frame.colorspace not in (_UNSPECIFIED, 0):
        return frame.colorspace
    return Colorspace.ITU709 if frame.height >= 720 or math.isclose(frame.height, 704) else Colorspace.ITU601


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.name
