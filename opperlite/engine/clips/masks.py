"""Masks that limit an edit to a region."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.clips.video_reader import VideoReader
from opperlite.engine.clips.video_writer import Picture
from opperlite.engine.errors import BadMedia
from opperlite.engine.pictures import pixels

Region = NDArray[np.bool_]
"""Where an edit may change a picture: (height, width), True where it may."""

_ENDLESS = 1 << 30


def regions(path: Path, width: int, height: int, rate: Fraction) -> Iterator[Region]:
    """The region of each frame, without end: of a picture always the same, of a video its frames, then the last.

    With transparency in it, a picture marks by transparency (OpenAI's rule); else white marks. BadMedia when the file
    is neither a picture nor a video.
    """
    try:
        mask = pixels.decode(path)
    except BadMedia:
        return _moving(path, width, height, rate)
    transparent = mask.shape[2] == 4 and int(mask[..., 3].min()) < 128
    marked = mask[..., 3] < 128 if transparent else _white(mask[..., :3])
    scaled = Image.fromarray(np.where(marked, np.uint8(255), np.uint8(0))).resize((width, height), Image.Resampling.BOX)
    return repeat(np.asarray(scaled) > 127)


def _moving(path: Path, width: int, height: int, rate: Fraction) -> Iterator[Region]:
    with VideoReader(path) as reader:
        region = np.zeros((height, width), np.bool_)
        for picture in reader.pictures(rate, _ENDLESS, width, height):
            region = _white(picture)
            yield region
    yield from repeat(region)


def _white(picture: Picture) -> Region:
    return np.asarray(picture.mean(axis=2) > 127)


def limited(before: Picture, after: Picture, marked: Region) -> Picture:
    """The changed picture where marked, the old one elsewhere."""
    return np.where(marked[..., None], after, before)
