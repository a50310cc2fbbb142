"""A scene's layers painted straight into the encoder's planes."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, Protocol

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.clips.motion import Planes
from opperlite.engine.clips.planar import PlanarCanvas, PlanarImage, Sheet, colour_of, encodable
from opperlite.engine.pictures import layers
from opperlite.engine.pictures.layers import pan

ROOMY: Final = 1280 * 720
"""Pixels of a frame up to which speed counts more than memory."""

_NOWHERE: Final = 1 << 30
_KEPT_SHIFTS: Final = 8
_SMALL: Final = 16  # pixels a side below which a drop's colour may be left out


class PlanarLayer(Protocol):
    """A layer that paints planes; from the row `opaque_from` down it hides what is behind it."""

    opaque_from: int

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        """Draw as it is `time` seconds into the scene."""


class PlanarScene:
    """Frames of a scene as the encoder wants them, in any order of time.

    The list of layers is used up, so that their RGB pictures, 100 MB for large frames, go as the planes come.
    ValueError for a layer that this module does not know.
    """

    def __init__(self, shown: list[layers.Layer], width: int, height: int) -> None:
        self._canvas = PlanarCanvas(width, height)
        self._layers: list[PlanarLayer] = []
        # From front to back: no row below the highest opaque one in front is ever seen.
        floor = height
        while shown:
            made = _planar(shown.pop(), (width, height), floor)
            self._layers.insert(0, made)
            floor = min(floor, made.opaque_from)

    def frame(self, time: float) -> VideoFrame:
        """The frame `time` seconds in."""
        return encodable(self.planes(time).copy())

    def planes(self, time: float) -> Planes:
        """The planes of a frame, until the next is painted into the same memory."""
        for layer in self._layers:
            layer.paint(self._canvas, time)
        return self._canvas.planes


def paints(shown: Sequence[layers.Layer]) -> bool:
    """Whether this module knows every layer, and the first covers the whole canvas."""
    return bool(shown) and isinstance(shown[0], layers.Plate) and all(_maker(layer) for layer in shown)


def _maker(layer: layers.Layer) -> "_Maker | None":
    return next((_MAKERS[kind] for kind in type(layer).__mro__ if kind in _MAKERS), None)


def memory(shown: Sequence[layers.Layer]) -> float:
    """About how many bytes a PlanarScene of the layers takes, measured: the frames of sprites stay in RGB as well."""
    total = 0.0
    for layer in shown:
        if isinstance(layer, layers.Sprite):
            total += 7.0 * layer.frames[0].width * layer.frames[0].height * len(layer.frames)
        elif isinstance(layer, layers.Strip | layers.Veil):
            total += 2.8 * layer.image.width * layer.image.height
    return total


def _planar(layer: layers.Layer, size: tuple[int, int], floor: int) -> PlanarLayer:
    maker = _maker(layer)
    if maker is None:
        raise ValueError(f"no planes for a layer of type {type(layer).__name__}")
    return maker(layer, size, floor)


class _Plate:
    opaque_from = _NOWHERE

    def __init__(self, layer: layers.Plate, size: tuple[int, int], floor: int) -> None:
        self._image = PlanarImage.of(layer.image.convert("RGB"))

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        self._image.paste(canvas, 0, 0)


class _Strip:
    """A band: its soft rows as sheets with cover, its opaque rows without; moved by halves of a pixel."""

    def __init__(self, layer: layers.Strip, size: tuple[int, int], floor: int) -> None:
        self._depth, self._sway, self._beat = layer.depth, layer.sway, layer.beat
        self._side = (layer.image.width - size[0]) // 2
        reach = 2 * math.ceil(abs(layer.sway)) + 2
        image = layer.image.crop((0, 0, layer.image.width, min(layer.image.height, max(2, floor - layer.top + reach))))
        split = _split(np.asarray(image.getchannel("A")), layer.top)
        kept = 2 if size[0] * size[1] <= ROOMY else 1
        self._bands = []
        self.opaque_from = _NOWHERE
        if split:
            soft = PlanarImage.of(image.crop((0, 0, image.width, split)), 0, layer.top, moving=True)
            self._bands.append(_Band(soft, layer.top, kept))
        if split < image.height:
            if layer.top + layer.image.height - math.ceil(abs(layer.sway)) >= floor:  # else what is below it shows
                self.opaque_from = layer.top + split + reach
            opaque = _even(image.crop((0, split, *image.size)).convert("RGB"))
            self._bands.append(_Band(PlanarImage.of(opaque), layer.top + split, kept))

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        halves = round(pan(canvas.width, self._depth, time) * 2.0) - self._side * 2
        turn, start = (time / 3.4 + self._beat) * 2 * math.pi, self._beat * 2 * math.pi
        down = round(self._sway * (math.sin(turn) - math.sin(start))) if self._sway else 0
        for band in self._bands:
            band.paint(canvas, halves, down)


class _Band:
    """Rows of a strip; of its two places, on a pixel and between two, as many are kept as memory allows."""

    def __init__(self, image: PlanarImage, top: int, kept: int) -> None:
        self._top = top - image.top
        self._luma = lru_cache(kept)(partial(_shifted, image.luma))
        self._chroma = [lru_cache(kept)(partial(_shifted, sheet)) for sheet in image.chroma]

    def paint(self, canvas: PlanarCanvas, halves: int, down: int) -> None:
        top = self._top + down
        self._luma(halves % 2).paste(canvas.luma, halves >> 1, top)
        for sheet, target in zip(self._chroma, canvas.chroma, strict=True):
            sheet((halves >> 1) % 2).paste(target, halves >> 2, top >> 1)


def _shifted(sheet: Sheet, half: int) -> Sheet:
    return sheet.shifted(half / 2)


class _Sprite:
    opaque_from = _NOWHERE

    def __init__(self, layer: layers.Sprite, size: tuple[int, int], floor: int) -> None:
        self._layer = layer
        # On large frames colour may lie a pixel aside; a picture for each of four places would take too much.
        self._start = layer.place(size[0], 0.0)
        roomy = size[0] * size[1] <= ROOMY
        self._places = 2 if roomy else 1
        self._made: dict[tuple[int, int, int], PlanarImage] = {}
        # No lru_cache of a method: that is a cycle, which keeps a scene that has passed in memory for a while.
        self._shifts: dict[tuple[int, int, int, int, int], Sheet] = {}
        self._kept = _KEPT_SHIFTS if roomy else 1

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        frames, cycle = self._layer.frames, self._layer.motion.cycle
        number = int(time / cycle * len(frames)) % len(frames) if len(frames) > 1 and cycle else 0
        # Its way goes by halves of a pixel, as that of the bands it stands on: whole ones would make it tremble.
        places = zip(self._layer.place(canvas.width, time), self._start, strict=True)
        across, down = (round(start) * 2 + round((place - start) * 2) for place, start in places)
        x, y = across >> 1, down >> 1
        key = (number, x % self._places, y % self._places)
        if key not in self._made:
            self._made[key] = PlanarImage.of(frames[number], *key[1:], moving=True)
        made = self._made[key]
        self._shifted(key, across % 2, down % 2).paste(canvas.luma, x - made.left, y - made.top)
        made.paste_chroma(canvas, x, y)

    def _shifted(self, key: tuple[int, int, int], right: int, down: int) -> Sheet:
        wanted = (*key, right, down)
        if wanted not in self._shifts:
            if len(self._shifts) >= self._kept:
                self._shifts.clear()
            self._shifts[wanted] = self._made[key].luma.shifted(right / 2, down / 2)
        return self._shifts[wanted]


class _Water:
    def __init__(self, layer: layers.Water, size: tuple[int, int], floor: int) -> None:
        self._layer = layer
        self.opaque_from = layer.horizon if layer.bottom >= floor else _NOWHERE
        self._tint = PlanarImage.of(layer.tint, 0, layer.horizon)
        self._shine = colour_of(layer.shine)
        self._near = (np.arange(layer.bottom - layer.horizon) + 1) / (layer.bottom - layer.horizon)

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        layer, near = self._layer, self._near
        rows, pad = len(near), max(4, canvas.width // 24)
        row = np.arange(rows)
        wave = np.sin(34.0 * np.sqrt(near) * 2.2 - time * 2.1) + 0.6 * np.sin(row * 0.9 + time * 3.3)
        shift = pad + np.rint(wave * (0.6 + near * pad * 0.3)).astype(np.int64)
        source = np.rint(row * 1.05 + wave * near * 3).astype(np.int64)
        _mirror(canvas.parts[0], layer.horizon, source, shift, pad)
        for part in canvas.parts[1:]:
            _mirror(part, layer.horizon // 2, source[::2] // 2, shift[::2] // 2, pad // 2)
        self._tint.paste(canvas, 0, layer.horizon)
        for x, y, length, thickness, phase in layer.glints.tolist():
            glow = math.sin(phase / 100.0 + time * 2.4)
            if glow > -0.2:
                half = int(length * (0.45 + 0.55 * max(0.0, glow))) // 2
                canvas.fill(self._shine, x - half, y, x + half + 1, y + thickness)


class _Falling:
    opaque_from = _NOWHERE

    def __init__(self, layer: layers.Falling, size: tuple[int, int], floor: int) -> None:
        self._layer = layer
        self._made: dict[tuple[int, int, int], PlanarImage] = {}
        self._bare = [max(sprite.size) < _SMALL or not PlanarImage.of(sprite).coloured for sprite in layer.sprites]

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        layer, width, height = self._layer, canvas.width, canvas.height
        for x, y, speed, number, phase in layer.drops.tolist():
            kind = int(number)
            sprite = layer.sprites[kind]
            room = height + sprite.height
            top = round((y + speed * time + sprite.height) % room - sprite.height)
            side = x + layer.lean * speed * time + layer.waver * math.sin(time * 1.3 + phase)
            left = round(side) % (width + sprite.width) - sprite.width
            if self._bare[kind]:
                self._image(kind, 0, 0).luma.paste(canvas.luma, left, top)
            else:
                self._image(kind, left % 2, top % 2).paste(canvas, left, top)

    def _image(self, kind: int, x: int, y: int) -> PlanarImage:
        if (kind, x, y) not in self._made:
            self._made[kind, x, y] = PlanarImage.of(self._layer.sprites[kind], x, y)
        return self._made[kind, x, y]


class _Veil:
    opaque_from = _NOWHERE

    def __init__(self, layer: layers.Veil, size: tuple[int, int], floor: int) -> None:
        self._image = PlanarImage.of(layer.image, 0, layer.top)
        self._top, self._speed, self._width = layer.top, layer.speed, layer.image.width

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        shift = round(self._speed * time) % self._width
        self._image.paste(canvas, -shift, self._top)
        if self._width - shift < canvas.width:
            self._image.paste(canvas, self._width - shift, self._top)


class _Flash:
    opaque_from = _NOWHERE

    def __init__(self, layer: layers.Flash, size: tuple[int, int], floor: int) -> None:
        self._image, self._period = PlanarImage.of(layer.image), layer.period

    def paint(self, canvas: PlanarCanvas, time: float) -> None:
        if time % self._period < 0.28:
            self._image.paste(canvas, 0, 0)


_Maker = Callable[[Any, tuple[int, int], int], PlanarLayer]
_MAKERS: Final[dict[type, _Maker]] = {
    layers.Plate: _Plate,
    layers.Strip: _Strip,
    layers.Sprite: _Sprite,
    layers.Water: _Water,
    layers.Falling: _Falling,
    layers.Veil: _Veil,
    layers.Flash: _Flash,
}


def _split(alpha: NDArray[np.uint8], top: int) -> int:
    """The row from which on a band is opaque, moved down to an even place."""
    open_rows = np.flatnonzero(alpha.min(axis=1) < 255)
    split = int(open_rows[-1]) + 1 if len(open_rows) else 0
    return min(len(alpha), split + (top + split) % 2)


def _even(image: Image.Image) -> Image.Image:
    """The picture with even sides: the last column and row once more where it needs them."""
    across, down = image.width % 2, image.height % 2
    return Image.fromarray(np.pad(np.asarray(image), ((0, down), (0, across), (0, 0)), mode="edge"))


def _mirror(part: Planes, horizon: int, source: NDArray[np.int64], shift: NDArray[np.int64], pad: int) -> None:
    above = part[:horizon][::-1]
    padded = np.pad(above, ((0, 0), (pad, pad)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, part.shape[1], axis=1)
    rows = np.clip(source, 0, len(above) - 1)[: len(part) - horizon]
    part[horizon : horizon + len(rows)] = windows[rows, np.clip(shift, 0, 2 * pad)[: len(rows)]]
