import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.clips.video_reader import VideoReader, sound
from opperlite.engine.errors import BadMedia
from tests.unit import video_samples as samples


@pytest.mark.parametrize(
    ("name", "codec", "audio", "mime"),
    [
        ("v.mp4", "libx264", "aac", "video/mp4"),
        ("v.mov", "libx264", "aac", "video/quicktime"),
        ("v.webm", "libvpx-vp9", "libopus", "video/webm"),
        ("mute.mp4", "mpeg4", None, "video/mp4"),
    ],
)
def test_measures_every_container(tmp_path: Path, name: str, codec: str, audio: str | None, mime: str) -> None:
    path = samples.write(tmp_path / name, codec=codec, sound=audio)
    with VideoReader(path) as reader:
        info = reader.info
        pictures = list(reader.pictures(info.fps, 1000))
    assert (info.width, info.height, info.frames, info.fps) == (64, 48, 25, 25)
    assert info.duration == pytest.approx(1.0, abs=0.002)
    assert (info.mime_type, info.has_audio) == (mime, audio is not None)
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 25
    heard = sum(len(block) for block in sound(path))
    assert heard == pytest.approx(48000, abs=2100) if audio else heard == 0


@settings(max_examples=8, deadline=None)
@given(
    source=st.integers(5, 40),
    wanted=st.sampled_from([Fraction(5), Fraction(24000, 1001), Fraction(30), Fraction(60)]),
    frames=st.integers(5, 30),
)
def test_resampled_rate_shows_the_newest_frame(
    tmp_path_factory: pytest.TempPathFactory, source: int, wanted: Fraction, frames: int
) -> None:
    path = tmp_path_factory.mktemp("v") / "v.mp4"
    samples.write_ramp(path, [Fraction(index, source) for index in range(frames)])
    with VideoReader(path) as reader:
        shown = [samples.ramp_index(picture) for picture in reader.pictures(wanted, 10_000)]
        assert abs(len(shown) - reader.info.duration * wanted) <= 1
    # A frame counts as begun one millisecond early, since some containers round times to milliseconds.
    newest = [int((index / wanted + Fraction(1, 1000)) * source) for index in range(len(shown))]
    assert shown == [min(frames - 1, index) for index in newest]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_honoured(tmp_path: Path, rotation: int) -> None:
    plain = samples.write(tmp_path / "plain.mp4", sound=None)
    turned = samples.write(tmp_path / "turned.mp4", sound=None, rotation=rotation)
    with VideoReader(plain) as before, VideoReader(turned) as after:
        first = next(before.pictures(Fraction(25), 1))
        second = next(after.pictures(Fraction(25), 1))
        assert (after.info.height, after.info.width) == second.shape[:2]
    # A display matrix turns counterclockwise, as numpy does.
    np.testing.assert_array_equal(second, np.rot90(first, rotation // 90))


def test_picture_at_a_time(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "v.mp4", sound=None)
    with VideoReader(path) as reader:
        pictures = list(reader.pictures(Fraction(25), 25))
        for index in (0, 7, 24):
            np.testing.assert_array_equal(reader.at(index / 25), pictures[index])
        np.testing.assert_array_equal(reader.at(99.0), pictures[-1])


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    for name, codec in (("v.mp4", "libx264"), ("v.webm", "libvpx-vp9")):
        data = samples.write(tmp_path / name, codec=codec, sound=None).read_bytes()
        for share in (0.02, 0.3, 0.6, 0.95):
            broken = tmp_path / f"broken-{name}"
            broken.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(BadMedia):
                VideoReader(broken)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("v")
    whole = bytearray(samples.write(folder / "v.mp4", frames=8, sound=None).read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    broken = folder / "broken.mp4"
    broken.write_bytes(whole)
    with suppress(BadMedia), VideoReader(broken) as reader:
        assert list(reader.pictures(reader.info.fps, 50))


def test_refusals_name_what_was_found(tmp_path: Path) -> None:
    plain = samples.write(tmp_path / "v.mp4", sound=None).read_bytes()
    encrypted = tmp_path / "encrypted.mp4"
    encrypted.write_bytes(plain.replace(b"avc1", b"encv"))
    with pytest.raises(BadMedia, match="encrypted"):
        VideoReader(encrypted)
    for content in (b"", b"GIF89a" + bytes(99), b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", b"\x00" * 4096):
        other = tmp_path / "other.mp4"
        other.write_bytes(content)
        with pytest.raises(BadMedia, match="MP4, MOV or WebM"):
            VideoReader(other)
    with pytest.raises(BadMedia, match="1 seconds long"):
        VideoReader(tmp_path / "v.mp4", max_duration=0.5)
    with pytest.raises(BadMedia, match="64x48"):
        VideoReader(tmp_path / "v.mp4", max_pixels=1000)


def test_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BadMedia, match="sound only"):
        VideoReader(path)


def test_no_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(BadMedia):
        VideoReader(path)


def test_changing_size_is_refused(tmp_path: Path) -> None:
    path = samples.write_changing_size(tmp_path / "two.webm")
    with pytest.raises(BadMedia, match="64x48 to 96x80"), VideoReader(path) as reader:
        list(reader.pictures(Fraction(10), 100))


def test_variable_rate_becomes_constant(tmp_path: Path) -> None:
    times = [0, 40, 80, 600, 640, 2000]
    path = samples.write_ramp(tmp_path / "v.mp4", [Fraction(time, 1000) for time in times])
    with VideoReader(path) as reader:
        assert reader.info.duration >= 2.0
        shown = [samples.ramp_index(picture) for picture in reader.pictures(Fraction(25), 51)]
    assert shown == [max(i for i, time in enumerate(times) if time <= k * 40) for k in range(51)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_frames_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)  # of its sides each takes 13 bits
        stream.width, stream.height, stream.pix_fmt = 8176, 4400, "yuv420p"
        stream.thread_count = 1
        frame = av.VideoFrame(8176, 4400, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    script = (
        "import sys; from pathlib import Path; from opperlite.engine.clips.video_reader import VideoReader\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "before = peak()\n"
        "try: VideoReader(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)\n"
        "print(peak() - before)"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], check=True, capture_output=True, text=True)
    message, grown = ran.stdout.splitlines()
    assert message.startswith("The video's frames are 8176x4400 (36 megapixels); at most 35 megapixels")
    assert int(grown) < 30_000
