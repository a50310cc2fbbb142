"""Light of the hour and the weather: the colours everything in a scene is seen in."""

import colorsys
from dataclasses import dataclass, replace
from typing import Final

from opperlite.engine.pictures.noise import Stream, fingerprint
from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.symbols import Colour, hex_colour, luma


@dataclass(frozen=True)
class Light:
    """Sky colours from the zenith down, the sun or moon, what falls on things (255 is neutral), and the haze."""

    top: Colour
    middle: Colour
    low: Colour
    sun: Colour
    ambient: Colour
    haze: Colour
    sun_height: float
    """0 on the horizon, 1 at the top of the picture."""
    night: bool = False
    sun_seen: bool = True


def _light(colours: str, sun_height: float, *, night: bool = False) -> Light:
    top, middle, low, sun, ambient, haze = (hex_colour(part) for part in colours.split())
    return Light(top, middle, low, sun, ambient, haze, sun_height, night)


HOURS: Final = {
    "day": _light("#3c83cf #7db7e8 #d9eef6 #fff7dc #fffffa #cfe4ee", 0.74),
    "dawn": _light("#6f86c4 #eaa9a6 #ffdca6 #fff0c4 #ffe9d6 #f6cdb8", 0.2),
    "sunset": _light("#39478c #d5637a #ffb662 #ffe09a #ffd0a8 #f0a583", 0.16),
    "dusk": _light("#1c2757 #5b4f93 #e59a92 #ffd9c0 #a7a2cf #8f7ba6", 0.08),
    "night": _light("#070d28 #16255a #3a568f #f2f4ff #98a6d6 #34497f", 0.72, night=True),
}


def light_of(reading: Reading, seed: int) -> Light:
    """The light a prompt asks for; a seed shifts the hour's colours a little."""
    hour = reading.time_of_day or _guessed_hour(reading)
    light = HOURS[hour]
    stream = Stream("light", seed, reading.text)
    light = _turned(light, stream.uniform(-0.02, 0.02))
    if reading.unknown:
        # Words that mean nothing to the vocabulary still give the picture a cast of its own.
        light = _turned(light, (fingerprint(*reading.unknown) % 1000 / 1000.0 - 0.5) * 0.08)
    light = _weathered(light, reading)
    return _coloured(_in_mood(light, reading.moods), reading)


def _guessed_hour(reading: Reading) -> str:
    if "dark" in reading.moods or "aurora" in reading.weather or "neon" in reading.styles:
        return "night"
    if "romantic" in reading.moods or "silhouette" in reading.styles:
        return "sunset"
    named = {thing.motif for thing in reading.things}
    if "jack_o_lantern" in named or ("candle" in named and "cake" not in named):
        return "night"
    if "space" in reading.settings or any(thing.motif in ("fireworks", "moon") for thing in reading.things):
        return "night"
    return "dawn" if "dreamy" in reading.moods else "day"


def _weathered(light: Light, reading: Reading) -> Light:
    weather = reading.weather
    if "storm" in weather:
        return _greyed(light, (58, 66, 82), 0.72, 0.62)
    if "overcast" in weather or "rain" in weather:
        return _greyed(light, (142, 154, 168), 0.62, 0.86)
    if "fog" in weather:
        return _greyed(light, (206, 210, 212), 0.6, 0.95)
    if "snow" in weather or ("snowfield" in reading.settings and "clear" not in weather and not reading.time_of_day):
        return _greyed(light, (196, 208, 222), 0.5, 0.98)
    return light


def _greyed(light: Light, grey: Colour, part: float, dim: float) -> Light:
    if light.night:
        grey = scale(grey, 0.28)
    elif light.sun_height < 0.3:
        part *= 0.62
    return replace(
        light,
        top=mix(light.top, scale(grey, 0.86), part),
        middle=mix(light.middle, grey, part),
        low=mix(light.low, scale(grey, 1.12), part),
        haze=mix(light.haze, grey, part),
        ambient=scale(mix(light.ambient, (236, 240, 246), part * 0.5), dim),
        sun_seen=False,
    )


def _in_mood(light: Light, moods: tuple[str, ...]) -> Light:
    if "dark" in moods:
        light = replace(light, ambient=scale(light.ambient, 0.94), top=mix(light.top, (24, 14, 34), 0.35))
    if "dreamy" in moods:
        light = replace(light, top=mix(light.top, (120, 92, 190), 0.35), middle=mix(light.middle, (246, 170, 214), 0.4))
    if "warm" in moods or "romantic" in moods:
        light = replace(
            light, ambient=mix(light.ambient, (255, 222, 180), 0.35), low=mix(light.low, (255, 206, 140), 0.3)
        )
    if "cold" in moods or "melancholic" in moods:
        light = replace(
            light, ambient=mix(light.ambient, (200, 220, 255), 0.4), middle=mix(light.middle, (140, 168, 205), 0.3)
        )
    if "happy" in moods and not light.night:
        light = replace(light, top=saturated(light.top, 1.25), middle=saturated(light.middle, 1.2))
    if "dramatic" in moods:
        light = replace(light, top=scale(light.top, 0.72), low=saturated(mix(light.low, light.sun, 0.3), 1.25))
    return light


def _coloured(light: Light, reading: Reading) -> Light:
    """Colours that belong to no thing tint the sky; a sky of a colour is that colour."""
    tint = reading.tints.get("sky_tint")
    if tint:
        light = replace(light, top=mix(light.top, scale(tint, 0.7), 0.75), middle=mix(light.middle, tint, 0.75))
        light = replace(
            light, low=mix(light.low, mix(tint, (255, 255, 255), 0.45), 0.7), haze=mix(light.haze, tint, 0.45)
        )
    for place, colour in enumerate(reading.colours[:2]):
        if place == 0:
            light = replace(light, top=mix(light.top, scale(colour, 0.75), 0.6), middle=mix(light.middle, colour, 0.5))
        light = replace(
            light, low=mix(light.low, mix(colour, (255, 255, 255), 0.3), 0.5), haze=mix(light.haze, colour, 0.35)
        )
    return light


def _turned(light: Light, turn: float) -> Light:
    return replace(light, top=hue(light.top, turn), middle=hue(light.middle, turn), low=hue(light.low, turn))


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """first with `part` (0 to 1) of second."""
    return (
        round(first[0] + (second[0] - first[0]) * part),
        round(first[1] + (second[1] - first[1]) * part),
        round(first[2] + (second[2] - first[2]) * part),
    )


def scale(colour: Colour, factor: float) -> Colour:
    """Lighter or darker by a factor."""
    return (
        min(255, round(colour[0] * factor)),
        min(255, round(colour[1] * factor)),
        min(255, round(colour[2] * factor)),
    )


def lit(colour: Colour, ambient: Colour) -> Colour:
    """A surface's colour in a light."""
    return (colour[0] * ambient[0] // 255, colour[1] * ambient[1] // 255, colour[2] * ambient[2] // 255)


def saturated(colour: Colour, factor: float) -> Colour:
    """More (above 1) or less colourful, at the same lightness."""
    grey = luma(colour)
    red, green, blue = (min(255, max(0, round(grey + (part - grey) * factor))) for part in colour)
    return (red, green, blue)


def hue(colour: Colour, turn: float) -> Colour:
    """The colour with its hue turned by a part of the circle."""
    h, lightness, s = colorsys.rgb_to_hls(colour[0] / 255, colour[1] / 255, colour[2] / 255)
    red, green, blue = colorsys.hls_to_rgb((h + turn) % 1.0, lightness, s)
    return (round(red * 255), round(green * 255), round(blue * 255))
