"""Audio containers: what a file holds, samples out of it, samples into it.

Samples are float32 mono arrays in [-1, 1]; rates are in Hz, durations in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler

from opperlite.engine.errors import BadMedia
from opperlite.engine.sound.encoders import MIME_TYPES, PCM_RATE, encode
from opperlite.engine.sound.samples import Samples, pcm16, resample, samples_of

__all__ = [
    "ACCEPTED", "MIME_TYPES", "PCM_RATE", "AudioInfo", "Samples", "decode", "decode_blocks", "encode", "pcm16",
    "probe", "resample",
]  # fmt: skip

ACCEPTED = "flac, mp3, mp4, m4a, mov, mpeg, mpga, ogg, opus, wav, webm, aac, aiff"
"""The containers accepted, as told to the user."""

_DEMUXERS = "flac,mp3,mov,mp4,m4a,mpeg,mpegts,mpegvideo,ogg,wav,w64,matroska,webm,aac,aiff,caf,au,amr,avi,flv,asf"
"""Demuxers that may open a source. Playlists (hls, dash, concat) are left out: they name other files."""

_INPUT_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}

_CONTAINER_TYPES = (
    (("mp3",), "audio/mpeg", "audio/mpeg"),
    (("wav", "w64"), "audio/wav", "audio/wav"),
    (("ogg",), "audio/ogg", "video/ogg"),
    (("flac",), "audio/flac", "audio/flac"),
    (("aac",), "audio/aac", "audio/aac"),
    (("mov", "mp4", "m4a"), "audio/mp4", "video/mp4"),
    (("matroska", "webm"), "audio/webm", "video/webm"),
    (("mpeg", "mpegts", "mpegvideo"), "audio/mpeg", "video/mpeg"),
    (("aiff",), "audio/aiff", "audio/aiff"),
    (("avi",), "video/x-msvideo", "video/x-msvideo"),
)
"""Demuxer names, then the media type without and with pictures."""

_EXACT_DEMUXERS = frozenset({"wav", "w64", "mov", "mp4", "m4a", "ogg", "aiff", "caf"})
"""Demuxers whose declared duration comes from the container's own tables, not from a guess by bit rate."""

_ENCRYPTED_TAGS = frozenset({"enca", "encv", "drms", "drmi"})
"""Sample entry codes of protected streams (ISO/IEC 23001-7; Apple's FairPlay)."""

_ENCRYPTED = "The audio is encrypted; allowed are sources without protection."

_DISPOSITION_COVER = 0x0400
"""AV_DISPOSITION_ATTACHED_PIC of libavformat: a cover picture, not a film."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What an audio source is: duration in seconds, sample rate in Hz, codec and media type."""

    duration: float
    sample_rate: int
    channels: int
    codec: str
    mime_type: str
    has_video: bool


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    """Open a source for reading; every failure of the demuxer or a decoder becomes BadMedia."""
    Path(path).stat()
    try:
        # The scheme keeps a colon in a file's name from being read as a protocol.
        with av.open(f"file:{path}", options=dict(_INPUT_OPTIONS), metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, EOFError) as error:
        raise BadMedia(f"The audio cannot be decoded; allowed are {ACCEPTED}.") from error


def _audio_stream(container: Any) -> Any:
    """Return the first audio stream, or raise BadMedia when there is none or it is protected."""
    streams = container.streams.audio
    if not streams:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise BadMedia(f"The source has no audio track (found: {', '.join(kinds)}); allowed are {ACCEPTED}.")
    stream = streams[0]
    tag = stream.codec_context.codec_tag if stream.codec_context is not None else ""
    if tag in _ENCRYPTED_TAGS:
        raise BadMedia(_ENCRYPTED)
    if stream.codec_context is None or not stream.codec_context.sample_rate:
        raise BadMedia(f"The codec of the audio track is unknown; allowed are {ACCEPTED}.")
    return stream


