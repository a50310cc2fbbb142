"""Audio containers: what a file holds, samples out of it, samples into it.

Samples are float32 mono arrays in [-1, 1]; rates are in Hz, durations in seconds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from opperlite.engine.errors import BadMedia

Samples = NDArray[np.float32]

MIME_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "pcm": "audio/pcm",
}
"""Media type of each format that `encode` writes; the names are those of OpenAI's speech replies."""

PCM_RATE = 24_000
"""Rate of the headerless 'pcm' format (OpenAI: 24 kHz, 16-bit little-endian, mono)."""

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


# Without these flags muxers and encoders write the library's version and random serial numbers.
_BITEXACT: Any = av.container.Flags.bitexact
_CODEC_BITEXACT: Any = av.codec.context.Flags.bitexact


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What an audio source is: duration in seconds, sample rate in Hz, codec and media type."""

    duration: float
    sample_rate: int
    channels: int
    codec: str
    mime_type: str
    has_video: bool


@dataclass(frozen=True, slots=True)
class _Codec:
    muxer: str
    encoder: str
    rates: tuple[int, ...]
    sample_format: str
    bit_rate: int
    options: Mapping[str, str]


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_LOSSLESS_RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
_CODECS: Mapping[str, _Codec] = {
    "mp3": _Codec("mp3", "libmp3lame", _MP3_RATES, "s16p", 64_000, {"compression_level": "7", "reservoir": "0"}),
    "wav": _Codec("wav", "pcm_s16le", _LOSSLESS_RATES, "s16", 0, {}),
    "opus": _Codec("ogg", "libopus", (48_000,), "s16", 48_000, {"compression_level": "3", "application": "voip"}),
    # At 48 kHz the priming and padding of AAC, which ADTS cannot declare, stay below 45 ms together.
    "aac": _Codec("adts", "aac", (48_000,), "fltp", 80_000, {"aac_coder": "fast"}),
    "flac": _Codec("flac", "flac", _LOSSLESS_RATES, "s16", 0, {"compression_level": "5"}),
}


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
                yield from map(_samples, resampler.resample(None))
                resampler = AudioResampler(format="flt", layout="mono", rate=rate)
            shape = _shape(frame)
            yield from map(_samples, resampler.resample(frame))
        if shape is None:
            raise BadMedia(f"No sound could be decoded from the source; allowed are {ACCEPTED}.")
        yield from map(_samples, resampler.resample(None))


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


def _samples(frame: Any) -> Samples:
    block: Samples = np.nan_to_num(frame.to_ndarray().reshape(-1), copy=True)
    return np.clip(block, -1.0, 1.0).astype(np.float32, copy=False)


def decode(path: Path | str, rate: int, *, max_seconds: float) -> Samples:
    """Return the first `max_seconds` of a source as one mono array at `rate`."""
    wanted, blocks = round(max_seconds * rate), []
    for block in decode_blocks(path, rate):
        blocks.append(block[:wanted])
        wanted -= len(blocks[-1])
        if wanted <= 0:
            break
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Return `samples` at another rate; the length is rounded to the nearest sample."""
    if rate == target or not samples.size:
        return samples
    resampler = AudioResampler(format="flt", layout="mono", rate=target)
    blocks = [_samples(frame) for block in _frames_of(samples, rate) for frame in resampler.resample(block)]
    blocks.extend(_samples(frame) for frame in resampler.resample(None))
    out = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    length = max(1, round(len(samples) * target / rate))
    return np.pad(out, (0, max(0, length - len(out))))[:length]


def _frames_of(samples: Samples, rate: int, sample_format: str = "flt") -> Iterator[Any]:
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


def encode(
    samples: Samples, rate: int, format: str, path: Path | str, *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write samples to `path` as mp3, wav, opus, aac, flac or pcm; the same samples give the same bytes.

    Opus and AAC are written at 48 kHz, pcm at 24 kHz; the others keep the rate where the format has it.
    """
    if format not in MIME_TYPES:
        raise ValueError(f"format is {format!r}; allowed are {', '.join(MIME_TYPES)}")
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"samples have shape {samples.shape}; allowed is one dimension, not empty")
    if format == "pcm":
        Path(path).write_bytes(pcm16(resample(samples, rate, PCM_RATE)).tobytes())
        return
    codec = _CODECS[format]
    target = rate if rate in codec.rates else min((r for r in codec.rates if r >= rate), default=codec.rates[-1])
    _mux(resample(samples, rate, target), target, codec, path, metadata or {})


def _mux(samples: Samples, rate: int, codec: _Codec, path: Path | str, metadata: Mapping[str, str]) -> None:
    options = {"write_xing": "1", "id3v2_version": "3"} if codec.muxer == "mp3" else {}
    with av.open(f"file:{path}", "w", format=codec.muxer, options=options) as container:
        container.flags |= _BITEXACT.value
        container.metadata.update(metadata)
        stream: Any = container.add_stream(codec.encoder, rate=rate, layout="mono", options=dict(codec.options))
        _configure(stream.codec_context, codec)
        if codec.muxer == "mp3" and len(samples) > _PART * rate:
            _mux_parts(samples, rate, codec, container, stream)
            return
        for frame in _frames_of(samples, rate, _source_format(codec)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _configure(context: Any, codec: _Codec) -> None:
    context.format = codec.sample_format
    context.flags |= _CODEC_BITEXACT.value
    context.thread_count = 1
    if codec.bit_rate:
        context.bit_rate = codec.bit_rate


def _source_format(codec: _Codec) -> str:
    return "s16" if codec.sample_format.startswith("s16") else "flt"


_PART = 30
"""Seconds of an mp3 that are encoded as one part, on any number of processors alike."""

_RUN_UP = 12
"""Frames before a part that its encoder hears to be in step with the part before; their packets are dropped."""


def _mux_parts(samples: Samples, rate: int, codec: _Codec, container: Any, stream: Any) -> None:
    """Encode the parts of a long mp3 side by side: without a bit reservoir its frames stand alone."""
    stream.codec_context.open()
    size = stream.codec_context.frame_size
    frames = _PART * rate // size
    starts = range(0, len(samples), frames * size)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        parts = pool.map(lambda start: _encode_part(samples, rate, codec, start, frames, size), starts)
        number = 0
        for part in parts:
            for packet in part:
                packet.stream = stream
                packet.time_base = Fraction(1, rate)
                packet.pts = packet.dts = number * size - stream.codec_context.delay
                number += 1
                container.mux(packet)


def _encode_part(samples: Samples, rate: int, codec: _Codec, start: int, frames: int, size: int) -> list[Any]:
    """Return the packets of `frames` frames from sample `start`; of all that remain in the last part."""
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.sample_rate, context.layout = rate, "mono"
    context.options = dict(codec.options)
    _configure(context, codec)
    run_up = min(start, _RUN_UP * size)
    last = start + frames * size >= len(samples)
    end = len(samples) if last else start + (frames + _RUN_UP) * size
    packets: list[Any] = []
    for frame in _frames_of(samples[start - run_up : end], rate, _source_format(codec)):
        packets += context.encode(frame)
    packets += context.encode(None)
    return packets[run_up // size :] if last else packets[run_up // size :][:frames]
