"""Every frame of a video changed as the words of an edit say."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count as count_up
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.clips import masks, resolution
from opperlite.engine.clips.references import References
from opperlite.engine.clips.video_reader import VideoReader
from opperlite.engine.clips.video_streams import VideoInfo
from opperlite.engine.clips.video_writer import Picture
from opperlite.engine.pictures import edits, pixels
from opperlite.engine.pictures.edits import Editor

_RESHAPING: Final = frozenset(("rotate", "square"))


def edited_size(editor: Editor, info: VideoInfo, *, masked: bool) -> tuple[int, int]:
    """The size of the result: the source's, unless the words turn the picture or make it square."""
    if not masked and _RESHAPING & set(editor.reading.edits):
        return edits.shaped(editor.reading, Image.new("RGB", (info.width, info.height))).size
    return info.width, info.height


def edited(
    reader: VideoReader,
    editor: Editor,
    size: tuple[int, int],
    rate: Fraction,
    count: int,
    mask: Path | None,
    references: Sequence[Path],
) -> Iterator[Picture]:
    """The changed frames as RGB: of the size, or smaller where a style is drawn so. BadMedia for a mask or reference.

    With a mask, a picture or a video, only what it marks changes.
    """
    drawn = resolution.styled(editor.reading.styles, *size)
    if mask is not None:
        return _masked(reader, editor, size, drawn, rate, count, mask, references)
    lent = References.opened(references, *drawn, editor.seed) if references else None
    reshaped = not edits.GEOMETRY.isdisjoint(editor.reading.edits)
    # Decoded straight to the size at which it is drawn, unless the words cut and turn it or it is to be cut to fit.
    asked = drawn if not reshaped and _like(reader.info, size) else (None, None)

    def changed(index: int, source: Picture) -> Picture:
        whole = np.asarray(edits.shaped(editor.reading, Image.fromarray(source))) if reshaped else source
        return _changed(editor, pixels.cover(whole, *drawn), float(index / rate), lent)

    # Unlike a loop, map keeps none of a frame's pictures alive while the next is made: 1080p has 6 MB in each.
    return map(changed, count_up(), reader.pictures(rate, count, *asked))


def _masked(
    reader: VideoReader,
    editor: Editor,
    size: tuple[int, int],
    drawn: tuple[int, int],
    rate: Fraction,
    count: int,
    mask: Path,
    references: Sequence[Path],
) -> Iterator[Picture]:
    regions = masks.regions(mask, *size, rate)
    lent = References.opened(references, *drawn, editor.seed) if references else None

    def changed(index: int, source: Picture) -> Picture:
        base = pixels.cover(source, *size)
        result = _changed(editor, pixels.resize(base, *drawn), float(index / rate), lent)
        return masks.limited(base, pixels.resize(result, *size), next(regions))

    return map(changed, count_up(), reader.pictures(rate, count))


def _changed(editor: Editor, base: Picture, seconds: float, lent: References | None) -> Picture:
    result = pixels.on_white(editor.apply(base, seconds))
    return result if lent is None else lent.over(result, seconds)


def _like(info: VideoInfo, size: tuple[int, int]) -> bool:
    """Whether a size has a video's proportions, but for a side made even."""
    return abs(info.width * size[1] - info.height * size[0]) <= 2 * max(info.width, info.height, *size)
