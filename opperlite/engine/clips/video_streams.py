"""The streams of a video file: found, checked and measured without decoding."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from opperlite.engine.clips.video_container import MAX_PIXELS, Container
from opperlite.engine.errors import BadMedia

# FFmpeg decodes a frame or two of each stream while it opens a file: none too large, whatever the headers say.
_DECODING: Final = {"max_pixels": str(MAX_PIXELS)}
_MAX_FPS: Final = 240
_DECODER_THREADS: Final = 2
LARGE_FRAME: Final = 1280 * 720 * 3 // 2
"""Pixels of a frame from which on memory counts more than speed."""

_RGB, _UNSPECIFIED = 0, 2  # ITU-T H.273: matrix codes of RGB, and of a stream that names none


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


def open_file(path: Path, kind: Container) -> InputContainer:
    """The file opened as its container; BadMedia when its index is damaged."""
    try:
        # Naming the format keeps play lists and other formats that open further files out.
        container = av.open(
            f"file:{path}",
            "r",
            format=kind.demuxer,
            options={"protocol_whitelist": "file", **_DECODING},
            metadata_errors="replace",
        )
    except FFmpegError as error:
        raise BadMedia(f"The video cannot be opened: damaged {kind.name} file.") from error
    return container


def video_stream(container: InputContainer) -> VideoStream:
    """The first stream of pictures that is no cover; BadMedia (SoundOnly) when there is none."""
    for stream in container.streams.video:
        if stream.disposition & stream.disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise BadMedia("The video's codec is not known.")
        # Each further thread holds further frames.
        large = stream.codec_context.width * stream.codec_context.height > LARGE_FRAME
        stream.codec_context.thread_count = 1 if large else _DECODER_THREADS
        stream.thread_type = "AUTO"
        stream.codec_context.options = _DECODING
        return stream
    if container.streams.audio:
        raise SoundOnly("The file holds sound only; a video with pictures is needed.")
    raise BadMedia("The file holds no video stream.")


def stated_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The length that the headers state; 0 when they do not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def count_frames(path: Path, kind: Container) -> tuple[int, float]:
    """Frames and seconds of the video stream, from its packets (nothing is decoded)."""
    with open_file(path, kind) as container:
        stream = video_stream(container)
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


def steady_rate(stream: VideoStream, frames: int, seconds: float) -> Fraction:
    """Frames a second, on average."""
    rate = stream.average_rate or stream.guessed_rate
    if not rate or not 1 <= rate <= _MAX_FPS:
        rate = Fraction(frames / seconds).limit_denominator(1001) if seconds > 0 else Fraction(25)
    return Fraction(min(max(rate, Fraction(1)), Fraction(_MAX_FPS)))


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as shown: upright, with square pixels."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(1, round(frame.width * aspect)) if Fraction(1, 8) < aspect < 8 else frame.width
    return (width, frame.height) if quarter_turns(frame) % 2 == 0 else (frame.height, width)


def quarter_turns(frame: VideoFrame) -> int:
    """How often a frame must be turned counterclockwise to be upright."""
    return round(frame.rotation / 90) % 4


def color_matrix(frame: VideoFrame) -> int:
    """The frame's colour matrix; for a stream that names none the usual rule, BT.709 from 720 lines up."""
    if frame.colorspace not in (_UNSPECIFIED, _RGB):
        return frame.colorspace
    return Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601


def codec_name(stream: VideoStream) -> str:
    """The codec's short name, such as h264."""
    return stream.codec_context.name
