"""Scenes: a prompt composed once, drawn at any size and any point in time."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from opperlite.engine.pictures import decor, placement, prompt, raster, settings, sprites, weather
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.light import Light, light_of
from opperlite.engine.pictures.outlines import ellipse
from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.revisions import AS_IT_IS, Revision
from opperlite.engine.pictures.stage import DRAWN_ALONE, Stage
from opperlite.engine.pictures.symbols import Colour


@dataclass(frozen=True)
class Scene:
    """What a prompt asks to see."""

    reading: Reading
    seed: int
    style: str | None
    setting: str
    light: Light
    backlit: bool = False
    """True when the things are seen as dark shapes."""

    @property
    def words(self) -> tuple[str, ...]:
        """The motifs recognised, in the prompt's order."""
        return tuple(thing.motif for thing in self.reading.things)

    @property
    def weather(self) -> tuple[str, ...]:
        """Kinds of weather: rain, storm, snow, fog, wind, clear, cloudy, overcast, aurora, rainbow."""
        return self.reading.weather

    @property
    def time_of_day(self) -> str:
        """dawn, day, sunset, dusk or night; empty when the prompt does not say."""
        return self.reading.time_of_day

    @property
    def quoted(self) -> tuple[str, ...]:
        """The texts within quotation marks."""
        return self.reading.quoted

    @property
    def palette(self) -> tuple[Colour, ...]:
        """The main colours: sky from the top down, then those the prompt names."""
        named = tuple(thing.colour for thing in self.reading.things if thing.colour)
        return (self.light.top, self.light.middle, self.light.low, *self.reading.colours, *named)

    def renderer(
        self, width: int, height: int, *, transparent: bool = False, revision: Revision = AS_IT_IS
    ) -> "Renderer":
        """Draw everything that stays the same, for frames of one size."""
        return Renderer(self, width, height, transparent=transparent, revision=revision)

    def without(self, kinds: frozenset[str]) -> "Scene":
        """The scene without some of its weather, at the same place."""
        weather_ = tuple(kind for kind in self.reading.weather if kind not in kinds)
        reading = replace(self.reading, weather=weather_)
        return replace(self, reading=reading, light=light_of(reading, self.seed))

    def frame(self, width: int, height: int, *, time: float = 0.0, transparent: bool = False) -> Pixels:
        """The scene `time` seconds in, as RGB or, transparent, its things alone (or all of it in a disc) as RGBA."""
        return self.renderer(width, height, transparent=transparent).frame(time)


