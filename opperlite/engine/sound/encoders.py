"""Audio files out of samples: mp3, wav, opus, aac, flac and pcm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from opperlite.engine.sound.samples import Samples, frames_of, pcm16, resample

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

# Without these flags muxers and encoders write the library's version and random serial numbers.
_BITEXACT: Any = av.container.Flags.bitexact

_CODEC_BITEXACT: Any = av.codec.context.Flags.bitexact


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
        for frame in frames_of(samples, rate, _source_format(codec)):
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
    frames, tick = _PART * rate // size, Fraction(1, rate)
    starts = range(0, len(samples), frames * size)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        parts = pool.map(lambda start: _encode_part(samples, rate, codec, start, frames, size), starts)
        number = 0
        for part in parts:
            for packet in part:
                packet.stream = stream
                packet.time_base = tick
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
    for frame in frames_of(samples[start - run_up : end], rate, _source_format(codec)):
        packets += context.encode(frame)
    packets += context.encode(None)
    return packets[run_up // size :] if last else packets[run_up // size :][:frames]
