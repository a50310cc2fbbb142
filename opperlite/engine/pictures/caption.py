"""Words on pictures: the discreet strip at the foot, and quoted words written large."""

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures import typeface
from opperlite.engine.pictures.pixels import Pixels


def caption(pixels: Pixels, text: str) -> Pixels:
    """The picture with one line of text on a dark translucent strip; text that is too long is cut short."""
    height, width = pixels.shape[:2]
    size, bar = _size(width, height), strip(width, height)
    label = Image.new("L", (width, bar))
    shown = shortened(typeface.written(text[:600]), size, width - size)
    typeface.write(label, shown, size, size // 2, round(bar / 2 + size * 0.34))
    out = pixels.copy()
    foot = out[height - bar :, :, :3].astype(np.uint16)
    shaded = foot * 96 // 255
    letters = np.asarray(label, np.uint16)[:, :, None]
    out[height - bar :, :, :3] = (shaded + (238 - np.minimum(shaded, 238)) * letters // 255).astype(np.uint8)
    if out.shape[2] == 4:
        out[height - bar :, :, 3] = np.maximum(out[height - bar :, :, 3], 170)
    return out


def strip(width: int, height: int) -> int:
    """The rows of the strip at the foot of a picture."""
    size = _size(width, height)
    return min(height, size + max(6, size * 3 // 4))


def _size(width: int, height: int) -> int:
    return max(9, round(min(width, height) / 52))


def lettering(pixels: Pixels, text: str) -> Pixels:
    """The picture with words written large across its upper part, white with a soft shadow."""
    height, width = pixels.shape[:2]
    words = typeface.written(text[:120]).strip("… ")
    size = max(9, round(min(width, height) / 7))
    while size > 9 and typeface.length(words, size) > width * 0.9:
        size = max(9, size * 9 // 10)
    wide = typeface.length(words, size)
    if not words or wide > width:
        return pixels
    label = Image.new("L", (width, height))
    middle = max(size * 0.8, height * 0.13)
    typeface.write(label, words, size, (width - wide) / 2, round(middle + size * 0.34))
    reach = max(1.0, size / 12)
    shadow = label.filter(ImageFilter.BoxBlur(reach)).filter(ImageFilter.BoxBlur(reach))
    image = Image.fromarray(pixels)
    opaque = (255,) * (pixels.shape[2] - 3)
    image.paste((16, 18, 30, *opaque), (0, 0), shadow.point([min(210, value * 2) for value in range(256)]))
    image.paste((255, 252, 244, *opaque), (0, 0), label)
    return np.array(image)


def shortened(text: str, size: int, room: float) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if typeface.length(text, size) <= room:
        return text
    while text and typeface.length(text + "…", size) > room:
        text = text[: max(0, min(len(text) - 1, int(len(text) * room / max(1.0, typeface.length(text, size)))))]
    return text.rstrip("… ") + "…" if text else ""
