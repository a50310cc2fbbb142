"""Edits: what a prompt's words do to a picture that is already there."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from opperlite.engine.pictures import placement, prompt, scene, skies, sprites, styles, weather
from opperlite.engine.pictures.adjustments import (
    ADJUSTMENTS,
    HOUR_STEPS,
    MOOD_STEPS,
    SEASON_STEPS,
    WEATHER_STEPS,
    Step,
    place_tint,
    sky_tint,
    subject_tint,
    tint,
)
from opperlite.engine.pictures.layers import Layer
from opperlite.engine.pictures.light import HOURS, Light
from opperlite.engine.pictures.noise import fingerprint
from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.prompt import Reading, Thing
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.scene import Scene
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import luma
from opperlite.engine.pictures.wearing import Head, worn

GEOMETRY: Final = frozenset(("rotate", "upside_down", "mirror", "flip_vertical", "crop", "zoom_out"))
"""Edits that move pixels to other places; `shaped` makes them."""

_TO: Final = ("to", "on")
"""How what gets something is named: "add a hat to the cat", "put a hat on the cat"."""

_GIVING: Final = re.compile(r"\s*(?:please\s+)?(?:give|gib|gebt|donne|donnez|dale|ge)\b", re.I)
"""How a prompt begins that names the one who gets something first: "give the cat a hat"."""

_TURNED_BY_WEATHER: Final = ("rain", "storm", "snow", "fog", "leaves")


@dataclass(frozen=True)
class Editor:
    """A prompt's changes, ready to be applied to any number of frames."""

    reading: Reading
    seed: int
    _overlays: dict[tuple[int, int, bool], list[Layer]] = field(default_factory=dict, compare=False, repr=False)

    def apply(self, frame: Pixels, time: float = 0.0) -> Pixels:
        """The frame, of the same size, as the prompt wants it; `time` moves what falls and what was added."""
        colours = Image.fromarray(np.ascontiguousarray(frame[:, :, :3]))
        for step in self.steps:
            colours = step(colours)
        for layer in self._layers(colours):
            layer.paint(colours, time)
        out = np.array(colours)
        for style in self.reading.styles:
            out = styles.apply(out, style, fingerprint(self.seed, style))
        return np.dstack((out, frame[:, :, 3])) if frame.shape[2] == 4 else out

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The changes of colour and sharpness, in order."""
        reading = self.reading
        found: list[Step] = []
        if reading.season:
            found.append(SEASON_STEPS[reading.season])
        found += [WEATHER_STEPS[kind] for kind in reading.weather if kind in WEATHER_STEPS]
        if reading.time_of_day:
            found.append(HOUR_STEPS[reading.time_of_day])
        found += [MOOD_STEPS[mood] for mood in reading.moods if mood in MOOD_STEPS]
        if not reading.things and reading.settings and not set(reading.edits) - {"add", "change"}:
            found.append(place_tint(reading))
        tinted = subject_tint if "recolour" in reading.edits else tint
        sky = reading.tints.get("sky_tint")
        found += [sky_tint(sky)] if sky else []
        found += [tinted(colour) for colour in reading.colours]
        found += [tint(colour) for part, colour in reading.tints.items() if part != "sky_tint"]
        found += [ADJUSTMENTS[name] for name in reading.edits if name in ADJUSTMENTS]
        return tuple(found)

    @property
    def idle(self) -> bool:
        """True when the words change nothing this engine knows how to change."""
        asked = set(self.reading.edits) - {"add", "change"}
        return not (self.steps or self.reading.things or self.reading.styles or asked or _falls(self.reading))

    def _layers(self, image: Image.Image) -> list[Layer]:
        dim = luma(scaled(image, (1, 1), Image.Resampling.BOX).getpixel((0, 0))) < 70  # type: ignore[arg-type]
        key = (*image.size, dim)
        if key not in self._overlays:
            self._overlays.clear()
            self._overlays[key] = overlays(self.reading, image.size, self.seed, dim=dim)
        return self._overlays[key]


def editor(text: str, *, seed: int = 0) -> Editor:
    """Understand an edit's prompt."""
    return Editor(_commanded(prompt.read(text)), seed)


def _commanded(reading: Reading) -> Reading:
    """Read as a command: what is to be removed is not to be added."""
    edits = set(reading.edits)
    reading = _parts(reading, edits)
    if "remove" in edits and reading.weather and not reading.things:
        return replace(reading, weather=("clear",), edits=tuple(edit for edit in reading.edits if edit != "remove"))
    if {"remove", "remove_background"} & edits:
        return replace(reading, things=(), weather=())
    if "replace" in edits:
        # "replace the house with a castle": the first is there already.
        return replace(reading, things=tuple(_modest(thing) for thing in reading.things[1:]))
    if "add" in edits:
        # "add a hat to the cat": what stands after "to" is there already.
        there = _receiver(reading)
        reading = replace(reading, things=tuple(thing for thing in reading.things if thing is not there))
    if "change" in edits and "add" not in edits and reading.things:
        # "make the car blue" means the car that is there.
        wished = tuple(thing.colour for thing in reading.things if thing.colour)
        return replace(reading, things=(), colours=(reading.colours or wished)[-1:], edits=(*reading.edits, "recolour"))
    return replace(reading, things=tuple(_modest(thing) for thing in reading.things))


def _parts(reading: Reading, edits: set[str]) -> Reading:
    """A colour wished for the sky or the background means those parts, not another place."""
    if "change" not in edits or not reading.colours:
        return reading
    colour = reading.colours[-1]
    if "sky" in reading.settings:
        others = tuple(setting for setting in reading.settings if setting != "sky")
        return replace(reading, settings=others, colours=(), tints={**reading.tints, "sky_tint": colour})
    if "abstract" in reading.settings:
        return replace(reading, settings=("studio",), colours=(), backdrop=colour)
    return reading


