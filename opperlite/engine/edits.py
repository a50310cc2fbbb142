"""Edits: what a prompt's words do to a picture that is already there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from opperlite.engine import placement, prompt, scene, styles, subjects, weather
from opperlite.engine.layers import Layer
from opperlite.engine.light import HOURS, Light
from opperlite.engine.noise import fingerprint
from opperlite.engine.pixels import Pixels
from opperlite.engine.prompt import Reading, Thing
from opperlite.engine.scene import Scene
from opperlite.engine.settings import SNOW
from opperlite.engine.stage import Stage
from opperlite.engine.symbols import Colour, luma

Step = Callable[[Image.Image], Image.Image]

GEOMETRY: Final = frozenset(("rotate", "upside_down", "mirror", "flip_vertical", "crop", "zoom_out"))

_TURNED_BY_WEATHER: Final = ("rain", "storm", "snow", "fog")


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
            found.append(_SEASONS[reading.season])
        found += [_WEATHER[kind] for kind in reading.weather if kind in _WEATHER]
        if reading.time_of_day:
            found.append(_HOURS[reading.time_of_day])
        found += [_MOODS[mood] for mood in reading.moods if mood in _MOODS]
        if not reading.things and reading.settings and not set(reading.edits) - {"add", "change"}:
            found.append(_place_tint(reading))
        tint = _subject_tint if "recolour" in reading.edits else _tint
        found += [tint(colour) for colour in (*reading.colours, *reading.tints.values())]
        found += [_ADJUSTMENTS[name] for name in reading.edits if name in _ADJUSTMENTS]
        return tuple(found)

    @property
    def idle(self) -> bool:
        """True when the words change nothing this engine knows how to change."""
        asked = set(self.reading.edits) - {"add", "change"}
        return not (self.steps or self.reading.things or self.reading.styles or asked or _falls(self.reading))

    def _layers(self, image: Image.Image) -> list[Layer]:
        dim = luma(image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))) < 70  # type: ignore[arg-type]
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
    if {"remove", "remove_background"} & edits:
        return replace(reading, things=())
    if "change" in edits and "add" not in edits and reading.things:
        # "make the car blue" means the car that is there.
        wished = tuple(thing.colour for thing in reading.things if thing.colour)
        return replace(reading, things=(), colours=(reading.colours or wished)[-1:], edits=(*reading.edits, "recolour"))
    return replace(reading, things=tuple(_modest(thing) for thing in reading.things))


def _modest(thing: Thing) -> Thing:
    """What is added leaves room for what is there: smaller, and in front."""
    return replace(thing, size=thing.size * 0.5, relation=thing.relation or "front")


def overlays(reading: Reading, size: tuple[int, int], seed: int, *, dim: bool = False) -> list[Layer]:
    """The layers an edit lays over a picture: things, and what falls."""
    stage = _stage(reading, size, seed, dim=dim)
    if reading.things:
        placement.put(stage, placement.arrange(stage))
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
    inner = image.resize((max(1, width * 5 // 8), max(1, height * 5 // 8)), Image.Resampling.BICUBIC)
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
    return replace(scene.compose(text, seed=seed), reading=replace(prompt.read(text), things=()))


def _points(image: Image.Image, red: list[int], green: list[int], blue: list[int]) -> Image.Image:
    return image.point([min(255, max(0, value)) for value in (*red, *green, *blue)])


def _curve(red: float, green: float, blue: float, lift: float = 0.0, contrast: float = 1.0) -> Step:
    """Scale each channel, then contrast about the middle, then lift."""

    def table(factor: float) -> list[int]:
        return [round((value * factor - 128) * contrast + 128 + lift) for value in range(256)]

    tables = (table(red), table(green), table(blue))
    return lambda image: _points(image, *tables)


def _saturation(factor: float) -> Step:
    return lambda image: styles.saturated(image, factor)


def _chain(*steps: Step) -> Step:
    def run(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return run


def _tint(colour: Colour) -> Step:
    """Colour the picture, keeping its lights and darks; white and black mean lightness."""
    if max(colour) - min(colour) < 24:
        lightness = luma(colour)
        return _curve(1, 1, 1, (lightness - 128) / 3, 0.85)

    def run(image: Image.Image) -> Image.Image:
        dark = (colour[0] // 6, colour[1] // 6, colour[2] // 6)
        light = (255 - (255 - colour[0]) // 5, 255 - (255 - colour[1]) // 5, 255 - (255 - colour[2]) // 5)
        return Image.blend(image, ImageOps.colorize(image.convert("L"), dark, light, colour), 0.5)

    return run


def _subject_tint(colour: Colour) -> Step:
    """Colour what the picture shows and leave its surroundings; all of it when they cannot be told apart."""
    tint = _tint(colour)

    def run(image: Image.Image) -> Image.Image:
        mask = subjects.subject(np.asarray(image))
        if not 0.01 < float((mask > 127).mean()) < 0.8:
            return tint(image)
        out = image.copy()
        out.paste(tint(tint(image)), (0, 0), Image.fromarray(mask))
        return out

    return run


def _gradient(colour: Colour, strength: int, *, falling: bool = True) -> Step:
    """A colour laid over the picture, strongest at the top (or the foot)."""

    def run(image: Image.Image) -> Image.Image:
        rows = [
            strength * (image.height - row if falling else row) // max(1, image.height) for row in range(image.height)
        ]
        mask = Image.frombytes("L", (1, image.height), bytes(rows)).resize(image.size)
        image = image.copy()
        image.paste(colour, (0, 0), mask)
        return image

    return run


def _autumn(image: Image.Image) -> Image.Image:
    """Greens become ochre and red."""
    pixels = np.asarray(image, np.int32)
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    green_part = np.clip((green - np.maximum(red, blue) + 14) * 5, 0, 255)
    target = np.stack((np.clip(green * 5 // 4 + 26, 0, 255), green * 3 // 5 + red // 8, blue // 3), axis=2)
    out = pixels + (target - pixels) * green_part[:, :, None] // 255
    return _curve(1.04, 1.0, 0.93)(Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)))


def _winter(image: Image.Image) -> Image.Image:
    """Snow on what is green, brown or bright below, and cold light."""
    pixels = np.asarray(image, np.int32)
    grey = (pixels[:, :, 0] * 77 + pixels[:, :, 1] * 150 + pixels[:, :, 2] * 29) >> 8
    warmth = np.clip((np.maximum(pixels[:, :, 0], pixels[:, :, 1]) - pixels[:, :, 2] + 4) * 4, 0, 255)
    low = np.clip((np.arange(image.height)[:, None] * 3 - image.height) * 255 // max(1, image.height), 40, 215)
    part = (warmth * low // 255)[:, :, None]
    snow = np.array(SNOW) * (grey[:, :, None] + 150) // 360
    out = pixels + (np.clip(snow, 0, 255) - pixels) * part // 255
    return _chain(_saturation(0.72), _curve(0.95, 1.0, 1.08, 6))(Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)))


def _place_tint(reading: Reading) -> Step:
    """The cast of a place: named without things it colours the picture."""
    light = scene.compose(reading.text).light
    return _gradient(light.middle, 96)


def _grainy(image: Image.Image) -> Image.Image:
    return styles.textured(image, styles.grain(image, 5), 70)


def _glowing(image: Image.Image) -> Image.Image:
    from PIL import ImageChops

    reach = max(2.0, min(image.size) / 50)
    bright = image.point([max(0, value - 120) * 3 // 2 for value in range(256)] * 3).filter(ImageFilter.BoxBlur(reach))
    return ImageChops.screen(image, bright.filter(ImageFilter.BoxBlur(reach)))


def _blurred(image: Image.Image) -> Image.Image:
    reach = max(1.5, min(image.size) / 70)
    return image.filter(ImageFilter.BoxBlur(reach)).filter(ImageFilter.BoxBlur(reach))


def _framed(image: Image.Image) -> Image.Image:
    """A wooden frame and a mount, within the picture's size."""
    width, height = image.size
    rim, mount = max(2, min(width, height) // 28), max(2, min(width, height) // 22)
    out = Image.new("RGB", image.size, (88, 58, 36))
    out.paste((122, 84, 52), (0, 0, width, max(1, rim // 3)))
    out.paste((246, 243, 236), (rim, rim, max(rim + 1, width - rim), max(rim + 1, height - rim)))
    edge = rim + mount
    if width > 2 * edge and height > 2 * edge:
        out.paste(image.resize((width - 2 * edge, height - 2 * edge), Image.Resampling.BICUBIC), (edge, edge))
    return out


_HOURS: Final[dict[str, Step]] = {
    "day": _curve(1.04, 1.04, 1.02, 8),
    "dawn": _chain(_curve(1.08, 0.97, 0.92, 4, 0.94), _gradient((255, 190, 170), 90)),
    "sunset": _chain(_curve(1.16, 0.9, 0.72, 0, 1.05), _gradient((255, 120, 60), 92)),
    "dusk": _chain(_curve(0.72, 0.66, 0.92), _gradient((70, 50, 120), 80)),
    "night": _chain(_saturation(0.7), _curve(0.42, 0.5, 0.76, 0, 1.0), _gradient((8, 12, 44), 110)),
}
_SEASONS: Final[dict[str, Step]] = {
    "spring": _chain(_curve(1.03, 1.06, 0.98, 6), _saturation(1.2)),
    "summer": _chain(_curve(1.07, 1.04, 0.92, 6), _saturation(1.22)),
    "autumn": _autumn,
    "winter": _winter,
}
_WEATHER: Final[dict[str, Step]] = {
    "clear": _chain(_curve(1.08, 1.06, 0.98, 6, 1.06), _saturation(1.15)),
    "overcast": _chain(_saturation(0.55), _curve(0.92, 0.95, 1.0)),
    "cloudy": _chain(_saturation(0.85), _gradient((236, 240, 246), 70)),
    "rain": _chain(_saturation(0.6), _curve(0.72, 0.78, 0.88)),
    "storm": _chain(_saturation(0.5), _curve(0.5, 0.55, 0.66, 0, 1.1)),
    "snow": _winter,
    "fog": _chain(_saturation(0.6), _curve(1, 1, 1, 26, 0.7)),
    "aurora": _gradient((60, 255, 160), 120),
}
_MOODS: Final[dict[str, Step]] = {
    "calm": _curve(1, 1, 1, 8, 0.9),
    "dramatic": _chain(_curve(1, 1, 1, -6, 1.3), lambda image: styles.vignette(image, 0)),
    "dark": _chain(_curve(0.6, 0.58, 0.68, 0, 1.12), lambda image: styles.vignette(image, 0, 190)),
    "happy": _chain(_saturation(1.3), _curve(1.04, 1.03, 1.0, 8)),
    "dreamy": _chain(_glowing, _curve(1.04, 0.98, 1.08, 8, 0.92)),
    "romantic": _chain(_glowing, _curve(1.08, 0.98, 0.98)),
    "melancholic": _chain(_saturation(0.6), _curve(0.9, 0.95, 1.06)),
    "warm": _curve(1.1, 1.01, 0.86),
    "cold": _curve(0.88, 0.98, 1.12),
}
_ADJUSTMENTS: Final[dict[str, Step]] = {
    "blur": _blurred,
    "sharpen": lambda image: image.filter(ImageFilter.UnsharpMask(max(1.0, min(image.size) / 400), 140, 2)),
    "upscale": lambda image: image.filter(ImageFilter.UnsharpMask(max(1.0, min(image.size) / 600), 70, 3)),
    "brighter": _curve(1.12, 1.12, 1.12, 16),
    "darker": _curve(0.66, 0.66, 0.66),
    "warmer": _curve(1.1, 1.01, 0.84),
    "cooler": _curve(0.86, 0.98, 1.12),
    "contrast": _curve(1, 1, 1, 0, 1.4),
    "saturate": _saturation(1.6),
    "fade": _chain(_saturation(0.6), _curve(1, 1, 1, 18, 0.8)),
    "invert": ImageOps.invert,
    "vignette": lambda image: styles.vignette(image, 0, 200),
    "frame": _framed,
    "grain": _grainy,
    "glow": _glowing,
}


def things_within(reading: Reading, size: tuple[int, int], seed: int) -> list[Layer]:
    """The things alone, filling a box of this size: for a masked region."""
    boxed = replace(reading, settings=(), things=tuple(_calm(thing) for thing in reading.things))
    stage = replace(_stage(boxed, size, seed, dim=False), setting="studio")
    placement.put(stage, placement.arrange(stage))
    return stage.layers


def _calm(thing: Thing) -> Thing:
    return replace(thing, size=1.8, relation="")
