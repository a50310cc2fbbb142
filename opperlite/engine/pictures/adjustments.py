"""What edits change of colour, light and sharpness."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from opperlite.engine.pictures import scene, subjects, textures, toning
from opperlite.engine.pictures.countryside import SNOW
from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.symbols import Colour, luma

Step = Callable[[Image.Image], Image.Image]


def _points(image: Image.Image, red: list[int], green: list[int], blue: list[int]) -> Image.Image:
    return image.point([min(255, max(0, value)) for value in (*red, *green, *blue)])


def _curve(red: float, green: float, blue: float, lift: float = 0.0, contrast: float = 1.0) -> Step:
    """Scale each channel, then contrast about the middle, then lift."""

    def table(factor: float) -> list[int]:
        return [round((value * factor - 128) * contrast + 128 + lift) for value in range(256)]

    tables = (table(red), table(green), table(blue))
    return lambda image: _points(image, *tables)


def _saturation(factor: float) -> Step:
    return lambda image: textures.saturated(image, factor)


def _chain(*steps: Step) -> Step:
    def run(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return run


def tint(colour: Colour) -> Step:
    """Colour the picture, keeping its lights and darks; white and black mean lightness."""
    if max(colour) - min(colour) < 24:
        lightness = luma(colour)
        return _curve(1, 1, 1, (lightness - 128) / 3, 0.85)

    def run(image: Image.Image) -> Image.Image:
        dark = (colour[0] // 6, colour[1] // 6, colour[2] // 6)
        light = (255 - (255 - colour[0]) // 5, 255 - (255 - colour[1]) // 5, 255 - (255 - colour[2]) // 5)
        return Image.blend(image, ImageOps.colorize(image.convert("L"), dark, light, colour), 0.5)

    return run


def subject_tint(colour: Colour) -> Step:
    """Colour what the picture shows and leave its surroundings; all of it when they cannot be told apart."""
    coloured = tint(colour)

    def run(image: Image.Image) -> Image.Image:
        mask = subjects.subject(np.asarray(image))
        if not 0.01 < float((mask > 127).mean()) < 0.8:
            return coloured(image)
        out = image.copy()
        out.paste(coloured(coloured(image)), (0, 0), Image.fromarray(mask))
        return out

    return run


def sky_tint(colour: Colour) -> Step:
    """Colour what hangs together with the upper border without a contour between: most often the sky."""
    coloured = tint(colour)

    def run(image: Image.Image) -> Image.Image:
        mask = subjects.sky(np.asarray(image))
        out = image.copy()
        out.paste(coloured(coloured(image)), (0, 0), Image.fromarray(mask))
        return out

    return run


def _gradient(colour: Colour, strength: int, *, falling: bool = True) -> Step:
    """A colour laid over the picture, strongest at the top (or the foot)."""

    def run(image: Image.Image) -> Image.Image:
        rows = [
            strength * (image.height - row if falling else row) // max(1, image.height) for row in range(image.height)
        ]
        mask = scaled(Image.frombytes("L", (1, image.height), bytes(rows)), image.size)
        image = image.copy()
        image.paste(colour, (0, 0), mask)
        return image

    return run


def _autumn(image: Image.Image) -> Image.Image:
    """Greens become ochre and red."""
    return textures.by_rows(image, lambda band, _: _ochre(band))


def _ochre(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.int32)
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    green_part = np.clip((green - np.maximum(red, blue) + 14) * 5, 0, 255)
    target = np.stack((np.clip(green * 5 // 4 + 26, 0, 255), green * 3 // 5 + red // 8, blue // 3), axis=2)
    out = pixels + (target - pixels) * green_part[:, :, None] // 255
    return _curve(1.04, 1.0, 0.93)(Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)))


def _winter(image: Image.Image) -> Image.Image:
    """Snow on what is green, brown or bright below, and cold light."""
    return textures.by_rows(image, lambda band, top: _snowed(band, top, image.height))


def _snowed(image: Image.Image, top: int, height: int) -> Image.Image:
    """A band of a picture of a height, from its row `top` on."""
    pixels = np.asarray(image, np.int32)
    grey = (pixels[:, :, 0] * 77 + pixels[:, :, 1] * 150 + pixels[:, :, 2] * 29) >> 8
    warmth = np.clip((np.maximum(pixels[:, :, 0], pixels[:, :, 1]) - pixels[:, :, 2] + 4) * 4, 0, 255)
    low = np.clip(((np.arange(image.height)[:, None] + top) * 3 - height) * 255 // max(1, height), 40, 215)
    part = (warmth * low // 255)[:, :, None]
    snow = np.array(SNOW) * (grey[:, :, None] + 150) // 360
    out = pixels + (np.clip(snow, 0, 255) - pixels) * part // 255
    return _chain(_saturation(0.72), _curve(0.95, 1.0, 1.08, 6))(Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)))


def place_tint(reading: Reading) -> Step:
    """The cast of a place: named without things it colours the picture."""
    light = scene.compose(reading.text).light
    return _gradient(light.middle, 96)


def _grainy(image: Image.Image) -> Image.Image:
    return textures.textured(image, textures.grain(image, 5), 70)


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
        out.paste(scaled(image, (width - 2 * edge, height - 2 * edge)), (edge, edge))
    return out


HOUR_STEPS: Final[dict[str, Step]] = {
    "day": _curve(1.04, 1.04, 1.02, 8),
    "dawn": _chain(_curve(1.08, 0.97, 0.92, 4, 0.94), _gradient((255, 190, 170), 90)),
    "sunset": _chain(_curve(1.16, 0.9, 0.72, 0, 1.05), _gradient((255, 120, 60), 92)),
    "dusk": _chain(_curve(0.72, 0.66, 0.92), _gradient((70, 50, 120), 80)),
    "night": _chain(_saturation(0.7), _curve(0.42, 0.5, 0.76, 0, 1.0), _gradient((8, 12, 44), 110)),
}


SEASON_STEPS: Final[dict[str, Step]] = {
    "spring": _chain(_curve(1.03, 1.06, 0.98, 6), _saturation(1.2)),
    "summer": _chain(_curve(1.07, 1.04, 0.92, 6), _saturation(1.22)),
    "autumn": _autumn,
    "winter": _winter,
}


WEATHER_STEPS: Final[dict[str, Step]] = {
    "clear": _chain(_curve(1.08, 1.06, 0.98, 6, 1.06), _saturation(1.15)),
    "overcast": _chain(_saturation(0.55), _curve(0.92, 0.95, 1.0)),
    "cloudy": _chain(_saturation(0.85), _gradient((236, 240, 246), 70)),
    "rain": _chain(_saturation(0.6), _curve(0.72, 0.78, 0.88)),
    "storm": _chain(_saturation(0.5), _curve(0.5, 0.55, 0.66, 0, 1.1)),
    "snow": _winter,
    "fog": _chain(_saturation(0.6), _curve(1, 1, 1, 26, 0.7)),
    "aurora": _gradient((60, 255, 160), 120),
}


MOOD_STEPS: Final[dict[str, Step]] = {
    "calm": _curve(1, 1, 1, 8, 0.9),
    "dramatic": _chain(_curve(1, 1, 1, -6, 1.3), lambda image: toning.vignette(image, 0)),
    "dark": _chain(_curve(0.6, 0.58, 0.68, 0, 1.12), lambda image: toning.vignette(image, 0, 190)),
    "happy": _chain(_saturation(1.3), _curve(1.04, 1.03, 1.0, 8)),
    "dreamy": _chain(_glowing, _curve(1.04, 0.98, 1.08, 8, 0.92)),
    "romantic": _chain(_glowing, _curve(1.08, 0.98, 0.98)),
    "melancholic": _chain(_saturation(0.6), _curve(0.9, 0.95, 1.06)),
    "warm": _curve(1.1, 1.01, 0.86),
    "cold": _curve(0.88, 0.98, 1.12),
}


ADJUSTMENTS: Final[dict[str, Step]] = {
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
    "vignette": lambda image: toning.vignette(image, 0, 200),
    "frame": _framed,
    "grain": _grainy,
    "glow": _glowing,
}
