"""H.264 and AAC in MP4: constant frame rate, exact frame count, index first, the same bytes every time."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from opperlite.engine.clips.video_streams import LARGE_FRAME

SOUND_RATE = 48_000
"""Samples a second of every sound track written; what MP4 players resample to anyway."""

_SOUND_BIT_RATE = 128_000
_PRESET = "veryfast"
_QUALITY = "23"
# x264's output depends on its thread count, so the count is fixed. Two is the quickest on two cores
# when the frames are drawn in a third thread.
_THREADS = 2
_BT709 = 1  # ITU-T H.273: the code of BT.709 for primaries, transfer and matrix alike
_MPEG_RANGE = 1
_KEYFRAME_SECONDS = 5

Picture = NDArray[np.uint8]
"""An RGB picture: height, width, 3."""

Samples = NDArray[np.int16]
"""Sound: samples, 2 channels, at SOUND_RATE."""


class ColorConverter:
    """RGB pictures to the encoder's planes (yuv420p, BT.709, limited range), enlarged where a size is given."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self._reformatter = VideoReformatter()
        self._size = size

    def __call__(self, picture: Picture) -> VideoFrame:
        # from_numpy_buffer copies nothing: the conversion is done before the picture can change.
        frame = VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture), "rgb24")
        width, height = self._size or (frame.width, frame.height)
        scaled = (width, height) != (frame.width, frame.height)
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
            if scaled
            else Interpolation.BILINEAR | Interpolation.BITEXACT,
            threads=1,
        )


def shown(planes: VideoFrame) -> Picture:
    """The encoder's planes in RGB, as a player shows them."""
    return planes.to_ndarray(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG")  # type: ignore[return-value]


def encoder_options(
    width: int, height: int, fps: Fraction, first_quantizer: int | None, *, steady: bool = False
) -> dict[str, str]:
    """Options of libx264 for clips of a size.

    Output must not depend on the processor, hence cpu-independent. Large frames get a shorter look-ahead:
    the encoder keeps some 7 MB for each 1080p frame it looks ahead. `first_quantizer` pins the quality of
    the first frame alone. A `steady` shot has no cuts to look ahead for, and its motion is smooth and drawn on
    pixels and halves: leaving out the search for more halves the encoder's time at the same quality and size.
    """
    keyframes = max(1, min(250, round(fps * _KEYFRAME_SECONDS)))
    params = ["cpu-independent=1", f"keyint={keyframes}"]
    if width * height > LARGE_FRAME:
        params += ["rc-lookahead=1", "bframes=0", "weightp=0", "force-cfr=1"]
    elif steady:
        params += ["rc-lookahead=5", "b-adapt=0", "scenecut=0", "subme=1"]
    if first_quantizer is not None:
        params.append(f"zones=0,0,q={first_quantizer}")
    return {"preset": _PRESET, "crf": _QUALITY, "x264-params": ":".join(params)}


def check_sides(width: int, height: int) -> None:
    """ValueError when a side is odd, since 4:2:0 pictures have even sides."""
    if width % 2 or height % 2 or width < 2 or height < 2:
        raise ValueError(f"a video's sides must be even and at least 2, not {width}x{height}")


class VideoWriter:
    """One MP4 being written; use it as a context, an error inside leaves no file.

    `steady` tells that the pictures are one drawn shot.

    The file appears at `path` when the context ends well, whole and with its index (moov) before its data.
    ValueError when a side is odd, since 4:2:0 pictures have even sides.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        fps: Fraction,
        sound: bool = False,
        first_quantizer: int | None = None,
        steady: bool = False,
    ) -> None:
        check_sides(width, height)
        self.large = width * height > LARGE_FRAME
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self.fps = fps
        self._convert = ColorConverter()
        self._frames = 0
        self._samples = 0
        scale = _timescale(fps)
        self._container = av.open(
            str(self._part),
            "w",
            format="mp4",
            options={
                "movflags": "+faststart",
                "fflags": "+bitexact",
                # Both scales hold the length of a frame exactly, so the durations are exact as well.
                "movie_timescale": str(scale),
                "video_track_timescale": str(scale),
            },
        )
        options = encoder_options(width, height, fps, first_quantizer, steady=steady)
        self._video = self._add_video(width, height, options)
        self._sound = self._add_sound() if sound else None

    def _add_video(self, width: int, height: int, options: dict[str, str]) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = 1 / self.fps
        context = stream.codec_context
        context.thread_count = _THREADS
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _MPEG_RANGE
        return stream

    def _add_sound(self) -> AudioStream:
        stream = self._container.add_stream("aac", rate=SOUND_RATE, options={"flags": "+bitexact"})
        stream.layout = "stereo"
        stream.bit_rate = _SOUND_BIT_RATE
        return stream

    @property
    def seconds(self) -> Fraction:
        """Length of the pictures written so far."""
        return self._frames / self.fps

    def write(self, picture: Picture | VideoFrame) -> None:
        """Append one frame: an RGB picture, or planes that ColorConverter made."""
        frame = picture if isinstance(picture, VideoFrame) else self._convert(picture)
        frame.pts = self._frames
        frame.time_base = 1 / self.fps
        self._frames += 1
        self._container.mux(self._video.encode(frame))

    def write_sound(self, samples: Samples) -> None:
        """Append samples to the sound track."""
        if self._sound is None or not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = SOUND_RATE
        frame.pts = self._samples
        frame.time_base = Fraction(1, SOUND_RATE)
        self._samples += len(samples)
        self._container.mux(self._sound.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._container.mux(self._video.encode())
                if self._sound is not None:
                    self._container.mux(self._sound.encode())
            self._container.close()
            if error is None:
                os.replace(self._part, self._path)
        finally:
            self._part.unlink(missing_ok=True)


def _timescale(fps: Fraction) -> int:
    """Ticks a second that hold a frame in whole ticks, fine enough for any player (10 kHz and more)."""
    return fps.numerator * max(1, -(-10_000 // fps.numerator))
