"""Skies: gradient, sun or moon, stars, clouds, lightning, aurora and rainbow."""

import math
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.gradients import column, enlarged, half, radial, shine
from opperlite.engine.pictures.layers import Flash, Motion, Plate, Sprite, Veil
from opperlite.engine.pictures.light import lit, mix, scale
from opperlite.engine.pictures.noise import Stream, profile, smooth
from opperlite.engine.pictures.outlines import ellipse, stroked
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour

_STARRY: Final = 40
"""What a veil may have at most where a star is seen."""


def sky(stage: Stage) -> None:
    """The sky behind a landscape, and what moves in it."""
    light = stage.light
    named = {thing.motif for thing in stage.reading.things} | stage.without
    reach = max(2, stage.horizon + 2)
    lamp = (light.sun_seen or light.night) and not named & {"sun", "moon", "fireworks"}
    # Air is soft: it is drawn at half the size and enlarged.
    air = column(*half(stage.width, reach), [(0.0, light.top), (0.55, light.middle), (1.0, light.low)])
    veil = wisps(air, stage)
    if lamp:
        glow(air, stage)
    plate = Image.new("RGB", (stage.width, stage.height), light.low)
    plate.paste(enlarged(air, stage.width, reach))
    if light.night:
        stars(plate, stage.stream("stars"), reach, 0.9 if light.sun_seen else 0.25, veil)
    if lamp:
        disc(plate, stage)
    stage.layers.append(Plate(plate))
    stage.behind = len(stage.layers)
    if "aurora" in stage.reading.weather:
        aurora(stage)
    if "rainbow" in stage.reading.weather:
        rainbow(stage, plate)
    clouds(stage)
    if "storm" in stage.reading.weather:
        bolt(stage)


def stars(plate: Image.Image, stream: Stream, rows: int, share: float, veil: Image.Image | None = None) -> None:
    """Scatter stars over the upper rows, a few of them with a glow, where a veil (at half the size) lets them through.

    share is that of the stars of a clear night.
    """
    width = plate.width
    count = int(share * min(900, 60 + width * rows / 2600))
    size = max(1, round(min(width, plate.height) / 700))
    for number in range(count):
        x, y = stream.below(width), int(stream.random() ** 1.25 * rows)
        light = stream.uniform(0.25, 1.0)
        tint = stream.choice(((255, 255, 255), (255, 240, 214), (214, 228, 255)))
        if veil is not None and veil.getpixel((x // 2, min(y // 2, veil.height - 1))) > _STARRY:  # type: ignore[operator]
            continue
        below = plate.getpixel((x, min(y, plate.height - 1)))
        extent = size + (number % 17 == 0) * size
        plate.paste(mix(below, tint, light), (x, y, x + extent, y + extent))  # type: ignore[arg-type]
        if number % 29 == 0:
            halo = radial(extent * 9, tint, 110)
            plate.paste(halo, (x - extent * 4, y - extent * 4), halo)


def sun_place(stage: Stage) -> tuple[int, int]:
    """Where the sun or moon stands."""
    stream = stage.stream("sun")
    x = stream.uniform(0.16, 0.34) if stream.chance(0.5) else stream.uniform(0.66, 0.84)
    return round(x * stage.width), round(stage.horizon * (1.0 - stage.light.sun_height))


def glow(air: Image.Image, stage: Stage) -> None:
    """The light around the sun or moon, on a sky of half the size."""
    light = stage.light
    x, y = sun_place(stage)
    middle = (x // 2, y // 2)
    shine(air, middle, int(stage.unit * 0.75), mix(light.sun, light.low, 0.15), 80 if light.night else 150, 2.2)
    shine(air, middle, int(_radius(stage) * 2.5), light.sun, 120 if light.night else 190, 1.6)


def _radius(stage: Stage) -> float:
    """The sun's or moon's, in pixels: low on the horizon it looks larger."""
    return stage.unit * (0.062 if stage.light.sun_height < 0.5 else 0.045)


def disc(plate: Image.Image, stage: Stage) -> None:
    """The sun or the moon."""
    light, radius = stage.light, _radius(stage)
    x, y = sun_place(stage)
    raster.fill(plate, [ellipse(x, y, radius, radius, 96)], mix(light.sun, (255, 255, 255), 0.35))
    if light.night:
        for dx, dy, part in ((-0.35, -0.2, 0.22), (0.3, 0.25, 0.28), (0.15, -0.45, 0.14), (-0.3, 0.42, 0.16)):
            spot = ellipse(x + dx * radius, y + dy * radius, part * radius, part * radius)
            raster.fill(plate, [spot], scale(light.sun, 0.84))


def wisps(air: Image.Image, stage: Stage) -> Image.Image:
    """Lay high thin clouds, lit from the horizon, over a sky of half the size; gives where they are, 0 to 200."""
    reading, light = stage.reading, stage.light
    strength = 70
    if {"overcast", "rain", "storm", "snow"} & set(reading.weather):
        strength = 190
    elif "clear" in reading.weather:
        strength = 24
    size = (max(2, air.height // 2), max(2, air.width // 2))
    noise = smooth(stage.number("wisps"), *size, (size[0] / 2.6, size[0] * 1.5), 5)
    mask = np.clip((noise.astype(np.int32) - 118) * strength // 100, 0, 200).astype(np.uint8)
    veil = scaled(Image.fromarray(mask), air.size)
    colour = mix(light.low, (255, 255, 255), 0.45) if not light.night else mix(light.low, light.top, 0.3)
    if strength == 190:
        colour = mix(light.middle, light.top, 0.8) if "storm" in reading.weather else scale(light.middle, 1.12)
    air.paste(colour, (0, 0), veil)
    return veil


def clouds(stage: Stage) -> None:
    """Heaped clouds that drift, more and darker as the weather asks."""
    weather = stage.reading.weather
    stream = stage.stream("clouds")
    count = 3 + stream.below(3)
    if "cloud" in stage.without or any(thing.motif == "fireworks" for thing in stage.reading.things):
        return
    if "clear" in weather or "aurora" in weather:
        count = 1
    elif {"cloudy", "storm", "overcast", "wind"} & set(weather) or stage.setting == "sky":
        count = 8
    elif stage.light.night:
        count = 2
    top, bottom = cloud_colours(stage)
    for number in range(count):
        far = stream.random()
        size = stage.unit * (0.14 + 0.3 * (1.0 - far)) * stream.uniform(0.8, 1.2)
        image = cloud(stage.stream("cloud", number), max(12, round(size)), top, bottom)
        x = (number + stream.random()) / count * stage.width * 1.2 - size * 0.6
        y = stage.horizon * (0.05 + 0.62 * far * stream.uniform(0.7, 1.1))
        speed = stage.width * (0.006 + 0.01 * (1.0 - far)) * (2.5 if "wind" in weather or "storm" in weather else 1.0)
        stage.layers.append(Sprite([image], x, y, 0.08, Motion(across=speed, wraps=True)))


def cloud_colours(stage: Stage) -> tuple[Colour, Colour]:
    """The lit upper and the shaded lower colour of clouds."""
    light = stage.light
    if "storm" in stage.reading.weather:
        return scale(light.middle, 0.95), scale(light.top, 0.7)
    if light.night:
        return mix(light.low, light.middle, 0.35), light.middle
    top = mix(lit((255, 255, 255), light.ambient), light.low, 0.18)
    return top, mix(mix(light.middle, light.low, 0.5), top, 0.35)


def cloud(stream: Stream, width: int, top: Colour, bottom: Colour) -> Image.Image:
    """A heaped cloud on a flat foot: RGBA, `width` wide; its shape is drawn at half the size."""
    height = max(6, width // 2)
    wide, tall = half(width, height)
    outlines = []
    puffs = 7 + stream.below(4)
    for number in range(puffs):
        across = (number + 0.5) / puffs
        swell = math.sin(across * math.pi) ** 0.8
        radius = tall * (0.16 + 0.3 * swell * stream.uniform(0.7, 1.1))
        outlines.append(ellipse(wide * (0.12 + 0.76 * across), tall * 0.86 - radius * 0.72, radius, radius * 0.92, 32))
    outlines.append(ellipse(wide / 2, tall * 0.8, wide * 0.44, tall * 0.12, 32))
    mask = Image.new("L", (wide, tall))
    raster.fill(mask, outlines, (236,))
    foot = np.rint(256.0 * np.clip(1.0 - (np.arange(tall) / tall - 0.72) / 0.2, 0.0, 1.0)).astype(np.uint16)
    alpha = Image.fromarray((np.asarray(mask, np.uint16) * foot[:, None] >> 8).astype(np.uint8))
    image = column(width, height, [(0.05, top), (0.55, mix(top, bottom, 0.25)), (0.95, bottom)])
    image.putalpha(scaled(alpha, (width, height), Image.Resampling.BILINEAR))
    return image


def aurora(stage: Stage) -> None:
    """Northern lights: curtains hanging from waving lines."""
    rows, width = max(4, stage.horizon), stage.width + stage.width // 2
    total = np.zeros((rows, width), np.int32)
    green = np.zeros((rows, width), np.int32)
    lines = np.arange(rows)[:, None]
    for number in range(3):
        seed = stage.number("aurora", number)
        foot = rows * (0.45 + 0.13 * number) + profile(seed, width, width / 3, 3) * rows * 0.22
        glow = 128 + profile(seed + 1, width, width / 30, 4, 0.7) * 127
        fold = _looped(foot), _looped(glow)
        up = fold[0][None, :] - lines
        tall = rows * 0.42
        strength = np.where(up >= 0, np.clip(1.0 - up / tall, 0, 1) ** 1.5, np.clip(1.0 + up / (rows * 0.03), 0, 1))
        part = (strength * fold[1][None, :]).astype(np.int32)
        total += part
        green += (part * np.clip(1.0 - up / tall * 1.1, 0, 1)).astype(np.int32)
    share = np.clip(green * 255 // np.maximum(total, 1), 0, 255)
    out = np.empty((rows, width, 4), np.uint8)
    for channel, (low, high) in enumerate(zip((90, 255, 170), (170, 90, 220), strict=True)):
        out[:, :, channel] = high + (low - high) * share // 255
    out[:, :, 3] = np.clip(total, 0, 215)
    stage.layers.append(Veil(Image.fromarray(out), 0, stage.width * 0.008))


def _looped(line: raster.Outline) -> raster.Outline:
    """Blend a line's end into its beginning, so that it can repeat."""
    count = len(line) // 5
    part = np.arange(count) / count
    out = line.copy()
    out[-count:] = line[-count:] * (1.0 - part) + line[0] * part
    return out


def rainbow(stage: Stage, plate: Image.Image) -> None:
    """A bow opposite the sun."""
    x = stage.width * (0.62 if sun_place(stage)[0] < stage.width / 2 else 0.38)
    radius, thickness = stage.unit * 0.62, stage.unit * 0.011
    colours = ((226, 60, 54), (245, 146, 52), (250, 218, 84), (104, 190, 96), (78, 152, 222), (108, 92, 190))
    bow = Image.new("RGBA", plate.size)
    for number, colour in enumerate(colours):
        outer = radius - number * thickness
        centre = stage.horizon + stage.unit * 0.06
        ring = [
            ellipse(x, centre, outer, outer, 160),
            ellipse(x, centre, outer - thickness, outer - thickness, 160)[::-1],
        ]
        raster.fill(bow, ring, (*colour, 255))
    alpha = bow.getchannel("A").point([value * 118 // 255 for value in range(256)])
    plate.paste(Image.frombytes("RGBa", bow.size, bow.tobytes()).convert("RGB"), (0, 0), alpha)


def bolt(stage: Stage) -> None:
    """Lightning, behind all that stands on the ground."""
    stream = stage.stream("bolt")
    image = Image.new("RGBA", (stage.width, stage.height))
    x, y = stage.width * stream.uniform(0.25, 0.75), 0.0
    points = [(x, y)]
    while y < stage.horizon * 0.96:
        x += stage.unit * stream.uniform(-0.07, 0.07)
        y += stage.unit * stream.uniform(0.03, 0.08)
        points.append((x, y))
    for thickness, opacity in ((0.03, 40), (0.014, 90), (0.005, 255)):
        raster.fill(image, stroked(np.array(points), max(1.0, stage.unit * thickness)), (236, 240, 255, 255), opacity)
    branch = [points[len(points) // 2]]
    for _ in range(4):
        branch.append((branch[-1][0] + stage.unit * stream.uniform(0.0, 0.08), branch[-1][1] + stage.unit * 0.05))
    raster.fill(image, stroked(np.array(branch), max(1.0, stage.unit * 0.003)), (236, 240, 255, 255), 220)
    drawn = Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")
    glow = radial(round(stage.unit * 1.2), (206, 214, 255), 90)
    sheet = Image.new("RGBA", drawn.size)
    sheet.paste(glow, (round(points[0][0]) - glow.width // 2, -glow.height // 2))
    stage.layers.append(Flash(Image.alpha_composite(sheet, drawn), 4.7))
