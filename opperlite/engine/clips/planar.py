"""Pictures and a canvas in the encoder's own planes (yuv420p, BT.709, limited range).

Painting frames this way moves half the bytes that RGB needs, and nothing is left to convert.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from opperlite.engine.clips.motion import Planes, split, view

_MINIMUM_CHROMA: Final = 6  # levels from grey below which a small picture's colour does not show


@dataclass(frozen=True, eq=False)
class Sheet:
    """One plane of a picture: its values, and how far they cover what is below (None: all of it)."""

    values: Image.Image
    cover: Image.Image | None

    def paste(self, canvas: Image.Image, x: int, y: int) -> None:
        """Lay the sheet onto a canvas; what lies beyond the canvas is left out."""
        canvas.paste(self.values, (x, y), self.cover)

    def shifted(self, right: float, down: float = 0.0) -> Self:
        """The sheet moved by parts of a pixel."""
        if not right and not down:
            return self
        return type(self)(_moved(self.values, right, down), self.cover and _moved(self.cover, right, down))


@dataclass(frozen=True, eq=False)
class PlanarImage:
    """A picture as planes; `left` and `top` (0 or 1) are how far it was moved to lie evenly on the chroma planes."""

    luma: Sheet
    chroma: tuple[Sheet, Sheet]
    left: int = 0
    top: int = 0

    @classmethod
    def of(cls, image: Image.Image, x: int = 0, y: int = 0, *, moving: bool = False) -> "PlanarImage":
        """The planes of an RGB or RGBA picture that will lie at places as odd or even as x and y.

        `moving` prepares it to be shifted by parts of a pixel.
        """
        if image.mode == "RGB" and not (image.width % 2 or image.height % 2):
            return cls(*_opaque(np.asarray(image)))
        left, top = x % 2, y % 2
        width, height = image.width + left, image.height + top
        pixels = np.asarray(image if image.mode == "RGBA" else image.convert("RGBA"))
        margins = ((top, height % 2), (left, width % 2), (0, 0))
        return cls(*_covering(np.pad(pixels, margins) if max(map(max, margins)) else pixels, moving), left, top)

    @property
    def coloured(self) -> bool:
        """Whether its colours are worth painting when it is small."""
        planes = [np.asarray(sheet.values, np.int16) for sheet in self.chroma]
        return any(int(np.abs(plane - 128).max()) > _MINIMUM_CHROMA for plane in planes)

    def paste(self, canvas: "PlanarCanvas", x: int, y: int) -> None:
        """Lay the picture onto a canvas."""
        self.luma.paste(canvas.luma, x - self.left, y - self.top)
        self.paste_chroma(canvas, x, y)

    def paste_chroma(self, canvas: "PlanarCanvas", x: int, y: int) -> None:
        """Lay its colours alone onto a canvas."""
        for sheet, target in zip(self.chroma, canvas.chroma, strict=True):
            sheet.paste(target, (x - self.left) >> 1, (y - self.top) >> 1)


class PlanarCanvas:
    """A canvas of three planes, to be painted on as images or as arrays; sides in pixels must be even."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._use(np.full((height * 3 // 2, width), 128, np.uint8))

    def _use(self, planes: Planes) -> None:
        self.planes = planes
        self.parts = split(planes)
        self.luma, *chroma = (view(part) for part in self.parts)
        self.chroma = (chroma[0], chroma[1])

    @classmethod
    def of(cls, frame: VideoFrame) -> "PlanarCanvas":
        """A canvas with a frame's picture (yuv420p) on it."""
        canvas = cls(frame.width, frame.height)
        canvas._use(np.array(frame.to_ndarray(), np.uint8))
        return canvas

    def tint(self, colour: tuple[int, int, int], share: float) -> None:
        """Mix a colour (luma, blue, red) into everything."""
        for value, plane in zip(colour, (self.luma, *self.chroma), strict=True):
            plane.paste(plane.point([round(old + (value - old) * share) for old in range(256)]))

    def fill(self, colour: tuple[int, int, int], left: int, top: int, right: int, bottom: int) -> None:
        """Fill a rectangle with a colour (luma, blue, red)."""
        self.luma.paste(colour[0], (left, top, right, bottom))
        for value, plane in zip(colour[1:], self.chroma, strict=True):
            plane.paste(value, (left >> 1, top >> 1, (right + 1) >> 1, (bottom + 1) >> 1))

    def frame(self) -> VideoFrame:
        """What is on the canvas now, for the encoder."""
        return encodable(self.planes.copy())


