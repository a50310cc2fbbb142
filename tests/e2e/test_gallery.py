"""`opperlite demo`: a gallery of pictures, clips and voices, each looked at by decoders that did not write it.

`OPPERLITE_TEST_GALLERY=DIR` makes the whole gallery and leaves it in that folder to be looked at and listened to.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from html import escape, unescape
from itertools import combinations, islice
from pathlib import Path
from re import findall

import av
import numpy
import pytest
from PIL import Image, ImageChops, ImageStat

from opperlite.demo import CLIP, CLIPS, SIDE, SPEECHES
from opperlite.engine.pictures.gallery import PROMPTS
from tests.e2e import decoding

FOLDER = os.environ.get("OPPERLITE_TEST_GALLERY")
PICTURES, VIDEOS, VOICES = (len(PROMPTS), len(CLIPS), len(SPEECHES)) if FOLDER else (4, 1, 2)
AGAIN = (6, 2, 10) if FOLDER else (1, 0, 1)
DISTANCE = 32  # of 192 bits; unrelated pictures differ in about half of them, a picture and its copy in a few


def demo(folder: Path, pictures: int, clips: int, voices: int) -> str:
    flags = ("--pictures", str(pictures), "--clips", str(clips), "--voices", str(voices))
    command = [sys.executable, "-m", "opperlite", "demo", str(folder), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True).stdout


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(FOLDER) if FOLDER else tmp_path_factory.mktemp("gallery")
    assert (folder / "index.html").resolve().as_uri() in demo(folder, PICTURES, VIDEOS, VOICES)
    return folder


def files(folder: Path, pattern: str, count: int) -> list[Path]:
    found = sorted(folder.glob(pattern))
    assert len(found) == count
    return found


def fingerprint(image: Image.Image) -> numpy.ndarray:
    """A perceptual hash: whether brightness and colours rise from cell to cell, on a grid of 8 x 8."""
    cells = numpy.asarray(image.convert("YCbCr").resize((9, 8), Image.Resampling.BOX)).astype(int)
    return (cells[:, 1:] > cells[:, :-1]).ravel()


def assert_distinct(images: Sequence[Image.Image], titles: Sequence[str]) -> None:
    prints = [fingerprint(image) for image in images]
    for (one, first), (other, second) in combinations(zip(prints, titles, strict=True), 2):
        assert (one != other).sum() >= DISTANCE, f"{first!r} looks like {second!r}"


def test_every_picture_is_whole_and_tells_its_prompt(gallery: Path) -> None:
    images = []
    for path, prompt in zip(files(gallery, "picture-*.png", PICTURES), PROMPTS, strict=False):
        data = path.read_bytes()
        assert decoding.png_size(data) == (SIDE, SIDE)
        image = decoding.picture(data)
        assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
        assert image.info["prompt"] == prompt
        for stream in decoding.probed(path).get("streams", []):
            assert (stream["width"], stream["height"], stream["nb_read_frames"]) == (SIDE, SIDE, "1")
        images.append(image)
    assert_distinct(images, PROMPTS[:PICTURES])


def test_every_clip_is_whole_and_moves(gallery: Path) -> None:
    width, height, fps, count = CLIP
    images = []
    for path in files(gallery, "clip-??.mp4", VIDEOS):
        data = path.read_bytes()
        movie, frames = decoding.movie(data), decoding.frames(data)
        assert movie.streams_at_once
        assert movie.tracks["vide"] == count
        assert "soun" in movie.tracks
        assert movie.seconds == pytest.approx(count / fps, abs=0.05)
        assert (frames.count, frames.width, frames.height, frames.form) == (count, width, height, "yuv420p")
        assert 0.001 < decoding.loudness(data)[1] < 0.5
        for stream in decoding.probed(path).get("streams", []):
            if stream["codec_type"] == "video":
                assert (stream["codec_name"], stream["nb_read_frames"]) == ("h264", str(count))
        with av.open(str(path)) as container:
            decoded = container.decode(video=0)
            first = next(decoded).to_image()
            middle = next(islice(decoded, count // 2, None)).to_image()
        assert ImageStat.Stat(ImageChops.difference(first, middle)).mean[1] > 1, "it stands still"
        images.append(first)
    assert_distinct(images, CLIPS[:VIDEOS])


def test_every_voice_is_heard(gallery: Path) -> None:
    seen = set()
    for voice, text, _ in SPEECHES[:VOICES]:
        path = gallery / f"voice-{voice}.mp3"
        data = path.read_bytes()
        seconds, loudness = decoding.loudness(data)
        assert seconds == pytest.approx(decoding.mp3_seconds(data), abs=0.1)
        assert 0.03 * len(text) < seconds < 0.2 * len(text)
        assert 0.03 < loudness < 0.4
        with av.open(str(path)) as container:
            assert (container.metadata["title"], container.metadata["artist"]) == (text, voice)
        for stream in decoding.probed(path).get("streams", []):
            assert (stream["codec_name"], stream["channels"]) == ("mp3", 1)
        seen.add(data)
    assert len(files(gallery, "voice-*.mp3", VOICES)) == len(seen)


def test_the_page_shows_every_piece_with_its_prompt(gallery: Path) -> None:
    page = (gallery / "index.html").read_text("utf-8")
    pieces = [path.name for path in gallery.iterdir() if path.stem[-1].isdigit() or path.stem.startswith("voice-")]
    assert sorted(findall(r'src="([^"]+)"', page)) == sorted(pieces)
    captions = [unescape(text) for text in findall(r"<figcaption>(.*?)</figcaption>", page)]
    assert captions[: PICTURES + VIDEOS] == [*PROMPTS[:PICTURES], *CLIPS[:VIDEOS]]
    for caption, (voice, text, _) in zip(captions[PICTURES + VIDEOS :], SPEECHES[:VOICES], strict=True):
        assert caption.startswith(voice)
        assert caption.endswith(text)
    assert all(f'alt="{escape(prompt)}"' in page for prompt in PROMPTS[:PICTURES])


def test_the_contact_sheets_open(gallery: Path) -> None:
    sheet = decoding.picture((gallery / "contact-sheet.png").read_bytes())
    assert sheet.width > 6 * 320
    rows = decoding.picture((gallery / "clip-sheet.png").read_bytes())
    assert (rows.width, rows.height // VIDEOS) == (4 * 320, 180 + 32)


def test_the_same_gallery_comes_twice(gallery: Path, tmp_path: Path) -> None:
    demo(tmp_path, *AGAIN)
    again = [path for path in tmp_path.iterdir() if "sheet" not in path.name and path.suffix != ".html"]
    assert len(again) == sum(AGAIN)
    for path in again:
        assert path.read_bytes() == (gallery / path.name).read_bytes(), path.name


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = subprocess.run(
        [sys.executable, "-m", "opperlite", "demo", str(tmp_path / "file" / "demo")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: ")
    assert ran.stderr.count("\n") == 1
