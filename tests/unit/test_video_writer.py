from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.clips.video_writer import SOUND_RATE, VideoWriter
from tests.unit.video_samples import boxes, decoded, movie_duration, photograph, psnr, sample_counts

RATES = st.sampled_from([Fraction(5), Fraction(16), Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60)])
SIDES = st.integers(8, 80).map(lambda half: half * 2)


def write(path: Path, width: int, height: int, fps: Fraction, frames: int, sound: bool) -> bytes:
    with VideoWriter(path, width=width, height=height, fps=fps, sound=sound) as writer:
        for index in range(frames):
            writer.write(np.roll(photograph(width, height), index, axis=1))
        if sound:
            writer.write_sound(np.full((round(frames / fps * SOUND_RATE), 2), 99, np.int16))
    return path.read_bytes()


@settings(max_examples=12, deadline=None)
@given(width=SIDES, height=SIDES, fps=RATES, frames=st.integers(1, 40), sound=st.booleans())
def test_frames_and_duration_are_exact(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, fps: Fraction, frames: int, sound: bool
) -> None:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    data = write(path, width, height, fps, frames, sound)
    assert sample_counts(data)[0] == frames
    assert abs(movie_duration(data) - frames / fps) <= Fraction(1, SOUND_RATE)
    pictures = decoded(path)
    assert [picture.shape for picture in pictures] == [(height, width, 3)] * frames


@settings(max_examples=5, deadline=None)
@given(fps=RATES, frames=st.integers(2, 30), sound=st.booleans())
def test_index_lies_before_data_and_bytes_repeat(
    tmp_path_factory: pytest.TempPathFactory, fps: Fraction, frames: int, sound: bool
) -> None:
    folder = tmp_path_factory.mktemp("clip")
    data = write(folder / "a.mp4", 64, 48, fps, frames, sound)
    assert data == write(folder / "b.mp4", 64, 48, fps, frames, sound)
    kinds = [kind for kind, _, _ in boxes(data)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_colours_survive(tmp_path: Path) -> None:
    # BT.709 written and BT.601 read (or the other way round) would shift these by 20 levels and more.
    patch = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [200, 200, 40]]], np.uint8)
    picture = patch.repeat(32, 0).repeat(32, 1)
    with VideoWriter(tmp_path / "c.mp4", width=64, height=64, fps=Fraction(10)) as writer:
        writer.write(picture)
    shown = decoded(tmp_path / "c.mp4")[0]
    for top in (8, 40):
        for left in (8, 40):
            centre = shown[top : top + 16, left : left + 16].reshape(-1, 3).mean(0)
            assert np.abs(centre - picture[top, left]).max() < 8


def test_first_quantizer_pins_the_first_frame(tmp_path: Path) -> None:
    picture = photograph(160, 96)
    values = []
    for quantizer in (4, 40):
        path = tmp_path / f"{quantizer}.mp4"
        with VideoWriter(path, width=160, height=96, fps=Fraction(10), first_quantizer=quantizer) as writer:
            for _ in range(5):
                writer.write(picture)
        values.append(psnr(decoded(path)[0], picture))
    assert values[0] > values[1] + 6


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (0, 0)])
def test_odd_sides_are_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "odd.mp4", width=width, height=height, fps=Fraction(10))
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "c.mp4", width=64, height=48, fps=Fraction(10)) as writer:
            writer.write(photograph(64, 48))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []
