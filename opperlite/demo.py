"""`opperlite demo`: pictures, clips and voices of the embedded engine in a folder, with a contact sheet and a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import click

SIDE = 768
CLIP = (1280, 720, 30, 120)
CLIPS = (
    "a hot air balloon drifting over green hills at dawn",
    "snow falling on a winter village at night",
    "a sailboat on a stormy sea",
    "a red car in a rainy city street",
    "a campfire in the mountains at night",
    "a rocket in outer space",
    "waves on a tropical beach at sunset",
    "an autumn forest, leaves falling",
    "a fish in a coral reef",
    'a lighthouse in the fog, "Mind the rocks!"',
)
SPEECHES = (  # voice, text, manner
    ("alloy", "Good morning. The quick brown fox jumps over the lazy dog.", None),
    ("onyx", "The ship leaves at 7:45 on March 3rd, from pier 12.", None),
    ("nova", "We have won! Everybody, come and see!", "excited"),
    ("ash", "The library is closed now. Please speak quietly.", "whisper"),
    ("echo", "Breathe in. Hold. And slowly breathe out again.", "calm and slow"),
    ("coral", "Der Zug nach Köln hat heute leider zwanzig Minuten Verspätung.", None),
    ("fable", "Il était une fois un renard qui vivait au bord de la mer.", None),
    ("sage", "Mañana por la mañana iremos juntos al mercado.", None),
    ("shimmer", "Godmorgon! Idag skiner solen över hela landet.", None),
    ("verse", "Dr. Lee paid $19.99 for 3 kg of apples, i.e. far too much.", None),
)
_FRAMES_SHOWN = 4


class Piece(NamedTuple):
    """One thing to make: its file, what is asked for, and how."""

    path: Path
    title: str
    make: Callable[[Path], object]


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, default="opperlite-demo", type=click.Path(path_type=Path))
@click.option("--pictures", default=60, show_default=True, type=click.IntRange(0, 60), help="How many pictures.")
@click.option("--clips", default=10, show_default=True, type=click.IntRange(0, len(CLIPS)), help="How many clips.")
@click.option("--voices", default=10, show_default=True, type=click.IntRange(0, len(SPEECHES)), help="How many voices.")
def demo(folder: Path, pictures: int, clips: int, voices: int) -> None:
    """Show what the embedded engine makes.

    Writes pictures, clips and voices to DIR (opperlite-demo unless given), contact sheets of the pictures and of the
    clips' frames, and a page index.html to look at it all. Needs no server and no network.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be made: {error.strerror}") from None
    groups = {
        "Pictures": _pictures(folder, pictures),
        "Clips": _clips(folder, clips),
        "Voices": _voices(folder, voices),
    }
    for name, pieces in groups.items():
        with click.progressbar(pieces, label=f"{name:9}") as bar:
            for piece in bar:
                piece.make(piece.path)
    if groups["Pictures"]:
        _contact_sheet(folder / "contact-sheet.png", groups["Pictures"])
    if groups["Clips"]:
        _clip_sheet(folder / "clip-sheet.png", groups["Clips"])
    (folder / "index.html").write_text(_page(groups), "utf-8")
    click.echo(f"Look at {(folder / 'index.html').resolve().as_uri()}")


def _numbered(folder: Path, kind: str, suffix: str) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield folder / f"{kind}-{number:02}.{suffix}"


def _pictures(folder: Path, count: int) -> list[Piece]:
    from opperlite.engine.pictures.gallery import PROMPTS

    def maker(prompt: str) -> Callable[[Path], object]:
        def make(path: Path) -> object:
            from opperlite.engine.pictures import picture, pixels

            drawn = picture.draw(prompt, SIDE, SIDE)
            return path.write_bytes(pixels.encode(drawn, "png", metadata={"prompt": prompt}))

        return make

    names = _numbered(folder, "picture", "png")
    return [Piece(next(names), prompt, maker(prompt)) for prompt in PROMPTS[:count]]


def _clips(folder: Path, count: int) -> list[Piece]:
    def maker(prompt: str) -> Callable[[Path], object]:
        def make(path: Path) -> object:
            from opperlite.engine.clips import video

            width, height, fps, frames = CLIP
            return video.generate(path, prompt, width=width, height=height, fps=fps, frames=frames, audio=True)

        return make

    names = _numbered(folder, "clip", "mp4")
    return [Piece(next(names), prompt, maker(prompt)) for prompt in CLIPS[:count]]


def _voices(folder: Path, count: int) -> list[Piece]:
    def maker(voice: str, text: str, manner: str | None) -> Callable[[Path], object]:
        def make(path: Path) -> None:
            from opperlite.engine.sound import audio, speech

            spoken = speech.speak(text, voice=voice, instructions=manner)
            audio.encode(spoken.samples, spoken.rate, "mp3", path, metadata={"title": text, "artist": voice})

        return make

    return [
        Piece(
            folder / f"voice-{voice}.mp3",
            f"{voice}{f', {manner}' if manner else ''}: {text}",
            maker(voice, text, manner),
        )
        for voice, text, manner in SPEECHES[:count]
    ]


def _contact_sheet(path: Path, pieces: Sequence[Piece]) -> None:
    from opperlite.engine.pictures import pixels
    from opperlite.engine.pictures.gallery import contact_sheet

    sheet = contact_sheet([pixels.decode(piece.path) for piece in pieces], 6, [piece.title for piece in pieces])
    path.write_bytes(pixels.encode(sheet, "png"))


def _clip_sheet(path: Path, pieces: Sequence[Piece]) -> None:
    """A row of frames for each clip, its prompt below."""
    import numpy as np
    from PIL import Image

    from opperlite.engine.clips import video
    from opperlite.engine.pictures import pixels, typeface

    rows = []
    for piece in pieces:
        frames = Image.fromarray(video.spritesheet(piece.path, columns=_FRAMES_SHOWN, rows=1, width=320))
        row = Image.new("RGB", (frames.width, frames.height + 32), (255, 255, 255))
        row.paste(frames)
        words = Image.new("L", (frames.width, 32))
        typeface.write(words, typeface.written(piece.title), 14, 4, 16)
        row.paste((40, 40, 44), (0, frames.height), words)
        rows.append(np.asarray(row))
    path.write_bytes(pixels.encode(np.ascontiguousarray(np.concatenate(rows)), "png"))


def _page(groups: dict[str, list[Piece]]) -> str:
    shown = {
        "Pictures": '<img src="{name}" alt="{title}" width="320" loading="lazy">',
        "Clips": '<video src="{name}" controls loop width="480"></video>',
        "Voices": '<audio src="{name}" controls></audio>',
    }
    parts = []
    for group, pieces in groups.items():
        figures = "\n".join(
            f"<figure>{shown[group].format(name=piece.path.name, title=escape(piece.title, quote=True))}"
            f"<figcaption>{escape(piece.title)}</figcaption></figure>"
            for piece in pieces
        )
        parts.append(f"<h2>{group}</h2>\n<div>{figures}</div>")
    style = (
        "body{font:15px system-ui;margin:2rem;background:#fafafa;color:#222}"
        "div{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:480px}figcaption{max-width:320px}"
    )
    head = f'<meta charset="utf-8"><title>opperlite demo</title><style>{style}</style>'
    return (
        f"<!doctype html><html lang=en><head>{head}</head><body><h1>opperlite demo</h1>{''.join(parts)}</body></html>\n"
    )
