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
VOICES = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")
SENTENCE = "The quick brown fox jumps over the lazy dog, and {voice} reads it aloud."


class Piece(NamedTuple):
    """One thing to make: its file and how."""

    path: Path
    title: str
    make: Callable[[Path], object]


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, default="opperlite-demo", type=click.Path(path_type=Path))
@click.option("--pictures", default=60, show_default=True, type=click.IntRange(0, 60), help="How many pictures.")
@click.option("--clips", default=10, show_default=True, type=click.IntRange(0, len(CLIPS)), help="How many clips.")
@click.option("--voices", default=10, show_default=True, type=click.IntRange(0, len(VOICES)), help="How many voices.")
def demo(folder: Path, pictures: int, clips: int, voices: int) -> None:
    """Show what the embedded engine makes.

    Writes pictures, clips and voices to DIR (opperlite-demo unless given), a contact sheet of the pictures, and a page
    index.html to look at it all. Needs no server and no network.
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
    def maker(voice: str) -> Callable[[Path], object]:
        def make(path: Path) -> None:
            from opperlite.engine.sound import audio, speech

            spoken = speech.speak(SENTENCE.format(voice=voice), voice=voice)
            audio.encode(spoken.samples, spoken.rate, "mp3", path)

        return make

    return [Piece(folder / f"voice-{voice}.mp3", voice, maker(voice)) for voice in VOICES[:count]]


def _contact_sheet(path: Path, pieces: Sequence[Piece]) -> None:
    from opperlite.engine.pictures import pixels
    from opperlite.engine.pictures.gallery import contact_sheet

    sheet = contact_sheet([pixels.decode(piece.path) for piece in pieces], 6, [piece.title for piece in pieces])
    path.write_bytes(pixels.encode(sheet, "png"))


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