def _modest(thing: Thing) -> Thing:
    """What is added leaves room for what is there: smaller, and in front."""
    return replace(thing, size=thing.size * 0.5, relation=thing.relation or "front")


def overlays(reading: Reading, size: tuple[int, int], seed: int, *, dim: bool = False) -> list[Layer]:
    """The layers an edit lays over a picture: things, and what falls."""
    stage = _stage(reading, size, seed, dim=dim)
    if "storm" in reading.weather:
        skies.bolt(stage)
    if reading.things:
        sprites.put(stage, placement.arrange(stage))
    if _falls(reading):
        weather.fall(stage)
    return stage.layers


def _falls(reading: Reading) -> bool:
    return bool(reading.season in ("autumn", "winter", "spring") or set(reading.weather) & set(_TURNED_BY_WEATHER))


def _stage(reading: Reading, size: tuple[int, int], seed: int, *, dim: bool) -> Stage:
    light: Light = HOURS[reading.time_of_day or ("night" if dim else "day")]
    if dim and not reading.time_of_day:
        light = replace(light, ambient=(170, 176, 206))
    width, height = size
    return Stage(reading, light, "meadow", width, height, seed, round(height * 0.55), height)


def shaped(reading: Reading, image: Image.Image) -> Image.Image:
    """Turn, mirror, crop or widen as the words say; the size may change."""
    for name in reading.edits:
        if name == "rotate":
            image = _rotated(reading, image)
        elif name == "upside_down":
            image = image.transpose(Image.Transpose.ROTATE_180)
        elif name == "mirror" and "flip_vertical" not in reading.edits:
            image = ImageOps.mirror(image)
        elif name == "flip_vertical":
            image = ImageOps.flip(image)
        elif name == "crop":
            image = _cropped(reading, image)
        elif name == "zoom_out":
            image = _widened(image)
    return image


def _rotated(reading: Reading, image: Image.Image) -> Image.Image:
    degrees = reading.numbers[0] if reading.numbers else 90
    clockwise = "left_side" not in reading.edits
    turn = (-degrees if clockwise else degrees) % 360
    exact = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    if turn in exact:
        return image.transpose(exact[turn])
    return image.rotate(turn, Image.Resampling.BICUBIC, fillcolor=_corner(image))


def _corner(image: Image.Image) -> tuple[int, ...]:
    pixel = image.getpixel((0, 0))
    return pixel if isinstance(pixel, tuple) else (0, 0, 0)


def _cropped(reading: Reading, image: Image.Image) -> Image.Image:
    width, height = image.size
    edits = set(reading.edits)
    if "square" in edits:
        side = min(width, height)
        return image.crop(((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2))
    left, right = (
        (0, width // 2) if "left_side" in edits else (width // 2, width) if "right_side" in edits else (0, width)
    )
    top, bottom = (
        (0, height // 2) if "top_side" in edits else (height // 2, height) if "bottom_side" in edits else (0, height)
    )
    if (left, right, top, bottom) == (0, width, 0, height):
        left, top = width // 5, height // 5
        right, bottom = width - left, height - top
    return image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))


def _widened(image: Image.Image) -> Image.Image:
    """The picture smaller in the middle of its own softened, mirrored surroundings."""
    width, height = image.size
    inner = scaled(image, (max(1, width * 5 // 8), max(1, height * 5 // 8)))
    x, y = (width - inner.width) // 2, (height - inner.height) // 2
    padded = np.pad(
        np.asarray(inner), ((y, height - inner.height - y), (x, width - inner.width - x), (0, 0)), mode="symmetric"
    )
    out = Image.fromarray(padded).filter(ImageFilter.BoxBlur(max(1.0, min(width, height) / 60)))
    out.paste(inner, (x, y))
    return out


def background(reading: Reading, text: str, seed: int) -> Scene | None:
    """The scene an edit wants behind the subject, when it names a place."""
    if not reading.settings or set(reading.edits) - {"add", "change", "remove_background"}:
        return None
    found = scene.compose(text, seed=seed)
    plain = replace(found.reading, things=())
    if reading.backdrop:
        return replace(found, setting="studio", reading=replace(plain, tints={"ground_tint": reading.backdrop}))
    return replace(found, reading=plain)


def anchor(text: str) -> str | None:
    """The motif that something is to be added to, when the prompt names one."""
    reading = prompt.read(text)
    if "add" not in reading.edits or {"remove", "replace"} & set(reading.edits):
        return None
    there = _receiver(reading)
    return there.motif if there else None


def _receiver(reading: Reading) -> Thing | None:
    """What is there already and gets the other things."""
    named = next((thing for thing in reading.things[1:] if thing.relation in _TO), None)
    if named is None and len(reading.things) > 1 and _GIVING.match(reading.text):
        return reading.things[0]
    return named


def things_worn(reading: Reading, image: Image.Image, seed: int, wearer: Head) -> list[Layer]:
    """The things alone, on or beside what has this head."""
    dim = luma(scaled(image, (1, 1), Image.Resampling.BOX).getpixel((0, 0))) < 70  # type: ignore[arg-type]
    return worn(_stage(reading, image.size, seed, dim=dim), reading.things, wearer)


def things_within(reading: Reading, size: tuple[int, int], seed: int) -> list[Layer]:
    """The things alone, filling a box of this size: for a masked region."""
    boxed = replace(reading, settings=(), things=tuple(_calm(thing) for thing in reading.things))
    stage = replace(_stage(boxed, size, seed, dim=False), setting="studio")
    sprites.put(stage, placement.arrange(stage))
    return stage.layers


def _calm(thing: Thing) -> Thing:
    return replace(thing, size=1.8, relation="")
