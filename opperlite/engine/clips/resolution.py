"""At how many pixels the frames of a clip are drawn; what is drawn smaller is enlarged when it is encoded."""

from collections.abc import Iterable
from typing import Final

from opperlite.engine.pictures import styles

_STYLED_PIXELS: Final = 1280 * 720
_PAINTED_PIXELS: Final = 640 * 360
_QUICK_STYLES: Final = frozenset(("mono", "sepia", "film", "pixel", "mosaic", "silhouette"))
"""Styles that cost at most some 40 ms for each million pixels; the others take twice to four times that."""


def styled(names: Iterable[str], width: int, height: int) -> tuple[int, int]:
    """The size at which a frame is drawn in some styles: strokes and dabs are soft, a part of the pixels shows them."""
    found = [name for name in names if name in styles.FILTERS]
    if not found:
        return width, height
    return bounded(width, height, _STYLED_PIXELS if _QUICK_STYLES.issuperset(found) else _PAINTED_PIXELS)


def bounded(width: int, height: int, allowed: int) -> tuple[int, int]:
    """The size, or when it has more pixels than allowed a smaller one of its proportions; even sides."""
    scale = min(1.0, (allowed / (width * height)) ** 0.5)
    if scale == 1:
        return width, height
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
