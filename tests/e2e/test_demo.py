"""`opperlite demo`: what it writes opens, and the page shows all of it."""

import subprocess
import sys
from pathlib import Path

import av
from PIL import Image


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_the_demo_makes_pictures_clips_and_voices(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    flags = ("--pictures", "2", "--clips", "1", "--voices", "1")
    command = [sys.executable, "-m", "opperlite", "demo", str(folder), *flags]

    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    assert "index.html" in told
    pictures = sorted(folder.glob("picture-*.png"))
    assert len(pictures) == 2
    assert {size_of(path) for path in pictures} == {(768, 768)}
    assert size_of(folder / "contact-sheet.png")[0] > 768
    with av.open(folder / "clip-01.mp4") as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 120
    with av.open(folder / "voice-alloy.mp3") as voice:
        assert sum(frame.samples for frame in voice.decode(audio=0)) > 24_000
    page = (folder / "index.html").read_text("utf-8")
    assert all(path.name in page for path in folder.iterdir() if path.stem not in ("index", "contact-sheet"))
