"""What a clip shows, frame by frame; here motion within a still picture."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame

from opperlite.engine.clips import motion, precipitation
from opperlite.engine.clips.planar import encodable
from opperlite.engine.clips.video_writer import ColorConverter, Picture
from opperlite.engine.pictures import pixels, prompt

_DISSOLVE_START = 0.25
_DISSOLVE_END = 0.9


class Clip(Protocol):
    """Frames of a clip; frame 0 is its first."""

    def frame(self, index: int) -> VideoFrame:
        """The encoder's planes of one frame."""


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
