"""Frames and sound out of an MP4, MOV or WebM file, upright and at a constant rate."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from opperlite.engine.clips.video_container import MAX_PIXELS, check_size, identify
from opperlite.engine.clips.video_streams import (
    VideoInfo,
    codec_name,
    color_matrix,
    count_frames,
    open_file,
    quarter_turns,
    shown_size,
    stated_seconds,
    steady_rate,
    video_stream,
)
from opperlite.engine.clips.video_writer import SOUND_RATE, Picture, Samples
from opperlite.engine.errors import BadMedia

MAX_SECONDS = 3600.0
_SAMPLED_POSITIONS = 4
# Files cut off by a recorder lack a last frame or two; more than this is a broken file.
_MISSING_SECONDS = 0.5


class VideoReader:
    """One video file, opened and measured; use it as a context.

    BadMedia when the file is no MP4, MOV or WebM, is damaged, encrypted, empty of pictures, or beyond the
    bounds (seconds, pixels of a frame).
    """

    def __init__(self, path: Path, *, max_duration: float = MAX_SECONDS, max_pixels: int = MAX_PIXELS) -> None:
        self._path = path
        self._kind = identify(path)
        self._reformatter = VideoReformatter()
        self._container = open_file(path, self._kind)
        try:
            self._stream = video_stream(self._container)
            check_size(self._stream.codec_context.width, self._stream.codec_context.height, max_pixels)
            self._check_duration(stated_seconds(self._container, self._stream), max_duration)
            first = self._first_frame()
            self._size = (first.width, first.height)
            self.info = self._measure(first, max_duration)
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
            raise BadMedia(f"The video cannot be decoded: its {codec_name(self._stream)} stream is damaged.") from error
        raise BadMedia("The video holds no frame; at least one is needed.")

    def _measure(self, first: VideoFrame, max_duration: float) -> VideoInfo:
        frames, seconds = count_frames(self._path, self._kind)
        self._check_duration(seconds, max_duration)
        self._check_sampled(seconds)
        width, height = shown_size(first, self._stream)
        rate = steady_rate(self._stream, frames, seconds)
        return VideoInfo(
            width=width,
            height=height,
            duration=seconds,
            fps=rate,
            frames=frames,
            mime_type=self._kind.mime_type,
            has_audio=bool(self._container.streams.audio),
            codec=codec_name(self._stream),
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
        if (frame.width, frame.height) != self._size:
            raise BadMedia(
                f"The video changes its size from {self._size[0]}x{self._size[1]} to "
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
        turns = quarter_turns(frame)
        width, height = size if turns % 2 == 0 else size[::-1]
        scaled = (width, height) != (frame.width, frame.height)
        plain = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=color_matrix(frame),
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
        if found is None:
            raise BadMedia(f"The video holds no frame near {seconds:.1f} s.")
        return self.picture(found, (self.info.width, self.info.height))


def sound(path: Path) -> Iterator[Samples]:
    """The sound track as blocks of stereo samples at SOUND_RATE, from the video's start; constant memory.

    Nothing when the file has none. BadMedia when it cannot be decoded at all.
    """
    with open_file(path, identify(path)) as container:
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