def _media_type(container: Any, has_video: bool) -> str:
    names = set(container.format.name.split(","))
    for demuxers, sound, pictures in _CONTAINER_TYPES:
        if names.intersection(demuxers):
            return pictures if has_video else sound
    return "application/octet-stream"


def _duration(container: Any, stream: Any) -> float:
    """Return the duration in seconds: declared where that is exact, else summed over the packets."""
    names = set(container.format.name.split(","))
    # An mp3 that declares its encoder's delay starts after it, and declares its length as well.
    if stream.duration and (names & _EXACT_DEMUXERS or ("mp3" in names and stream.start_time)):
        return float(stream.duration * stream.time_base)
    if names & _EXACT_DEMUXERS and container.duration:
        return float(container.duration / av.time_base)
    ticks, start, end = 0, math.inf, 0
    for packet in container.demux(stream):
        if packet.size:
            ticks += packet.duration or 0
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
                start = min(start, packet.pts)
    return float((end - start if start < math.inf else ticks) * stream.time_base)


def probe(path: Path | str, *, max_duration: float | None = None) -> AudioInfo:
    """Describe an audio source (or the sound of a film).

    Raises BadMedia when it has no audio, cannot be decoded, is encrypted, is empty, or is longer than
    `max_duration` seconds.
    """
    with _opened(path) as container:
        stream = _audio_stream(container)
        has_video = any(not int(video.disposition) & _DISPOSITION_COVER for video in container.streams.video)
        info = AudioInfo(
            duration=_duration(container, stream),
            sample_rate=stream.codec_context.sample_rate,
            channels=stream.codec_context.channels,
            codec=stream.codec_context.name,
            mime_type=_media_type(container, has_video),
            has_video=has_video,
        )
    _check_decodable(path)
    if info.duration <= 0:
        raise BadMedia("The audio has a length of zero; allowed is at least one sample.")
    if max_duration is not None and info.duration > max_duration:
        raise BadMedia(f"The audio lasts {info.duration:.1f} s; allowed are at most {max_duration:g} s.")
    return info


def _check_decodable(path: Path | str) -> None:
    for block in decode_blocks(path):
        if block.size:
            return


def decode_blocks(path: Path | str, rate: int = 16_000) -> Iterator[Samples]:
    """Yield the sound of a source as mono blocks at `rate`, in bounded memory.

    A damaged packet is skipped as players do. Raises BadMedia when nothing can be decoded.
    """
    with _opened(path) as container:
        stream = _audio_stream(container)
        stream.thread_type = "NONE"
        resampler, shape = AudioResampler(format="flt", layout="mono", rate=rate), None
        for frame in _frames(container, stream):
            if shape not in (None, _shape(frame)):
                # Joined files change their rate or channels on the way; a resampler takes only one of them.
                yield from map(samples_of, resampler.resample(None))
                resampler = AudioResampler(format="flt", layout="mono", rate=rate)
            shape = _shape(frame)
            yield from map(samples_of, resampler.resample(frame))
        if shape is None:
            raise BadMedia(f"No sound could be decoded from the source; allowed are {ACCEPTED}.")
        yield from map(samples_of, resampler.resample(None))


def _shape(frame: Any) -> tuple[str, int, str]:
    return frame.format.name, frame.sample_rate, frame.layout.name


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded frames with fresh timestamps, leaving out packets that the decoder refuses."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, EOFError):
            return
        if packet is None:
            return
        if packet.has_sidedata("encryption_info"):
            raise BadMedia(_ENCRYPTED)
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, EOFError):
            # Not always "invalid data": the AAC decoder refuses damage with "operation not permitted".
            continue
        for frame in frames:
            # Gaps and jumps in the timestamps would be filled or cut by the resampler.
            frame.pts = None
            yield frame


def decode(path: Path | str, rate: int, *, max_seconds: float) -> Samples:
    """Return the first `max_seconds` of a source as one mono array at `rate`."""
    wanted, blocks = round(max_seconds * rate), []
    for block in decode_blocks(path, rate):
        blocks.append(block[:wanted])
        wanted -= len(blocks[-1])
        if wanted <= 0:
            break
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
