"""Styles: filters that redraw a finished picture in another manner.

Each takes RGB pixels and a seed and gives RGB pixels of the same size; the same seed gives the same strokes, so that
the frames of a clip hold still.
"""

from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.pictures.painting import crayon, line, oil, points, poster, sketch, watercolour, woodcut
from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.textures import Filter
from opperlite.engine.pictures.tiling import lowpoly, mosaic, pixel, stained, stitch
from opperlite.engine.pictures.toning import blueprint, comic, film, mono, neon, sepia, silhouette


def apply(pixels: Pixels, style: str, seed: int = 0) -> Pixels:
    """The picture in a style; names that are no filter leave it as it is."""
    draw = FILTERS.get(style)
    if draw is None:
        return pixels
    colours = np.ascontiguousarray(pixels[:, :, :3])
    out = np.array(draw(Image.fromarray(colours), seed))
    return np.dstack((out, pixels[:, :, 3])) if pixels.shape[2] == 4 else out


FILTERS: Final[dict[str, Filter]] = {
    "watercolour": watercolour,
    "oil": oil,
    "pixel": pixel,
    "blueprint": blueprint,
    "line": line,
    "sketch": sketch,
    "lowpoly": lowpoly,
    "film": film,
    "sepia": sepia,
    "mono": mono,
    "comic": comic,
    "neon": neon,
    "mosaic": mosaic,
    "stained": stained,
    "woodcut": woodcut,
    "poster": poster,
    "points": points,
    "crayon": crayon,
    "stitch": stitch,
    "silhouette": silhouette,
}
