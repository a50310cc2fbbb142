"""Light that changes over a clip: day that turns to night, a sun that rises or sets, else a gentle drift."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.clips import motion
from opperlite.engine.clips.motion import Planes
from opperlite.engine.clips.video_writer import ColorConverter
from opperlite.engine.pictures import gradients, layers, lexicon, raster, skies
from opperlite.engine.pictures.light import light_of, mix, scale
from opperlite.engine.pictures.outlines import ellipse
from opperlite.engine.pictures.scene import Scene
from opperlite.engine.pictures.settings import HORIZONS
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour

Course = tuple[str, ...]
"""Hours of the day, keys of the vocabulary, that a clip goes through in order."""

_CIRCLE: Final = ("night", "dawn", "day", "sunset", "dusk")
_SUN_HEIGHT: Final = {"night": -0.5, "dawn": 0.14, "day": 0.62, "sunset": 0.3, "dusk": -0.14}
_MOON_HEIGHT: Final = {"night": 0.7, "dawn": 0.2, "day": -0.4, "sunset": -0.2, "dusk": 0.25}
_FAR_OFF: Final = 40.0
"""A height at which no sun is seen: far above the picture, or below it."""
_SKYLESS: Final = ("underwater", "space", "room", "studio", "abstract", "moonscape")


@dataclass(frozen=True)
class _Words:
    becoming: frozenset[str]
    filling: frozenset[str]
    lapse: re.Pattern[str]
    events: tuple[tuple[re.Pattern[str], Course], ...]


@cache
def _words() -> _Words:
    table = tomllib.loads(Path(__file__).with_name("daylight.toml").read_text("utf-8"))
    return _Words(
        frozenset(table["becoming"].split()),
        frozenset(table["filling"].split()),
        _any_of(table["lapse"]),
        tuple(
            (_any_of(phrases, table["standing"]), tuple(hours.split())) for hours, phrases in table["events"].items()
        ),
    )


def _any_of(phrases: str, unless: str = "") -> re.Pattern[str]:
    """One of some phrases, unless one of some words stands before it."""
    free = "".join(rf"(?<!\b{word}\s)" for word in unless.split())
    return re.compile(free + r"\b(" + "|".join(map(re.escape, phrases.split(", "))) + r")\b", re.IGNORECASE)


def course(text: str, shown: Scene) -> Course:
    """The hours a prompt wants to pass; none when it asks for no change."""
    plain = text
    for quoted in shown.quoted:
        plain = plain.replace(quoted, " ")
    passing = _passing(plain, shown.reading.language)
    if passing:
        return passing
    hour = shown.time_of_day
    if _words().lapse.search(plain):
        return _between(hour or "day", "day" if hour in ("night", "dusk") else "night")
    return next((hours for event, hours in _words().events if event.search(plain)), ())


def _passing(plain: str, language: str) -> Course:
    """The hours named one after another as becoming each other."""
    hours: list[str] = []
    between: list[str] = []
    for match in lexicon.matches(re.sub("->|→", " to ", plain), language):
        time = match.of("time")
        if time is None:
            between += match.folded.split()
            continue
        words, said = _words(), set(between)
        linked = words.becoming & said and said <= words.becoming | words.filling
        if hours and linked and time.key != hours[-1]:
            hours += _between(hours[-1], time.key)[1:]
        elif len(hours) < 2:
            hours = [time.key]
        between = []
    return tuple(hours) if len(hours) > 1 else ()


def _between(first: str, last: str) -> Course:
    """The hours from one to another, onwards; dusk is left out between sunset and night, which it resembles."""
    begin, steps = _CIRCLE.index(first), (_CIRCLE.index(last) - _CIRCLE.index(first)) % len(_CIRCLE)
    hours = [_CIRCLE[(begin + step) % len(_CIRCLE)] for step in range(steps + 1)]
    return tuple(hour for hour in hours if hour != "dusk" or hour in (first, last) or "sunset" not in hours)


@dataclass(eq=False)
class Orb(layers.Sprite):
    """The sun or the moon on its way up or down."""

    way: Callable[[float], float] = float
    """Its top in pixels at a time."""

    def place(self, width: int, time: float) -> tuple[float, float]:
        """Its left and top at a time."""
        return self.left + layers.pan(width, self.depth, time), self.way(time)


@dataclass(frozen=True)
class Turning:
    """A scene whose light changes during some seconds: at each hour of its course a scene of its own."""

    shown: Scene
    hours: Course
    seconds: float

    def place(self, time: float) -> tuple[int, float]:
        """Which two hours a time lies between, and how far from the first to the second."""
        position = _gentle(time / max(self.seconds, 1e-9)) * (len(self.hours) - 1)
        number = min(int(position), len(self.hours) - 2)
        return number, position - number

    def layers(self, number: int, width: int, height: int) -> list[layers.Layer]:
        """The scene's layers at an hour, its sun or moon on the way."""
        hour = self.hours[number]
        things = tuple(thing for thing in self.shown.reading.things if thing.motif not in ("sun", "moon"))
        reading = replace(self.shown.reading, time_of_day=hour, things=things)
        light = light_of(reading, self.shown.seed)
        hidden = replace(light, sun_height=-_FAR_OFF if light.sun_height < 0.3 else _FAR_OFF)
        drawn = replace(self.shown, reading=reading, light=hidden).renderer(width, height).layers
        if drawn and self.shown.setting not in _SKYLESS and (light.sun_seen or light.night):
            stage = Stage(reading, light, self.shown.setting, width, height, self.shown.seed)
            stage.horizon = round(height * HORIZONS.get(stage.setting, 0.56))
            drawn.insert(1, self._orb(stage))
        return drawn

    def _orb(self, stage: Stage) -> Orb:
        heights = [(_MOON_HEIGHT if stage.light.night else _SUN_HEIGHT)[hour] for hour in self.hours]
        x, _ = skies.sun_place(stage)
        if stage.light.night:
            x = stage.width - x
        image = _shining(stage)

        def way(time: float) -> float:
            number, share = self.place(time)
            height = heights[number] + (heights[number + 1] - heights[number]) * share
            return stage.horizon * (1.0 - height) - image.height / 2

        return Orb([image], x - image.width / 2, 0.0, 0.0, way=way)


