"""Origins: the prompt and seed that one of our own pictures was drawn with, and what can be drawn again by them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures import drawing, scene
from opperlite.engine.pictures.caption import strip
from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.revisions import Revision
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.subjects import Mask

_ALIKE: Final = 5.0
"""Mean difference, of 255, up to which two small pictures show the same; JPEG and WebP stay below 2."""
_SEEN: Final = 3
"""Difference from which a pixel counts as changed."""


@dataclass(frozen=True)
class Origin:
    """What a picture says of itself; a style is one given beside the prompt."""

    prompt: str
    seed: int
    style: str | None = None


def origin(notes: Mapping[str, str]) -> Origin | None:
    """The origin that a file's notes tell; None when another program made it."""
    if not notes.get("Software", "").startswith("opperlite") or not re.fullmatch(r"-?\d{1,20}", notes.get("seed", "")):
        return None
    return Origin(notes.get("prompt", ""), int(notes["seed"]), notes.get("style"))


@dataclass(frozen=True, eq=False)
class Recollection:
    """A picture's scene, and the picture as it was drawn (without a caption)."""

    scene: scene.Scene
    drawn: Pixels
    source: Pixels

    @property
    def uncaptioned(self) -> Pixels:
        """The picture without the strip at its foot."""
        rows = strip(self.source.shape[1], self.source.shape[0])
        out = self.source.copy()
        out[-rows:] = self.drawn[-rows:]
        return out

    def revised(self, revision: Revision) -> Pixels | None:
        """The picture after a revision, the same elsewhere; None when nothing in it is what the revision is about."""
        shown = self.scene.without(revision.without)
        after = _drawn(shown, self.drawn, revision)
        seen = np.abs(after.astype(np.int16) - self.drawn).max(axis=2) > _SEEN
        if not seen.any():
            return None
        # What a lossy format blurred into its surroundings goes with it.
        wide = np.asarray(Image.fromarray(seen).convert("L").filter(ImageFilter.MaxFilter(5))) > 0
        return np.where(wide[:, :, None], after, self.uncaptioned)

    def silhouette(self, motif: str) -> Mask | None:
        """Where the first thing of a motif stands in the picture; None when there is none."""
        height, width = self.drawn.shape[:2]
        spots = [spot for spot in self.scene.renderer(width, height).spots if spot.thing.motif == motif]
        if not spots:
            return None
        spot = max(spots, key=lambda one: one.tall)
        shape = spot.symbol.paint(max(1, round(spot.tall)))[0].getchannel("a")
        if spot.mirrored:
            shape = shape.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mask = Image.new("L", (width, height))
        mask.paste(shape, (round(spot.x - shape.width / 2), round(spot.y - shape.height)))
        return np.array(mask)


def recalled(source: Pixels, known: Origin) -> Recollection | None:
    """What is known of a picture that says where it is from; None when it does not show what it says."""
    composed = scene.compose(known.prompt, seed=known.seed, style=known.style)
    drawn = _drawn(composed, source, Revision())
    return Recollection(composed, drawn, source) if _alike(drawn, source) else None


def _drawn(composed: scene.Scene, like: Pixels, revision: Revision) -> Pixels:
    height, width, channels = like.shape
    return drawing.drawn(composed, width, height, transparent=channels == 4, revision=revision)


def _alike(first: Pixels, second: Pixels) -> bool:
    """Whether two pictures of one size show the same, their captions aside."""
    if first.shape != second.shape:
        return False
    rows = first.shape[0] - strip(first.shape[1], first.shape[0])
    small = [_small(picture[: max(1, rows)]) for picture in (first, second)]
    away = np.abs(small[0] - small[1])
    return float(away.mean()) < _ALIKE and float(np.percentile(away, 99)) < 5 * _ALIKE


def _small(picture: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(scaled(image, (48, 48), Image.Resampling.BOX)).astype(np.int16)
