"""Audio containers: durations, headers, determinism, and what is refused."""

import hashlib
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.errors import BadMedia
from opperlite.engine.sound import audio, encoders

FORMATS = sorted(audio.MIME_TYPES)
CONTAINERS = sorted(set(FORMATS) - {"pcm"})


def tone(seconds: float, rate: int, frequency: float = 440.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def read(path: Path, format: str, rate: int) -> np.ndarray:
    if format == "pcm":
        samples = np.frombuffer(path.read_bytes(), "<i2").astype(np.float32) / 32768
        return audio.resample(samples, audio.PCM_RATE, rate)
    return audio.decode(path, rate, max_seconds=1000)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=6, deadline=None)
@given(seconds=st.floats(0.05, 3.0), rate=st.sampled_from((16_000, 22_050, 24_000, 44_100)))
def test_duration_and_sound_survive_every_format(
    format: str, seconds: float, rate: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"duration.{format}"
    samples = tone(seconds, rate)
    audio.encode(samples, rate, format, path)
    decoded = read(path, format, rate)
    assert abs(len(decoded) - len(samples)) / rate <= 0.05
    spectrum = np.abs(np.fft.rfft(decoded * np.hanning(len(decoded))))
    assert abs(spectrum.argmax() * rate / len(decoded) - 440.0) < 2.5 * rate / len(decoded)
    assert 0.25 < np.sqrt((decoded**2).mean()) * np.sqrt(2) < 0.45


@pytest.mark.parametrize("format", CONTAINERS)
def test_probe_describes_what_encode_wrote(format: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    audio.encode(tone(2.0, 24_000), 24_000, format, path)
    info = audio.probe(path)
    assert abs(info.duration - 2.0) <= 0.05
    assert info.sample_rate == {"opus": 48_000, "aac": 48_000}.get(format, 24_000)
    assert info.channels == 1
    assert not info.has_video
    assert info.mime_type == ("audio/ogg" if format == "opus" else audio.MIME_TYPES[format])


_WRITE = """
import sys
import numpy as np
from opperlite.engine.sound import audio
time = np.arange(24000) / 24000
for format in sorted(audio.MIME_TYPES):
    audio.encode((0.4 * np.sin(6.28 * 440 * time)).astype(np.float32), 24000, format, f"{sys.argv[1]}.{format}",
                 metadata={"title": "Tone"})
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for run in ("one", "two"):
        subprocess.run([sys.executable, "-c", _WRITE, str(tmp_path / run)], check=True)
        digests.append([hashlib.sha256((tmp_path / f"{run}.{name}").read_bytes()).hexdigest() for name in FORMATS])
    assert digests[0] == digests[1]


@given(st.integers(1, 50_000))
@settings(max_examples=8, deadline=None)
def test_wav_header_counts_every_byte(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    path = tmp_path_factory.getbasetemp() / "sizes.wav"
    audio.encode(np.zeros(count, np.float32), 24_000, "wav", path)
    data = path.read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    at = data.index(b"data")
    assert struct.unpack("<I", data[at + 4 : at + 8])[0] == 2 * count == len(data) - at - 8


def test_mp3_has_the_header_that_players_take_the_length_from(tmp_path: Path) -> None:
    audio.encode(tone(1.0, 24_000), 24_000, "mp3", tmp_path / "tone.mp3")
    assert any(mark in (tmp_path / "tone.mp3").read_bytes()[:2000] for mark in (b"Xing", b"Info"))


@pytest.mark.parametrize("format", ["mp3", "flac", "opus"])
def test_metadata_is_written(format: str, tmp_path: Path) -> None:
    audio.encode(tone(0.3, 24_000), 24_000, format, tmp_path / "tagged", metadata={"title": "Grüße, 世界"})
    with av.open(str(tmp_path / "tagged")) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
    assert {key.lower(): value for key, value in tags.items()}["title"] == "Grüße, 世界"


def test_pcm_is_headerless_24_khz() -> None:
    assert audio.pcm16(np.array([0.0, 1.0, -1.0, 2.0], np.float32)).tolist() == [0, 32767, -32767, 32767]


def test_pcm_length(tmp_path: Path) -> None:
    audio.encode(tone(0.5, 16_000), 16_000, "pcm", tmp_path / "tone.pcm")
    assert (tmp_path / "tone.pcm").stat().st_size == 2 * 12_000


def test_blocks_are_small_and_together_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    audio.encode(tone(20.0, 24_000), 24_000, "flac", path)
    sizes = [len(block) for block in audio.decode_blocks(path, 16_000)]
    assert max(sizes) < 16_000
    assert abs(sum(sizes) - 20 * 16_000) <= 16


def test_stereo_is_mixed_down(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        left, right = tone(0.5, 16_000, 500.0), tone(0.5, 16_000, 1500.0)
        interleaved = np.stack([left, right], axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray((interleaved * 32767).astype(np.int16), format="s16", layout="stereo")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    mixed = audio.decode(path, 16_000, max_seconds=1)
    spectrum = np.abs(np.fft.rfft(mixed))
    peaks = spectrum[[250, 750]]
    assert peaks.min() > 0.8 * peaks.max() > 20 * np.median(spectrum)


@given(st.sampled_from([(16_000, 24_000), (22_050, 24_000), (48_000, 16_000), (15_520, 24_000)]))
@settings(deadline=None)
def test_resampling_keeps_frequency_and_level(rates: tuple[int, int]) -> None:
    source, target = rates
    out = audio.resample(tone(1.0, source, 1000.0), source, target)
    assert len(out) == target
    middle = out[target // 4 : 3 * target // 4]
    assert abs(np.sqrt((middle**2).mean()) * np.sqrt(2) - 0.4) < 0.01
    crossings = np.flatnonzero((middle[:-1] < 0) & (middle[1:] >= 0))
    assert all(abs(after - before - target / 1000) <= 1 for before, after in pairwise(crossings))


def test_joined_files_of_two_rates_are_read_to_the_end(tmp_path: Path) -> None:
    for rate in (24_000, 48_000):
        audio.encode(tone(1.0, rate), rate, "mp3", tmp_path / f"{rate}.mp3")
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "24000.mp3").read_bytes() + (tmp_path / "48000.mp3").read_bytes())
    assert len(audio.decode(joined, 16_000, max_seconds=9)) / 16_000 == pytest.approx(2.0, abs=0.15)


def test_a_long_mp3_is_seamless(tmp_path: Path) -> None:
    rate, seconds = 24_000, 2 * encoders._PART + 3
    time = np.arange(rate * seconds) / rate
    sweep = (0.3 * np.sin(2 * np.pi * (200 + 10 * time) * time)).astype(np.float32)
    audio.encode(sweep, rate, "mp3", tmp_path / "sweep.mp3")
    decoded = audio.decode(tmp_path / "sweep.mp3", rate, max_seconds=1000)
    assert len(decoded) == len(sweep)
    error = np.abs(decoded - sweep)
    assert error.max() < 0.05
    for boundary in (encoders._PART, 2 * encoders._PART):
        around = slice((boundary * rate) - 2000, (boundary * rate) + 2000)
        assert error[around].max() < 1.5 * error[5000:600_000].max()


def test_max_duration(tmp_path: Path) -> None:
    audio.encode(tone(2.0, 24_000), 24_000, "mp3", tmp_path / "tone.mp3")
    with pytest.raises(BadMedia, match=r"lasts 2\.0 s.*at most 1 s"):
        audio.probe(tmp_path / "tone.mp3", max_duration=1.0)


def _silent_film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))


def test_film_without_sound_is_refused(tmp_path: Path) -> None:
    _silent_film(tmp_path / "film.mp4")
    with pytest.raises(BadMedia, match=r"no audio track .*video"):
        audio.probe(tmp_path / "film.mp4")


def test_encrypted_sound_is_refused(tmp_path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    with av.open(str(tmp_path / "locked.mp4"), "w", format="mp4", options=options) as container:
        stream = container.add_stream("aac", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1.0, 24_000)[None], format="fltp", layout="mono")
        frame.sample_rate = 24_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BadMedia, match="encrypted"):
        audio.probe(tmp_path / "locked.mp4")


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\0" * 5000, b"RIFF\xff\xff\xff\xffWAVE", b"ID3\x04", b"OggS" + b"\xff" * 200, PLAYLIST],
    ids=["empty", "text", "zeros", "wav head", "mp3 head", "ogg noise", "playlist"],
)
def test_what_is_not_audio_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.mp3"
    path.write_bytes(content)
    with pytest.raises(BadMedia, match="allowed"):
        audio.probe(path)


@pytest.mark.parametrize("format", CONTAINERS)
@settings(max_examples=10, deadline=None)
@given(keep=st.floats(0.0, 1.0), damage=st.binary(max_size=300), at=st.floats(0.0, 1.0))
def test_damaged_files_are_refused_or_read_in_part(
    format: str, keep: float, damage: bytes, at: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged.{format}"
    audio.encode(tone(0.6, 24_000), 24_000, format, path)
    data = bytearray(path.read_bytes())
    start = round(at * len(data))
    data[start : start + len(damage)] = damage
    path.write_bytes(data[: round(keep * len(data))])
    try:
        audio.probe(path)
        decoded = audio.decode(path, 16_000, max_seconds=5)
    except BadMedia:
        return
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max(initial=0) <= 1.0


def test_wrong_arguments_are_programming_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'midi'.*mp3"):
        audio.encode(tone(0.1, 24_000), 24_000, "midi", tmp_path / "x")
    with pytest.raises(ValueError, match="one dimension"):
        audio.encode(np.zeros((2, 5), np.float32), 24_000, "wav", tmp_path / "x")
    with pytest.raises(ValueError, match="not empty"):
        audio.encode(np.zeros(0, np.float32), 24_000, "wav", tmp_path / "x")
