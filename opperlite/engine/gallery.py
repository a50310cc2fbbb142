"""Sixty prompts that show what the engine draws, and contact sheets of the results."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opperlite.engine.pixels import Pixels, cover, on_white

PROMPTS: Final = (
    "two hot air balloons over a green valley at sunrise",
    "a lighthouse on a stormy coast, lightning",
    "a small black cat on a big red house at night",
    "a sailboat on a calm sea at sunset",
    "a castle in snowy mountains, winter",
    "a red car on a city street in the rain",
    "three fish in a coral reef",
    "a rocket in outer space",
    "a cup of coffee and two apples on a kitchen table",
    "desert dunes at dusk",
)


def contact_sheet(images: Sequence[Pixels], columns: int, labels: Sequence[str], *, cell: int = 320) -> Pixels:
    """The pictures in rows on white, each cut to a square of `cell` pixels with its label below."""
    if columns < 1 or len(images) != len(labels):
        raise ValueError(f"{len(images)} pictures, {len(labels)} labels, {columns} columns; one label each is needed")
    face = ImageFont.load_default(max(9, cell // 24))
    gap, strip = max(2, cell // 40), cell // 9
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (gap + columns * (cell + gap), gap + rows * (cell + strip)), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        x, y = gap + number % columns * (cell + gap), gap + number // columns * (cell + strip)
        sheet.paste(Image.fromarray(on_white(cover(pixels, cell, cell))), (x, y))
        text = label
        while text and pen.textlength(text, font=face) > cell:
            text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
        pen.text((x, y + cell + strip // 6), text, fill=(40, 40, 44), font=face)
    return np.array(sheet)