def encodable(planes: Planes) -> VideoFrame:
    """Planes as a frame for the encoder, which may keep the array: nothing else may write to it."""
    # PyAV takes an array over without a copy, but rounds the height down to a multiple of 4.
    if planes.shape[0] % 6 == 0:
        return VideoFrame.from_numpy_buffer(planes, "yuv420p")
    return VideoFrame.from_ndarray(planes, "yuv420p")


def colour_of(rgb: tuple[int, ...]) -> tuple[int, int, int]:
    """A colour's luma, blue and red."""
    values = _planes(np.full((2, 2, 3), rgb[:3], np.uint8), "yuv444p")
    return int(values[0, 0, 0]), int(values[1, 0, 0]), int(values[2, 0, 0])


def _planes(pixels: NDArray[np.uint8], layout: str) -> NDArray[np.uint8]:
    """RGB or RGBA (its cover is left out) as planes of a layout."""
    converted = VideoReformatter().reformat(
        VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), "rgba" if pixels.shape[2] == 4 else "rgb24"),
        format=layout,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BILINEAR | Interpolation.BITEXACT,
        threads=1,
    )
    return np.asarray(converted.to_ndarray(), np.uint8)


def _opaque(pixels: NDArray[np.uint8]) -> tuple[Sheet, tuple[Sheet, Sheet]]:
    height, width = pixels.shape[:2]
    flat = _planes(pixels, "yuv420p").reshape(-1)
    size, half = height * width, height * width // 4
    blue = flat[size : size + half].reshape(height // 2, width // 2)
    red = flat[size + half :].reshape(height // 2, width // 2)
    return _sheet(flat[:size].reshape(height, width)), (_sheet(blue), _sheet(red))


def _covering(pixels: NDArray[np.uint8], moving: bool) -> tuple[Sheet, tuple[Sheet, Sheet]]:
    alpha = np.ascontiguousarray(pixels[..., 3])
    luma, blue, red = _planes(pixels, "yuv444p")
    cover = Image.fromarray(alpha)
    # Colour is averaged by cover, so that what is transparent does not bleed into edges.
    weight = _quartered(alpha.astype(np.uint16))
    divisor = np.maximum(weight, 1)
    half = Image.fromarray(((weight + 2) // 4).astype(np.uint8))
    chroma = []
    for plane in (blue, red):
        total = _quartered(plane.astype(np.uint32) * alpha)
        mean = np.where(weight > 0, total // divisor, 128).astype(np.uint8)
        chroma.append(Sheet(Image.fromarray(mean), half))
    values = _bled(luma, alpha) if moving else Image.fromarray(luma)
    return Sheet(values, cover), (chroma[0], chroma[1])


def _quartered(values: NDArray[np.unsignedinteger]) -> NDArray[np.uint32]:
    """Sums over squares of two by two."""
    rows = values[0::2].astype(np.uint32) + values[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def _bled(luma: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Image.Image:
    """Luma whose transparent pixels take that of their neighbours, for shifts by parts of a pixel."""
    lit = Image.fromarray(((luma.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8))
    near = np.asarray(lit.filter(ImageFilter.BoxBlur(1)), np.uint16)
    weight = np.asarray(Image.fromarray(alpha).filter(ImageFilter.BoxBlur(1)), np.uint16)
    spread = np.minimum(255, near * 255 // np.maximum(weight, 1))
    return Image.fromarray(np.where(alpha > 0, luma, spread).astype(np.uint8))


def _sheet(values: NDArray[np.uint8]) -> Sheet:
    return Sheet(Image.fromarray(values), None)


def _moved(image: Image.Image, right: float, down: float) -> Image.Image:
    for place, share in (((1, 0), right), ((0, 1), down)):
        if share:
            aside = image.copy()
            aside.paste(image, place)
            image = Image.blend(image, aside, share)
    return image
