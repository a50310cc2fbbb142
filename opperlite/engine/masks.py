"""Masks that limit an edit to a region."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine import pixels
from opperlite.engine.video_writer import Picture


def region(path: Path, width: int, height: int) -> NDArray[np.bool_]:
    """Where an edit may change the picture: (height, width), True where it may.

    With transparency in it, a mask marks by transparency (OpenAI's rule); else by white.
    """
    mask = pixels.decode(path)
    transparent = mask.shape[2] == 4 and int(mask[..., 3].min()) < 128
    marked = mask[..., 3] < 128 if transparent else mask[..., :3].mean(axis=2) > 127
    scaled = Image.fromarray(np.where(marked, np.uint8(255), np.uint8(0))).resize((width, height), Image.Resampling.BOX)
    return np.asarray(scaled) > 127


def limited(before: Picture, after: Picture, marked: NDArray[np.bool_]) -> Picture:
    """The changed picture where marked, the old one elsewhere."""
    return np.where(marked[..., None], after, before)
