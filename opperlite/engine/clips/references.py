"""Reference pictures in a clip: they lend their colour and float in front of the scene."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from opperlite.engine.clips.planar import PlanarCanvas, PlanarImage, colour_of
from opperlite.engine.clips.video_writer import Picture
from opperlite.engine.pictures import pixels
from opperlite.engine.pictures.noise import Stream

_SHOWN: Final = 6
_TINT: Final = 36 / 255  # the share of the references' mean colour
_RISE_SECONDS: Final = 1.0
_BOB_SECONDS: Final = 5.0


@dataclass(frozen=True, eq=False)
class _Card:
    image: Image.Image
    left: int
    top: int
    phase: float

    def place(self, seconds: float, height: int) -> tuple[int, int]:
        return self.left, self.top + round(
            0.012 * height * math.sin(2 * math.pi * (seconds / _BOB_SECONDS + self.phase))
        )


@dataclass(frozen=True, eq=False)
class References:
    """Reference pictures prepared for clips of a size in pixels."""

    width: int
    height: int
    colour: tuple[int, int, int]
    cards: tuple[_Card, ...]

    @classmethod
    def opened(cls, paths: Sequence[Path], width: int, height: int, seed: int) -> Self:
        """The first six of some picture files; BadMedia when one cannot be decoded."""
        pictures = [pixels.decode(path) for path in paths[:_SHOWN]]
        means = [
            np.asarray(Image.fromarray(one[..., :3].copy()).resize((1, 1), Image.Resampling.BOX)) for one in pictures
        ]
        mean = np.mean(means, axis=0).reshape(3)
        stream = Stream("references", seed, len(pictures))
        room = width / len(pictures)
        cards = tuple(_card(one, number, room, height, stream.uniform(-7, 7)) for number, one in enumerate(pictures))
        return cls(width, height, (int(mean[0]), int(mean[1]), int(mean[2])), cards)

    def over(self, picture: Picture, seconds: float) -> Picture:
        """An RGB picture with the references over it."""
        image = Image.blend(Image.fromarray(picture), Image.new("RGB", (self.width, self.height), self.colour), _TINT)
        for card in self.cards:
            image.paste(card.image, card.place(seconds, self.height), card.image)
        return np.asarray(image)

    def over_planes(self, frame: VideoFrame, seconds: float, *, rising: bool) -> VideoFrame:
        """The encoder's planes with the references over them; `rising` lets them appear during the first second."""
        strength = min(1.0, seconds / _RISE_SECONDS) if rising else 1.0
        if strength <= 0:
            return frame
        canvas = PlanarCanvas.of(frame)
        canvas.tint(colour_of(self.colour), _TINT * strength)
        for card in self.cards:
            image = card.image
            if strength < 1:
                image = image.copy()
                image.putalpha(image.getchannel("A").point([round(value * strength) for value in range(256)]))
            x, y = card.place(seconds, self.height)
            PlanarImage.of(image, x, y).paste(canvas, x, y)
        return canvas.frame()


def _card(picture: Picture, number: int, room: float, height: int, turn: float) -> _Card:
    """Cut out when it has transparency, else a small print with a white rim."""
    source = Image.fromarray(picture)
    side = min(room * 0.86, height * 0.36)
    scale = side / max(source.size)
    size = (max(4, round(source.width * scale)), max(4, round(source.height * scale)))
    small = source.resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    if source.mode == "RGB":
        rim = max(1, size[0] // 24)
        print_ = Image.new("RGBA", (size[0] + 2 * rim, size[1] + 2 * rim), (250, 249, 246, 255))
        print_.paste(small, (rim, rim))
        small = print_.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    left = round((number + 0.5) * room - small.width / 2)
    return _Card(small, left, round(height * 0.93 - small.height), number * 0.37)
