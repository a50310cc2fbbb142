"""Bands across a picture: land with a ragged upper edge, opaque below it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from opperlite.engine.pictures.contours import Heights


@dataclass(frozen=True, eq=False)
class Band:
    """An RGB picture whose upper rows show through `edge`, an L picture as wide and at most as high."""

    colours: Image.Image
    edge: Image.Image

    @classmethod
    def of(cls, image: Image.Image) -> "Band":
        """An RGBA picture as a band, or an RGB picture as one without an edge."""
        if image.mode == "RGB":
            return cls(image, Image.new("L", (image.width, 0)))
        return cls(image.convert("RGB"), image.getchannel("A"))

    @property
    def width(self) -> int:
        return self.colours.width

    @property
    def height(self) -> int:
        return self.colours.height

    @cached_property
    def image(self) -> Image.Image:
        """The same as one RGBA picture."""
        alpha = Image.new("L", self.colours.size, 255)
        alpha.paste(self.edge, (0, 0))
        image = self.colours.copy()
        image.putalpha(alpha)
        return image

    def paste(self, canvas: Image.Image, left: int, top: int) -> None:
        """Lay the band onto an RGB canvas."""
        split = self.edge.height
        if split:
            canvas.paste(self.colours.crop((0, 0, self.width, split)), (left, top), self.edge)
        shown = min(self.height, canvas.height - top)
        if shown > split:
            box = (max(0, -left), split, min(self.width, canvas.width - left), shown)
            canvas.paste(self.colours.crop(box), (left + box[0], top + split))


def edge(heights: Heights, rows: int, total: int) -> Image.Image:
    """How much of each pixel lies below the outline, down to where all does; `rows` of the `total` can be above it."""
    tops = np.rint((rows - np.clip(heights, 0, rows)) * 256.0).astype(np.int32)
    whole = (tops >> 8).astype(np.int16)
    shown = min(total, int(whole.max()) + 2)
    # The opposite of 1 is 255.
    cover = np.negative((np.arange(shown, dtype=np.int16)[:, None] > whole[None, :]).view(np.uint8))
    inside = np.flatnonzero(whole < shown)
    cover[whole[inside], inside] = np.minimum(256 - (tops[inside] & 255), 255)
    return Image.fromarray(cover)
