"""What a clip shows: a scene in motion, or motion within a still picture, frame by frame."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from opperlite.engine.clips import motion, planar_scene, precipitation
from opperlite.engine.clips.planar import encodable
from opperlite.engine.clips.video_writer import ColorConverter, Picture
from opperlite.engine.pictures import pixels, prompt, scene, styles
from opperlite.engine.pictures.noise import fingerprint

_DISSOLVE_START = 0.25
_DISSOLVE_END = 0.9
# Larger clips are drawn at this size and enlarged: nobody draws 4K frames in real time.
_DRAWN_PIXELS = 1920 * 1088
_PROBED_PIXELS = 240 * 136
# What a scene's layers may take, so that a worker making 1080p stays below 200 MB.
_LAYER_BYTES = 28e6
# A style costs some 0.4 s for each million pixels of a frame.
_STYLED_PIXELS = 640 * 360


class Clip(Protocol):
    """Frames of a clip; frame 0 is its first."""

    def frame(self, index: int) -> VideoFrame:
        """The encoder's planes of one frame."""


class SceneClip:
    """The prompt's own scene in motion."""

    def __init__(self, shown: scene.Scene, width: int, height: int, fps: Fraction) -> None:
        self._fps = fps
        self._size = (width, height)
        self._scaler = VideoReformatter()
        self._draw = _drawing(shown, width, height)

    def frame(self, index: int) -> VideoFrame:
        """The encoder's planes of one frame."""
        drawn = self._draw(float(index / self._fps))
        if (drawn.width, drawn.height) == self._size:
            return drawn
        return self._scaler.reformat(
            drawn,
            width=self._size[0],
            height=self._size[1],
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
            threads=1,
        )


def _drawing(shown: scene.Scene, width: int, height: int) -> Callable[[float], VideoFrame]:
    """What draws the frame of a time: straight into planes, or with a style in RGB."""
    named = [name for name in (*shown.reading.styles, shown.style) if name in styles.FILTERS][:2]
    size = _bounded(width, height, _STYLED_PIXELS if named else _drawn_pixels(shown, width, height))
    renderer = shown.renderer(*size)
    layers = renderer.layers
    if not named and planar_scene.paints(layers):
        return planar_scene.PlanarScene(layers, *size).frame
    convert = ColorConverter()

    def styled(seconds: float) -> VideoFrame:
        picture = renderer.frame(seconds)
        for name in named:
            picture = styles.apply(picture, name, fingerprint(shown.seed, name))
        return convert(picture)

    return styled


def _drawn_pixels(shown: scene.Scene, width: int, height: int) -> int:
    """How many pixels a frame may have to be drawn: for large ones what the scene's layers leave room for."""
    if width * height <= planar_scene.ROOMY:
        return _DRAWN_PIXELS
    small = _bounded(width, height, _PROBED_PIXELS)
    needed = planar_scene.memory(shown.renderer(*small).layers) / (small[0] * small[1])
    return max(planar_scene.ROOMY // 2, min(_DRAWN_PIXELS, round(_LAYER_BYTES / max(needed, 1e-9))))


def _bounded(width: int, height: int, allowed: int) -> tuple[int, int]:
    """The size, or when it has more pixels than allowed a smaller one of its proportions; even sides."""
    scale = min(1.0, (allowed / (width * height)) ** 0.5)
    return (
        (width, height) if scale == 1 else (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    )


class StillClip:
    """Motion within a picture; with a last picture, the clip ends on it.

    The first frame is the picture itself, and the last frame the last picture itself.
    """

    def __init__(
        self, text: str, first: Picture, *, last: Picture | None, fps: Fraction, frames: int, seed: int
    ) -> None:
        height, width = first.shape[:2]
        self._fps, self._frames = fps, frames
        seconds = float(frames / fps)
        convert = ColorConverter()
        self._first = _warp(convert, first, seconds, frames, seed)
        self._last = None if last is None else _warp(convert, last, seconds, frames, seed)
        reading = prompt.read(text)
        words = {*reading.weather, *reading.settings, reading.season, *text.lower().split()}
        self._overlays: list[precipitation.Overlay] = [motion.Light(width, seed)]
        self._overlays += precipitation.overlays(words, width, height, seed)

    def frame(self, index: int) -> VideoFrame:
        """The encoder's planes of one frame."""
        share = index / max(1, self._frames - 1)
        if self._last is None:
            planes = self._first.at(motion.eased(share))
            fading = 1.0
        else:
            planes = self._dissolved(self._last, share)
            fading = min(1.0, (1 - share) * 4)
        luma = motion.split(planes)[0]
        for overlay in self._overlays:
            overlay.apply(luma, float(index / self._fps), fading)
        return encodable(planes)

    def _dissolved(self, last: motion.Warp, share: float) -> motion.Planes:
        mix = (share - _DISSOLVE_START) / (_DISSOLVE_END - _DISSOLVE_START)
        if mix <= 0:
            return self._first.at(motion.eased(share))
        if mix >= 1:
            return last.at(1 - motion.eased(share))
        smooth = mix * mix * (3 - 2 * mix)
        return motion.blended(self._first.at(motion.eased(share)), last.at(1 - motion.eased(share)), smooth)


def _warp(convert: ColorConverter, picture: Picture, seconds: float, frames: int, seed: int) -> motion.Warp:
    planes = np.asarray(convert(picture).to_ndarray(), np.uint8)
    return motion.Warp(planes, motion.depth_map(picture), motion.Camera.planned(seed, seconds), frames)


def still(path: Path, width: int, height: int) -> Picture:
    """A picture file as RGB of a size, cut to fit; BadMedia when it cannot be decoded."""
    return pixels.cover(pixels.on_white(pixels.decode(path)), width, height)


def frames(clip: Clip, count: int) -> Iterator[VideoFrame]:
    """All frames of a clip in order."""
    for index in range(count):
        yield clip.frame(index)
