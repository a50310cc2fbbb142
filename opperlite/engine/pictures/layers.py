"""What a scene is painted of, back to front: each layer draws itself onto the canvas for a point in time.

Layers are made once for a picture size; a frame only shifts and pastes them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opperlite.engine.pictures.bands import Band

PAN_PERIOD: Final = 26.0
"""Seconds of the camera's swing to one side, the other, and back."""
PAN_REACH: Final = 0.045
"""How far the nearest layer swings, as a part of the picture's width."""


class Layer(Protocol):
    """Something that paints itself onto an RGB canvas."""

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Draw as it is `time` seconds into the scene."""


def pan(width: int, depth: float, time: float) -> float:
    """The camera's shift in pixels for things at a depth (0 is the far sky, 1 the foreground)."""
    return math.sin(time * 2.0 * math.pi / PAN_PERIOD) * PAN_REACH * width * depth


def margin(width: int) -> int:
    """How far panned layers reach beyond either side of the picture."""
    return math.ceil(PAN_REACH * width) + 2


@dataclass(frozen=True, eq=False)
class Plate:
    """The still ground everything else is painted on, of the canvas's size."""

    image: Image.Image

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Cover the canvas."""
        canvas.paste(self.image)


@dataclass(eq=False)
class Strip:
    """A band across the picture that moves with the camera: `margin` wider than it on both sides."""

    band: Band
    top: int
    depth: float
    sway: float = 0.0
    """Pixels of up and down, for swell."""
    beat: float = 0.0
    """Where in the swell it starts, in turns."""
    _phases: dict[int, Band] = field(default_factory=dict, repr=False)

    @property
    def image(self) -> Image.Image:
        """The band as an RGBA picture."""
        return self.band.image

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Paste at a quarter pixel's accuracy."""
        side = (self.band.width - canvas.width) // 2
        quarters = round(pan(canvas.width, self.depth, time) * 4.0)
        top = self.top
        if self.sway and time:
            top += round(
                self.sway * (math.sin((time / 3.4 + self.beat) * 2 * math.pi) - math.sin(self.beat * 2 * math.pi))
            )
        self._phase(quarters % 4).paste(canvas, quarters // 4 - side, top)

    def _phase(self, quarter: int) -> Band:
        """The band shifted by quarters of a pixel."""
        if not quarter:
            return self.band
        if quarter not in self._phases:
            parts = [_shifted(part, quarter / 4.0) for part in (self.band.colours, self.band.edge)]
            self._phases[quarter] = Band(*parts)
        return self._phases[quarter]


def _shifted(image: Image.Image, part: float) -> Image.Image:
    """The picture moved to the right by a part of a pixel."""
    if not image.height:
        return image
    moved = image.copy()
    moved.paste(image, (1, 0))
    return Image.blend(image, moved, part)


@dataclass(frozen=True)
class Motion:
    """How a sprite moves: pixels a second, pixels of bobbing, seconds a bob takes, and seconds of its own phase."""

    across: float = 0.0
    bob: float = 0.0
    period: float = 4.0
    cycle: float = 0.0
    start: float = 0.0
    wraps: bool = False
    reach: float = 0.0
    """How far it goes before it turns round, for what does not wrap."""


class Frames(Sequence[Image.Image]):
    """The phases of a sprite's own movement, each drawn when first asked for: a still needs one."""

    def __init__(self, count: int, draw: Callable[[int], Image.Image]) -> None:
        self._count, self._draw = count, draw
        self._made: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Image.Image: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Image.Image]: ...

    def __getitem__(self, number: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(number, slice):
            return [self[index] for index in range(self._count)[number]]
        if number not in range(self._count):
            raise IndexError(number)
        if number not in self._made:
            self._made[number] = self._draw(number)
        return self._made[number]


@dataclass(eq=False)
class Sprite:
    """A drawn thing in the scene: RGBA frames of its own movement, pasted at left, top."""

    frames: Sequence[Image.Image]
    left: float
    top: float
    depth: float
    motion: Motion = Motion()

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Paste the frame of this time where the thing is now."""
        image = self.frames[0]
        if len(self.frames) > 1 and self.motion.cycle:
            image = self.frames[int(time / self.motion.cycle * len(self.frames)) % len(self.frames)]
        x, y = self.place(canvas.width, time)
        canvas.paste(image, (round(x), round(y)), image)

    def place(self, width: int, time: float) -> tuple[float, float]:
        """Its left and top at a time."""
        motion = self.motion
        x = self.left + pan(width, self.depth, time)
        y = self.top
        if time:
            turn, start = time / motion.period * 2 * math.pi, motion.start * 2 * math.pi
            y += motion.bob * (math.sin(turn + start) - math.sin(start))
            if motion.wraps:
                room = width + self.frames[0].width
                x = (x + motion.across * time + self.frames[0].width) % room - self.frames[0].width
            elif motion.reach:
                x += motion.reach * math.sin(motion.across * time / motion.reach)
        return x, y


@dataclass(eq=False)
class Water:
    """Water from the horizon down: what is above it, mirrored, rippled and tinted."""

    horizon: int
    bottom: int
    tint: Image.Image
    """RGBA of the water's own colour, of the canvas's width."""
    strength: float
    glints: NDArray[np.int32]
    """Shape (n, 5): x, y, length, thickness and phase of the shining dashes."""
    shine: tuple[int, int, int]

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Mirror the canvas, shift each row by the ripple, lay the tint over it and the dashes on top."""
        width, rows = canvas.width, self.bottom - self.horizon
        above = np.asarray(canvas.crop((0, 0, width, self.horizon)))[::-1]
        pad = max(4, width // 24)
        padded = np.pad(above, ((0, 0), (pad, pad), (0, 0)), mode="edge")
        out = np.empty((rows, width, 3), np.uint8)
        for row in range(rows):
            near = (row + 1) / rows
            wave = math.sin(34.0 * math.sqrt(near) * 2.2 - time * 2.1) + 0.6 * math.sin(row * 0.9 + time * 3.3)
            shift = pad + round(wave * (0.6 + near * pad * 0.3))
            source = min(above.shape[0] - 1, round(row * 1.05 + wave * near * 3))
            out[row] = padded[max(0, source), shift : shift + width]
        mirrored = Image.fromarray(out)
        mirrored.paste(self.tint, (0, 0), self.tint)
        canvas.paste(mirrored, (0, self.horizon))
        for x, y, length, thickness, phase in self.glints.tolist():
            glow = math.sin(phase / 100.0 + time * 2.4)
            if glow > -0.2:
                half = int(length * (0.45 + 0.55 * max(0.0, glow))) // 2
                canvas.paste(self.shine, (x - half, y, x + half + 1, y + thickness))


@dataclass(eq=False)
class Falling:
    """Snow, rain or bubbles: small sprites on looping ways; drops has shape (n, 5): x, y, speed, sprite, phase."""

    sprites: list[Image.Image]
    drops: NDArray[np.float64]
    lean: float
    waver: float

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Paste each drop where it has fallen to."""
        width, height = canvas.size
        for x, y, speed, kind, phase in self.drops.tolist():
            sprite = self.sprites[int(kind)]
            room = height + sprite.height
            down = (y + speed * time + sprite.height) % room - sprite.height
            side = x + self.lean * speed * time + self.waver * math.sin(time * 1.3 + phase)
            canvas.paste(sprite, (round(side) % (width + sprite.width) - sprite.width, round(down)), sprite)


@dataclass(eq=False)
class Veil:
    """Fog, light rays or an aurora: a soft RGBA band wider than the picture that drifts and loops."""

    image: Image.Image
    top: int
    speed: float

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Paste twice, so that its ends meet."""
        shift = round(self.speed * time) % self.image.width
        canvas.paste(self.image, (-shift, self.top), self.image)
        if self.image.width - shift < canvas.width:
            canvas.paste(self.image, (self.image.width - shift, self.top), self.image)


@dataclass(eq=False)
class Flash:
    """Lightning: a bolt that is there at first and again every few seconds."""

    image: Image.Image
    period: float

    def paint(self, canvas: Image.Image, time: float) -> None:
        """Paste while the flash lasts."""
        if time % self.period < 0.28:
            canvas.paste(self.image, (0, 0), self.image)
