"""Writing with the face built into Pillow, so that no font of the system is asked for.

That face (a part of Aileron) knows ASCII and little more. Letters with marks are put together from a letter and a
mark drawn above it; what has no letter at all is left out.
"""

import unicodedata
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.outlines import ellipse, stroked

_SPELLED: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
    | {"þ": "th", "ı": "i", "×": "x", "–": "-", "—": "-", "„": '"', "€": "EUR", "→": "->", "\u00a0": " "}
)
_MARKS: Final = {
    "\u0300": ((-0.09, -0.09), (0.04, 0.02)),
    "\u0301": ((0.09, -0.09), (-0.04, 0.02)),
    "\u0302": ((-0.1, 0.02), (0.0, -0.08), (0.1, 0.02)),
    "\u030c": ((-0.1, -0.08), (0.0, 0.02), (0.1, -0.08)),
    "\u0303": ((-0.11, 0.0), (-0.05, -0.06), (0.05, 0.0), (0.11, -0.06)),
    "\u0304": ((-0.1, -0.03), (0.1, -0.03)),
}
"""Combining marks as lines about the middle of the letter's top, in parts of the size."""


def written(text: str) -> str:
    """The text as this face can write it: letters and their marks, the rest as an ellipsis."""
    out = ""
    for sign in unicodedata.normalize("NFKD", " ".join(text.split()).translate(_SPELLED)):
        if sign in _MARKS or sign in "\u0308\u030a\u0327" or _known(sign):
            out += sign
        elif not unicodedata.combining(sign) and not out.endswith("…"):
            out += "…"
    return out


def length(text: str, size: int) -> float:
    """Pixels the written text is wide."""
    return sum(_advance(sign, size) for sign in text if not unicodedata.combining(sign))


def write(label: Image.Image, text: str, size: int, x: float, baseline: float) -> None:
    """Draw written text into an "L" image from x on, standing on the baseline."""
    face, pen = face_of(size), ImageDraw.Draw(label)
    middle, top = x, baseline
    for sign in text:
        if unicodedata.combining(sign):
            _mark(label, sign, size, middle, top, baseline)
            continue
        pen.text((x, baseline), sign, fill=255, font=face, anchor="ls")
        left, upper, right, _ = face.getbbox(sign, anchor="ls")
        middle, top = x + (left + right) / 2, baseline + upper
        x += _advance(sign, size)


@lru_cache(maxsize=4096)
def _advance(sign: str, size: int) -> float:
    """How far a letter moves the pen; the face's space is too narrow to read in small sizes."""
    return float(face_of(size).getlength(sign)) + (size * 0.08 if sign == " " else 0.0)


def _mark(label: Image.Image, sign: str, size: int, middle: float, top: float, baseline: float) -> None:
    bold = max(1.0, size * 0.065)
    above = top - size * 0.08
    if sign == "\u0308":
        dots = [ellipse(middle + side * size * 0.1, above, bold * 0.75, bold * 0.75, 16) for side in (-1, 1)]
        raster.fill(label, dots, (255,))
    elif sign == "\u030a":
        ring = ellipse(middle, above - size * 0.03, size * 0.07, size * 0.07, 20)
        raster.fill(label, stroked(ring, bold * 0.8, closed=True), (255,))
    elif sign == "\u0327":
        tail = np.array(((0.0, 0.02), (0.05, 0.1), (-0.02, 0.17), (-0.07, 0.15))) * size
        raster.fill(label, stroked(tail + np.array((middle, baseline)), bold * 0.8), (255,))
    else:
        line = np.array(_MARKS[sign]) * size + np.array((middle, above))
        raster.fill(label, stroked(line, bold), (255,))


@lru_cache(maxsize=512)
def _known(sign: str) -> bool:
    face = face_of(20)
    return sign == " " or bytes(face.getmask(sign)) != bytes(face.getmask("\ufffe"))


@lru_cache(maxsize=16)
def face_of(size: int) -> ImageFont.FreeTypeFont:
    """The face in a size of pixels."""
    face = ImageFont.load_default(size)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; its wheels have it")
    # The complex layout needs a library that is not found on every system; letters are placed one by one anyway.
    return face.font_variant(layout_engine=ImageFont.Layout.BASIC)
