import hashlib
import os
import subprocess
import sys
import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opperlite.engine.clips import video
from opperlite.engine.errors import BadMedia, Cancelled
from tests.unit import video_samples as samples

SIDES = st.integers(8, 96).map(lambda half: half * 2)
PHOTO_SIDES = st.integers(40, 110).map(lambda half: half * 2)
RATES = st.sampled_from([Fraction(5), Fraction(16), Fraction(24000, 1001), Fraction(30), Fraction(60)])
PROMPTS = st.sampled_from(["a red balloon over the sea", "snow in the mountains at night", "", "日本の猫", "zxqv"])

Folders = pytest.TempPathFactory


@settings(max_examples=10, deadline=None)
@given(width=SIDES, height=SIDES, fps=RATES, frames=st.integers(1, 30), prompt=PROMPTS, audio=st.booleans())
def test_generated_clips_are_exact(
    tmp_path_factory: Folders, width: int, height: int, fps: Fraction, frames: int, prompt: str, audio: bool
) -> None:
    out = tmp_path_factory.mktemp("v") / "v.mp4"
    info = video.generate(out, prompt, width=width, height=height, fps=fps, frames=frames, audio=audio)
    data = out.read_bytes()
    assert samples.sample_counts(data)[0] == frames
    assert abs(samples.movie_duration(data) - frames / fps) <= Fraction(1, 48_000)
    assert [picture.shape for picture in samples.decoded(out)] == [(height, width, 3)] * frames
    kinds = [kind for kind, _, _ in samples.boxes(data)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    measured = video.probe(out)
    assert measured == info
    assert info.has_audio is audio


@settings(max_examples=10, deadline=None)
@given(width=PHOTO_SIDES, height=PHOTO_SIDES, seed=st.integers(0, 2**31), fps=RATES, prompt=PROMPTS)
def test_first_frame_is_the_source(
    tmp_path_factory: Folders, width: int, height: int, seed: int, fps: Fraction, prompt: str
) -> None:
    folder = tmp_path_factory.mktemp("v")
    picture = samples.photograph(width, height, seed)
    Image.fromarray(picture).save(folder / "source.png")
    out = folder / "v.mp4"
    video.generate(out, prompt, width=width, height=height, fps=fps, frames=12, seed=seed, image=folder / "source.png")
    frames = samples.decoded(out)
    assert samples.psnr(frames[0], picture) >= 35
    assert samples.psnr(frames[-1], picture) < samples.psnr(frames[0], picture) - 3  # it moves


def test_image_clip_ends_on_the_last_image(tmp_path: Path) -> None:
    first, last = samples.photograph(160, 96, 1), samples.photograph(160, 96, 2)
    Image.fromarray(first).save(tmp_path / "first.png")
    Image.fromarray(last).save(tmp_path / "last.png")
    out = tmp_path / "v.mp4"
    video.generate(
        out,
        "snow",
        width=160,
        height=96,
        fps=12,
        frames=24,
        image=tmp_path / "first.png",
        last_image=tmp_path / "last.png",
    )
    frames = samples.decoded(out)
    assert samples.psnr(frames[0], first) >= 35
    assert samples.psnr(frames[-1], last) >= 32


def test_image_is_cut_to_the_size(tmp_path: Path) -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = (200, 60, 60)
    Image.fromarray(picture).save(tmp_path / "wide.png")
    out = tmp_path / "v.mp4"
    video.generate(out, "", width=96, height=96, fps=10, frames=2, image=tmp_path / "wide.png")
    assert np.abs(samples.decoded(out)[0].reshape(-1, 3).mean(0) - (200, 60, 60)).max() < 6


@pytest.mark.parametrize(("seconds", "fps"), [(1, 60), (2, 5), (8, 30), (60, 5)])
def test_motion_has_no_jumps(tmp_path: Path, seconds: int, fps: int) -> None:
    Image.fromarray(samples.photograph(64, 48)).save(tmp_path / "source.png")
    for name, image in (("text", None), ("image", tmp_path / "source.png")):
        out = tmp_path / f"{name}.mp4"
        video.generate(out, "clouds over hills", width=64, height=48, fps=fps, frames=seconds * fps, image=image)
        frames = [frame.astype(np.int16) for frame in samples.decoded(out)]
        steps = np.array([np.abs(b - a).mean() for a, b in pairwise(frames)])
        assert steps.max() < 12
        assert np.abs(frames[-1] - frames[0]).mean() > 0.2


def test_sound_follows_the_prompt(tmp_path: Path) -> None:
    found = []
    for index, prompt in enumerate(
        ("waves on a beach", "a cat on the moon", 'a robot says "good morning, my friends"')
    ):
        out = tmp_path / f"{index}.mp4"
        video.generate(out, prompt, width=64, height=48, fps=10, frames=25, audio=True)
        seconds, level = samples.sound_level(out)
        assert seconds == pytest.approx(2.5, abs=0.05)
        assert 0.005 < level < 0.35
        found.append(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(set(found)) == 3


_DIGEST = """
import hashlib, sys
from pathlib import Path
from opperlite.engine.clips import video
folder = Path(sys.argv[1])
out = folder / f"{sys.argv[2]}.mp4"
video.generate(out, "rain, 'hello'", width=192, height=128, fps=24, frames=30, seed=7, audio=True)
first = hashlib.sha256(out.read_bytes()).hexdigest()
video.generate(out, "rain", width=192, height=128, fps=24, frames=30, image=folder / "source.png")
print(first, hashlib.sha256(out.read_bytes()).hexdigest())
"""


def _digest(folder: Path, name: str, cores: set[int] | None) -> str:
    def pin() -> None:
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)

    command = [sys.executable, "-c", _DIGEST, str(folder), name]
    return subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=pin).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no preexec_fn")
