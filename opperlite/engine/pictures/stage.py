"""The stage a scene is built on: what was read, the light, the picture's size and the layers so far."""

from dataclasses import dataclass, field
from typing import Final

from opperlite.engine.pictures.layers import Layer, margin
from opperlite.engine.pictures.light import Light, lit, mix
from opperlite.engine.pictures.noise import Stream, fingerprint
from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.symbols import Colour

DRAWN_ALONE: Final = frozenset(("blueprint", "stained", "mosaic"))
"""Styles whose things have no place around them unless the prompt names one."""


@dataclass(eq=False)
class Stage:
    """Collects layers back to front for one picture size."""

    reading: Reading
    light: Light
    setting: str
    width: int
    height: int
    seed: int
    horizon: int = 0
    """The row where sky and ground meet."""
    shore: int = 0
    """The row where water meets the near ground; the height when there is none."""
    behind: int = 0
    """How many layers lie behind what is far up in the sky; 0 when all do."""
    layers: list[Layer] = field(default_factory=list)
    without: frozenset[str] = frozenset()
    """Things of the place itself that are left out."""
    backlit: bool = False
    """True when things are dark shapes before the light."""

    @property
    def unit(self) -> float:
        """What sizes are measured by: the smaller side, stretched a little in long pictures."""
        short, long = sorted((self.width, self.height))
        return float(min(long, short * 1.25))

    @property
    def wide(self) -> int:
        """The width of bands that move with the camera."""
        return self.width + 2 * margin(self.width)

    def stream(self, *parts: object) -> Stream:
        """Chance for one part of the scene."""
        return Stream(self.seed, self.reading.text, *parts)

    def number(self, *parts: object) -> int:
        """A seed for one part's noise."""
        return fingerprint(self.seed, self.reading.text, *parts)

    def tone(self, colour: Colour, distance: float) -> Colour:
        """A surface's colour in this light, `distance` (0 near, 1 far) deep in the haze."""
        return mix(lit(colour, self.light.ambient), self.light.haze, distance)

    def land(self, colour: Colour) -> Colour:
        """A ground colour by the prompt's wish and season."""
        tint = self.reading.tints.get("ground_tint")
        if tint:
            return mix(colour, tint, 0.8)
        extra = self.reading.colours
        return mix(colour, extra[-1], 0.28) if extra else colour

    @property
    def alone(self) -> bool:
        """True when things fill the picture flat, with nothing around them."""
        return self.setting == "studio" and bool(set(self.reading.styles) & DRAWN_ALONE)

    @property
    def snowy(self) -> bool:
        """True when the ground lies under snow."""
        return "snow" in self.reading.weather or self.reading.season == "winter"