class Renderer:
    """A scene prepared for one picture size; frame is quick and may be asked for in any order of time."""

    def __init__(
        self, scene: Scene, width: int, height: int, *, transparent: bool = False, revision: Revision = AS_IT_IS
    ) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"the size is {width}x{height}; at least 1x1 is allowed")
        self.width, self.height, self.transparent = width, height, transparent
        stage = Stage(scene.reading, scene.light, scene.setting, width, height, scene.seed, without=revision.without)
        stage.backlit = scene.backlit
        settings.build(stage)
        if "fog" in scene.reading.weather:
            weather.fog(stage, 0, 225)
        self._badge = transparent and not scene.reading.things
        if transparent and not self._badge:
            stage.layers.clear()
        spots = placement.arrange(stage)
        if not transparent or self._badge:
            spots = decor.decorate(stage, spots) + spots
        self.spots = [new for spot in spots if (new := revision.spot(spot)) is not None]
        sprites.put(stage, sorted(self.spots, key=lambda spot: spot.order))
        if not transparent or self._badge:
            weather.fall(stage)
        self.layers = stage.layers

    def frame(self, time: float = 0.0) -> Pixels:
        """The picture `time` seconds in."""
        if self.transparent and not self._badge:
            return self._cut_out(time)
        canvas = Image.new("RGB", (self.width, self.height))
        for layer in self.layers:
            layer.paint(canvas, time)
        if self._badge:
            canvas.putalpha(self._disc())
        return np.array(canvas)

    def _disc(self) -> Image.Image:
        """What a scene without things is cut out by."""
        mask = Image.new("L", (self.width, self.height))
        x, y = self.width / 2, self.height / 2
        raster.fill(mask, [ellipse(x, y, x * 0.96, y * 0.96, 192)], (255,))
        return mask

    def _cut_out(self, time: float) -> Pixels:
        """The things alone: painted on black and on white, which tells colour and alpha apart exactly."""
        black, white = (Image.new("RGB", (self.width, self.height), (tone,) * 3) for tone in (0, 255))
        for layer in self.layers:
            layer.paint(black, time)
            layer.paint(white, time)
        dark, bright = np.array(black).astype(np.int32), np.array(white).astype(np.int32)
        alpha = np.clip(255 - (bright - dark).min(axis=2), 0, 255)
        colours = np.clip(dark * 255 // np.maximum(alpha, 1)[:, :, None], 0, 255)
        return np.dstack((colours, alpha)).astype(np.uint8)


@lru_cache(maxsize=64)
def compose(text: str, *, seed: int = 0, style: str | None = None) -> Scene:
    """Understand a prompt and decide where it takes place and in which light."""
    reading = prompt.read(text)
    if reading.things and "silhouette" in (style, *reading.styles):
        # Drawn dark from the start: a filter would take dark parts of the sky and the grass for shapes as well.
        styles = tuple(name for name in reading.styles if name != "silhouette")
        reading = replace(reading, styles=styles, time_of_day=reading.time_of_day or "sunset")
        style = None if style == "silhouette" else style
        return Scene(reading, seed, style, setting_of(reading), light_of(reading, seed), backlit=True)
    return Scene(reading, seed, style, setting_of(reading), light_of(reading, seed))


def setting_of(reading: Reading) -> str:
    """The setting named first, or else the home of the things named, or abstract for what is not understood."""
    named = [setting for setting in reading.settings if setting not in ("sky",)] or list(reading.settings)
    if named:
        telling = _most_telling(named)
        return "beach" if telling == "sea" and _needs_land(reading) else telling
    if reading.things and set(reading.styles) & DRAWN_ALONE and not (reading.weather or reading.time_of_day):
        return "studio"
    if "aurora" in reading.weather:
        return "snowfield" if reading.things else "mountains"
    if reading.things:
        homes = tables()["motif"]
        entries = [homes[thing.motif].values for thing in reading.things]
        # Who is on a boat is where the boat is.
        insisting = next(
            (
                values
                for thing, values in zip(reading.things, entries, strict=True)
                if values.get("insists") or (thing.relation == "on" and values.get("place") == "water")
            ),
            None,
        )
        if insisting:
            return str(insisting["home"])
        standing = [values for values in entries if values.get("place", "ground") != "sky"] or entries
        # A sofa beside a cat means a room, unless something is too large for one.
        if any(values["home"] == "room" for values in standing) and all(values["size"] <= 1.2 for values in standing):
            return "room"
        return str(standing[0]["home"])
    if reading.weather or reading.time_of_day or reading.season:
        return "mountains" if "aurora" in reading.weather or reading.season == "winter" else "meadow"
    return "abstract"


def _needs_land(reading: Reading) -> bool:
    """True when something named cannot be at sea."""
    entries = [tables()["motif"][thing.motif].values for thing in reading.things]
    return any(values.get("place", "ground") == "ground" and not values.get("rises") for values in entries)


def _most_telling(named: list[str]) -> str:
    """Of several places, one that shows the others too: a lake has its mountains, a meadow is everywhere."""
    for setting in ("underwater", "moonscape", "space", "room", "studio", "street", "beach", "lake", "sea"):
        if setting in named:
            return setting
    return next((setting for setting in named if setting not in ("meadow", "abstract")), named[0])