def test_bytes_repeat_in_every_process_on_any_number_of_cores(tmp_path: Path) -> None:
    Image.fromarray(samples.photograph(192, 128)).save(tmp_path / "source.png")
    assert _digest(tmp_path, "a", None) == _digest(tmp_path, "b", {min(os.sched_getaffinity(0))})


def test_seed_and_prompt_change_the_clip(tmp_path: Path) -> None:
    digests = set()
    for prompt, seed in (("a forest", 0), ("a forest", 1), ("a city", 0)):
        out = tmp_path / "v.mp4"
        video.generate(out, prompt, width=64, height=48, fps=10, frames=3, seed=seed)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 3


def test_progress_is_true_and_ends_at_one(tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    video.generate(
        tmp_path / "v.mp4",
        "hills",
        width=320,
        height=192,
        fps=30,
        frames=90,
        progress=lambda share: told.append((time.monotonic(), share)),
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(share * 90 == pytest.approx(round(share * 90)) for share in shares)
    between = [b - a for (a, _), (b, _) in pairwise(told)]
    assert all(gap >= 0.04 for gap in between[:-1])


@pytest.mark.parametrize("kind", ["generate", "image", "edit", "extend"])
def test_cancelling_leaves_no_file(tmp_path: Path, kind: str) -> None:
    source = samples.write(tmp_path / "source.mp4", frames=50)
    Image.fromarray(samples.photograph(64, 48)).save(tmp_path / "source.png")
    before = sorted(tmp_path.iterdir())

    def cancel(share: float) -> None:
        raise Cancelled

    out = tmp_path / "out.mp4"
    clip: dict[str, Any] = {"width": 640, "height": 360, "fps": 30, "frames": 600, "progress": cancel}
    calls = {
        "generate": lambda: video.generate(out, "x", **clip),
        "image": lambda: video.generate(out, "x", image=tmp_path / "source.png", **clip),
        "edit": lambda: video.edit(out, "sepia", source, progress=cancel),
        "extend": lambda: video.extend(out, "snow", source, frames=500, progress=cancel),
    }
    started = time.monotonic()
    with pytest.raises(Cancelled):
        calls[kind]()
    assert time.monotonic() - started < 2
    assert sorted(tmp_path.iterdir()) == before
    assert "drawing" not in [thread.name for thread in threading.enumerate()]


@settings(max_examples=6, deadline=None)
@given(
    width=SIDES,
    height=SIDES,
    fps=st.sampled_from([Fraction(10), Fraction(24000, 1001), Fraction(30)]),
    frames=st.integers(3, 30),
    kind=st.sampled_from([("v.mp4", "libx264", "aac"), ("v.webm", "libvpx-vp9", "libopus"), ("v.mov", "mpeg4", None)]),
)
def test_edit_keeps_length_size_rate_and_sound(
    tmp_path_factory: Folders, width: int, height: int, fps: Fraction, frames: int, kind: tuple[str, str, str | None]
) -> None:
    folder = tmp_path_factory.mktemp("v")
    name, codec, sound = kind
    source = samples.write(folder / name, codec=codec, sound=sound, width=width, height=height, fps=fps, frames=frames)
    before = video.probe(source)
    info = video.edit(folder / "out.mp4", "black and white", source)
    assert (info.width, info.height, info.frames) == (width, height, frames)
    assert float(info.fps) == pytest.approx(float(before.fps))
    assert info == video.probe(folder / "out.mp4")
    assert info.has_audio is (sound is not None)
    if sound:
        seconds, level = samples.sound_level(folder / "out.mp4")
        assert seconds == pytest.approx(float(frames / fps), abs=0.05)
        assert level > 0.02
    pictures = samples.decoded(folder / "out.mp4")
    assert max(float(np.ptp(picture.astype(int), axis=2).mean()) for picture in pictures) < 6


def test_edit_takes_other_size_rate_and_length(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "v.mp4", frames=20)
    info = video.edit(tmp_path / "o.mp4", "warmer", source, width=96, height=64, fps=12, frames=30)
    assert (info.width, info.height, info.fps, info.frames) == (96, 64, 12, 30)
    assert video.probe(tmp_path / "o.mp4") == info


def test_edit_outside_the_mask_keeps_the_source(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "v.mp4", width=128, height=96, frames=8, sound=None)
    mask = np.zeros((96, 128), np.uint8)
    mask[:, 64:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    video.edit(tmp_path / "o.mp4", "invert", source, mask=tmp_path / "mask.png")
    before, after = samples.decoded(source), samples.decoded(tmp_path / "o.mp4")
    for old, new in zip(before, after, strict=True):
        assert samples.psnr(old[:, :56], new[:, :56]) > 30
        assert samples.psnr(old[:, 72:], new[:, 72:]) < 20


def test_edit_takes_a_mask_that_is_a_video(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "v.mp4", width=64, height=48, frames=10, sound=None)
    mask = samples.write_ramp(tmp_path / "mask.mp4", [Fraction(index, 25) for index in range(33)])
    video.edit(tmp_path / "o.mp4", "invert", source, mask=mask)  # the mask's first ten frames are dark
    before, after = samples.decoded(source), samples.decoded(tmp_path / "o.mp4")
    assert all(samples.psnr(old, new) > 27 for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(("prompt", "size"), [("rotate 90 degrees", (48, 64)), ("mirror", (64, 48))])
def test_edit_turns_the_picture(tmp_path: Path, prompt: str, size: tuple[int, int]) -> None:
    source = samples.write(tmp_path / "v.mp4", width=64, height=48, frames=5, sound=None)
    info = video.edit(tmp_path / "o.mp4", prompt, source)
    assert (info.width, info.height) == size
    before, after = samples.decoded(source)[0], samples.decoded(tmp_path / "o.mp4")[0]
    expected = np.rot90(before, -1) if size == (48, 64) else before[:, ::-1]
    assert samples.psnr(after, expected) > 27


@pytest.mark.parametrize("kind", ["text", "image", "edit"])
def test_references_appear(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (60, 60), (255, 0, 200)).save(tmp_path / "pink.png")
    Image.fromarray(samples.photograph(160, 96)).save(tmp_path / "source.png")
    references, out = [tmp_path / "pink.png"], tmp_path / "o.mp4"
    if kind == "edit":
        source = samples.write(tmp_path / "v.mp4", width=160, height=96, frames=13, sound=None)
        video.edit(out, "brighter", source, references=references)
    else:
        image = tmp_path / "source.png" if kind == "image" else None
        video.generate(out, "a meadow", width=160, height=96, fps=10, frames=13, image=image, references=references)
    frames = samples.decoded(out)
    pink = [int(((f[..., 0] > 200) & (f[..., 1] < 90) & (f[..., 2] > 140)).sum()) for f in frames]
    assert pink[-1] > 200
    assert (pink[0] > 200) is (kind != "image")  # an image's clip begins with the image alone


def test_styles_are_drawn(tmp_path: Path) -> None:
    video.generate(tmp_path / "a.mp4", "a house", width=128, height=96, fps=5, frames=2)
    video.generate(tmp_path / "b.mp4", "a house", width=128, height=96, fps=5, frames=2, style="mono")
    plain, grey = samples.decoded(tmp_path / "a.mp4")[1], samples.decoded(tmp_path / "b.mp4")[1]
    assert np.ptp(grey.astype(int), axis=2).mean() < 8 < np.ptp(plain.astype(int), axis=2).mean()


def test_extend_goes_on_from_the_last_frame(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "v.mp4", width=128, height=96, frames=20)
    info = video.extend(tmp_path / "o.mp4", "snow", source, frames=30)
    before, after = samples.decoded(source), samples.decoded(tmp_path / "o.mp4")
    assert info.frames == len(after) == 50
    assert video.probe(tmp_path / "o.mp4") == info
    assert samples.psnr(before[10], after[10]) > 30
    assert samples.psnr(before[19], after[20]) > 27  # no cut
    assert samples.psnr(before[19], after[49]) < 27  # but motion
    assert samples.sound_level(tmp_path / "o.mp4")[0] == pytest.approx(2.0, abs=0.05)


def test_thumbnail_and_spritesheet(tmp_path: Path) -> None:
    path = samples.write_ramp(tmp_path / "v.mp4", [Fraction(index, 10) for index in range(20)])
    assert video.thumbnail(path).shape == (48, 64, 3)
    assert video.thumbnail(path, width=32).shape == (24, 32, 3)
    sheet = video.spritesheet(path, columns=5, rows=2, width=32)
    assert sheet.shape == (48, 160, 3)
    cells = [samples.ramp_index(sheet[y : y + 24, x : x + 32]) for y in (0, 24) for x in range(0, 160, 32)]
    assert cells == sorted(cells)
    assert cells[0] <= 1
    assert cells[-1] >= 18


def test_bad_input_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(500))
    out = tmp_path / "o.mp4"
    with pytest.raises(BadMedia):
        video.edit(out, "warmer", tmp_path / "broken")
    with pytest.raises(BadMedia):
        video.generate(out, "x", width=64, height=48, fps=10, frames=3, image=tmp_path / "broken")
    for wrong in ({"width": 63}, {"fps": 0}, {"fps": 500}, {"frames": 0}):
        with pytest.raises(ValueError, match=r"must|needs"):
            video.generate(out, "x", **{"width": 64, "height": 48, "fps": 10, "frames": 3, **wrong})  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