def _shining(stage: Stage) -> Image.Image:
    """The sun with its glow, or the moon."""
    light = stage.light
    radius = stage.unit * (0.042 if light.night else 0.055)
    extent = round(radius * 6)
    image = gradients.radial(extent, light.sun, 120 if light.night else 170, 1.8)
    disc = mix(light.sun, (255, 255, 255), 0.35)
    middle = image.width / 2
    raster.fill(image, [ellipse(middle, middle, radius, radius, 96)], (*disc, 255))
    if light.night:
        for dx, dy, part in ((-0.35, -0.2, 0.22), (0.3, 0.25, 0.28), (0.15, -0.45, 0.14), (-0.3, 0.42, 0.16)):
            spot = ellipse(middle + dx * radius, middle + dy * radius, part * radius, part * radius)
            raster.fill(image, [spot], (*scale(light.sun, 0.84), 255))
    return image


def _gentle(share: float) -> float:
    """0 to 1 that starts and ends slowly."""
    x = min(max(share, 0.0), 1.0)
    return x * x * (3 - 2 * x) * 0.5 + x * 0.5


_DRIFTS: Final[dict[str, tuple[float, Colour, Colour]]] = {
    "dawn": (0.16, (196, 218, 255), (255, 244, 214)),
    "day": (0.07, (120, 165, 225), (255, 226, 170)),
    "sunset": (0.24, (38, 24, 70), (120, 52, 30)),
    "dusk": (0.26, (10, 14, 44), (28, 24, 60)),
    "night": (0.10, (6, 10, 34), (24, 36, 74)),
}
"""How light at an hour goes on: by how much, and towards which colours at the top and at the foot."""
_WHOLE_SECONDS: Final = 5.0
"""Clips shorter than this go only a part of the way."""


class Drift:
    """The light that goes on as at the scene's hour: morning brightens, evening darkens and reddens."""

    def __init__(self, shown: Scene, width: int, height: int, seconds: float) -> None:
        reach, top, foot = _DRIFTS[shown.time_of_day or ("night" if shown.light.night else "day")]
        self._seconds = max(seconds, 1e-9)
        self._reach = reach * min(1.0, seconds / _WHOLE_SECONDS)
        ahead = gradients.column(width, height, [(0.0, top), (1.0, foot)])
        self._ahead = Image.fromarray(np.asarray(ColorConverter()(np.asarray(ahead)).to_ndarray(), np.uint8))

    def applied(self, planes: Planes, time: float) -> Planes:
        """The planes of a frame in the light of a time: a fresh array."""
        out = np.empty_like(planes)
        motion.view(out).paste(
            Image.blend(Image.fromarray(planes), self._ahead, _gentle(time / self._seconds) * self._reach)
        )
        return out
