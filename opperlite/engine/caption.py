"""The discreet strip at a picture's foot that says what it is: model, size and prompt."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from opperlite.engine.pixels import Pixels


def caption(pixels: Pixels, text: str) -> Pixels:
    """The picture with one line of text on a dark translucent strip; text that is too long is cut short."""
    height, width = pixels.shape[:2]
    size = max(9, round(min(width, height) / 52))
    bar = min(height, size + max(6, size * 3 // 4))
    label = _label(" ".join(text.split()), width, bar, size)
    out = pixels.copy()
    foot = out[height - bar :, :, :3].astype(np.uint16)
    shaded = foot * 96 // 255
    letters = np.asarray(label, np.uint16)[:, :, None]
    out[height - bar :, :, :3] = (shaded + (238 - np.minimum(shaded, 238)) * letters // 255).astype(np.uint8)
    if out.shape[2] == 4:
        out[height - bar :, :, 3] = np.maximum(out[height - bar :, :, 3], 170)
    return out


def lettering(pixels: Pixels, text: str) -> Pixels:
    """The picture with words written large across its upper part, white with a soft shadow."""
    height, width = pixels.shape[:2]
    words = " ".join(text.split())[:120]
    size = max(9, round(min(width, height) / 7))
    while size > 9 and _face(size).getlength(words) > width * 0.9:
        size = max(9, size * 9 // 10)
    face = _face(size)
    if not words or face.getlength(words) > width:
        return pixels
    label = Image.new("L", (width, height))
    ImageDraw.Draw(label).text((width / 2, max(size * 0.8, height * 0.13)), words, fill=255, font=face, anchor="mm")
    reach = max(1.0, size / 12)
    shadow = label.filter(ImageFilter.BoxBlur(reach)).filter(ImageFilter.BoxBlur(reach))
    image = Image.fromarray(pixels)
    image.paste((16, 18, 30), (0, 0), shadow.point([min(210, value * 2) for value in range(256)]))
    image.paste((255, 252, 244), (0, 0), label)
    return np.array(image)


def _label(text: str, width: int, height: int, size: int) -> Image.Image:
    face = _face(size)
    room = width - size
    while text and face.getlength(text) > room:
        text = text[: max(0, min(len(text) - 2, int(len(text) * room / face.getlength(text))))].rstrip("… ") + "…"
        if text == "…":
            break
    label = Image.new("L", (width, height))
    if face.getlength(text) <= width:
        ImageDraw.Draw(label).text((size // 2, height // 2), text, fill=255, font=face, anchor="lm")
    return label


@lru_cache(maxsize=16)
def _face(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The face built into Pillow (Aileron), so that no font of the system is asked for."""
    return ImageFont.load_default(size)
