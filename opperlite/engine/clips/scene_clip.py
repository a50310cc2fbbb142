"""The scene of a prompt in motion, frame by frame."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.clips import planar_scene, resolution
from opperlite.engine.clips.daylight import Drift, Turning, course
from opperlite.engine.clips.planar import encodable
from opperlite.engine.clips.video_writer import ColorConverter
from opperlite.engine.pictures import scene, styles
from opperlite.engine.pictures.layers import Layer
from opperlite.engine.pictures.noise import fingerprint

# Larger clips are drawn at this size and enlarged: nobody draws 4K frames in real time.
_DRAWN_PIXELS: Final = 1920 * 1088
_PROBED_PIXELS: Final = 240 * 136
# What a scene's layers may take, so that a worker making 1080p stays below 200 MB.
_LAYER_BYTES: Final = 28e6

_Drawn = NDArray[np.uint8]
"""The encoder's planes, or where they have a third side RGB; valid until the next is drawn."""

_Drawing = Callable[[float], _Drawn]


class SceneClip:
    """The prompt's own scene in motion; its light changes over the clip's `seconds` as the prompt wants."""

    def __init__(self, shown: scene.Scene, width: int, height: int, fps: Fraction, seconds: float) -> None:
        self._fps = fps
        self._size = (width, height)
        self._scaler = VideoReformatter()
        self._convert = ColorConverter(self._size)
        self._seed = shown.seed
        self._styles = [name for name in (*shown.reading.styles, shown.style) if name in styles.FILTERS][:2]
        hours = course(shown.reading.text, shown)
        if self._styles:
            size = resolution.styled(self._styles, width, height)
        else:
            size = resolution.bounded(width, height, _drawn_pixels(shown, width, height, states=2 if hours else 1))
        self._drift = None if hours or self._styles else Drift(shown, *size, seconds)
        if hours:
            self._draw: _Drawing = _Blended(Turning(shown, hours, seconds), size, styled=bool(self._styles))
        else:
            self._draw = _drawing(shown.renderer(*size).layers, size, styled=bool(self._styles))

    def frame(self, index: int) -> VideoFrame:
        """The encoder's planes of one frame."""
        time = float(index / self._fps)
        drawn = self._finished(self._draw(time), time)
        if (drawn.width, drawn.height) == self._size:
            return drawn
        return self._scaler.reformat(
            drawn,
            width=self._size[0],
            height=self._size[1],
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
            threads=1,
        )

    def _finished(self, drawn: _Drawn, time: float) -> VideoFrame:
        if drawn.ndim == 2:
            return encodable(drawn.copy() if self._drift is None else self._drift.applied(drawn, time))
        for name in self._styles:
            drawn = styles.apply(drawn, name, fingerprint(self._seed, name))
        return self._convert(drawn)


class _Blended:
    """A scene between two hours: both are drawn and mixed; hours that have passed are given up."""

    def __init__(self, turning: Turning, size: tuple[int, int], *, styled: bool) -> None:
        self._turning, self._size, self._styled = turning, size, styled
        self._hours: dict[int, _Drawing] = {}

    def __call__(self, time: float) -> _Drawn:
        number, share = self._turning.place(time)
        self._hours = {hour: draw for hour, draw in self._hours.items() if hour in (number, number + 1)}
        first = self._hour(number)(time)
        if share <= 0:
            return first
        return np.asarray(Image.blend(Image.fromarray(first), Image.fromarray(self._hour(number + 1)(time)), share))

    def _hour(self, number: int) -> _Drawing:
        if number not in self._hours:
            self._hours[number] = _drawing(self._turning.layers(number, *self._size), self._size, styled=self._styled)
        return self._hours[number]


def _drawing(layers: list[Layer], size: tuple[int, int], *, styled: bool) -> _Drawing:
    """What draws a time: straight into planes, or for a style and layers that are not known there in RGB."""
    if not styled and planar_scene.paints(layers):
        return planar_scene.PlanarScene(layers, *size).planes

    def painted(seconds: float) -> _Drawn:
        canvas = Image.new("RGB", size)
        for layer in layers:
            layer.paint(canvas, seconds)
        return np.asarray(canvas)

    return painted


def _drawn_pixels(shown: scene.Scene, width: int, height: int, *, states: int) -> int:
    """How many pixels a frame may have to be drawn: for large ones what the scene's layers leave room for.

    `states` of the scene are in memory at once. Of several hours the next are drawn, in RGB, while the encoder already
    holds its frames.
    """
    if width * height <= planar_scene.ROOMY:
        return _DRAWN_PIXELS
    small = resolution.bounded(width, height, _PROBED_PIXELS)
    needed = states * planar_scene.memory(shown.renderer(*small).layers) / (small[0] * small[1])
    most = _DRAWN_PIXELS if states == 1 else planar_scene.ROOMY
    return max(planar_scene.ROOMY // 2, min(most, round(_LAYER_BYTES / max(needed, 1e-9))))
