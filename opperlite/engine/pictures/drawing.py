"""A composed scene as a finished picture: drawn, in its style, with the words it quotes."""

import numpy as np
from PIL import Image

from opperlite.engine.pictures import styles, textures
from opperlite.engine.pictures.caption import lettering
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.noise import fingerprint, white
from opperlite.engine.pictures.pixels import Pixels, resize
from opperlite.engine.pictures.revisions import AS_IT_IS, Revision
from opperlite.engine.pictures.scene import Scene

_LARGEST = 9_000_000


def drawn(
    composed: Scene,
    width: int,
    height: int,
    *,
    quality: str = "medium",
    transparent: bool = False,
    revision: Revision = AS_IT_IS,
) -> Pixels:
    """The scene as RGB, or its things alone as RGBA; quality "high" adds a fine grain."""
    style, seed = composed.style, composed.seed
    # Beyond this size twice the scale shows no more, and costs four times the time and memory.
    step = 2 if width * height > _LARGEST else 1
    size = (-(-width // step), -(-height // step))
    picture = composed.renderer(*size, transparent=transparent, revision=revision).frame()
    picture = resize(_styled(picture, style, composed.reading.styles, seed), width, height)
    for text in composed.reading.quoted[:1]:
        picture = lettering(picture, text)
    if quality == "high" and not transparent and not composed.reading.styles:
        _grained(picture, seed)
    return picture


def _styled(picture: Pixels, style: str | None, named: tuple[str, ...], seed: int) -> Pixels:
    wanted = list(named)
    if style and style in tables()["style"] and style not in wanted:
        wanted.append(style)
    for name in wanted[:2]:
        picture = styles.apply(picture, name, fingerprint(seed, name))
    if style in ("vivid", "natural"):
        strength = 1.25 if style == "vivid" else 0.85
        image = textures.saturated(Image.fromarray(np.ascontiguousarray(picture[:, :, :3])), strength)
        picture = picture.copy()
        picture[:, :, :3] = np.asarray(image)
    return picture


def _grained(picture: Pixels, seed: int) -> None:
    """Give flat areas a fine tooth of one step up or down, in place."""
    height, width = picture.shape[:2]
    tile = white(fingerprint(seed, "grain"), min(height, 256), min(width, 256))
    step = ((tile >> 6) & 1).astype(np.uint8) * 2
    band = np.repeat(np.tile(step, (1, -(-width // tile.shape[1])))[:, :width, None], 3, axis=2)
    np.minimum(picture, 253, out=picture)
    for top in range(0, height, len(band)):
        rows = picture[top : top + len(band)]
        rows += band[: len(rows)]
