"""Skies: gradient, sun or moon, stars, clouds, aurora and rainbow."""

import math

import numpy as np
from PIL import Image

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.layers import Motion, Plate, Sprite, Veil
from opperlite.engine.pictures.light import lit, mix, scale
from opperlite.engine.pictures.noise import Stream, profile, smooth
from opperlite.engine.pictures.outlines import ellipse
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour
from opperlite.engine.pictures.terrain import column, radial, shine


def sky(stage: Stage) -> None:
    """The sky behind a landscape, and what moves in it."""
    light, height = stage.light, stage.height
    named = {thing.motif for thing in stage.reading.things}
    reach = max(2, stage.horizon + 2)
    stops = [(0.0, light.top), (0.55, light.middle), (1.0, light.low)]
    plate = Image.new("RGB", (stage.width, height), light.low)
    plate.paste(column(stage.width, reach, stops), (0, 0))
    if light.night:
        stars(plate, stage.stream("stars"), reach, 0.9 if light.sun_seen else 0.25)
    wisps(plate, stage, reach)
    if (light.sun_seen or light.night) and not named & {"sun", "moon"}:
        disc(plate, stage)
    stage.layers.append(Plate(plate))
    stage.behind = len(stage.layers)
    if "aurora" in stage.reading.weather:
        aurora(stage)
    if "rainbow" in stage.reading.weather:
        rainbow(stage, plate)
    clouds(stage)


def stars(plate: Image.Image, stream: Stream, rows: int, share: float) -> None:
    """Scatter stars over the upper rows, a few of them with a glow."""
    width = plate.width
    count = int(share * min(900, 60 + width * rows / 2600))
    size = max(1, round(min(width, plate.height) / 700))
    for number in range(count):
        x, y = stream.below(width), int(stream.random() ** 1.25 * rows)
        glow = stream.uniform(0.25, 1.0)
        tint = stream.choice(((255, 255, 255), (255, 240, 214), (214, 228, 255)))
        below = plate.getpixel((x, min(y, plate.height - 1)))
        extent = size + (number % 17 == 0) * size
        plate.paste(mix(below, tint, glow), (x, y, x + extent, y + extent))  # type: ignore[arg-type]
        if number % 29 == 0:
            halo = radial(extent * 9, tint, 110)
            plate.paste(halo, (x - extent * 4, y - extent * 4), halo)


def sun_place(stage: Stage) -> tuple[int, int]:
    """Where the sun or moon stands."""
    stream = stage.stream("sun")
    x = stream.uniform(0.16, 0.34) if stream.chance(0.5) else stream.uniform(0.66, 0.84)
    return round(x * stage.width), round(stage.horizon * (1.0 - stage.light.sun_height))


def disc(plate: Image.Image, stage: Stage) -> None:
    """The sun with its glow, or the moon."""
    light = stage.light
    x, y = sun_place(stage)
    radius = stage.unit * (0.062 if light.sun_height < 0.5 else 0.045)
    shine(plate, (x, y), int(stage.unit * 1.5), mix(light.sun, light.low, 0.15), 80 if light.night else 150, 2.2)
    shine(plate, (x, y), int(radius * 5), light.sun, 120 if light.night else 190, 1.6)
    raster.fill(plate, [ellipse(x, y, radius, radius, 96)], mix(light.sun, (255, 255, 255), 0.35))
    if light.night:
        for dx, dy, part in ((-0.35, -0.2, 0.22), (0.3, 0.25, 0.28), (0.15, -0.45, 0.14), (-0.3, 0.42, 0.16)):
            spot = ellipse(x + dx * radius, y + dy * radius, part * radius, part * radius)
            raster.fill(plate, [spot], scale(light.sun, 0.84))


def wisps(plate: Image.Image, stage: Stage, rows: int) -> None:
    """High thin clouds, lit from the horizon."""
    reading = stage.reading
    strength = 70
    if {"overcast", "rain", "storm", "snow"} & set(reading.weather):
        strength = 190
    elif "clear" in reading.weather:
        strength = 24
    half = (max(2, rows // 4), max(2, stage.width // 4))
    noise = smooth(stage.number("wisps"), half[0], half[1], (half[0] / 2.6, half[0] * 1.5), 5)
    mask = np.clip((noise.astype(np.int32) - 118) * strength // 100, 0, 200).astype(np.uint8)
    shaped = scaled(Image.fromarray(mask), (stage.width, rows))
    light = stage.light
    colour = mix(light.low, (255, 255, 255), 0.45) if not light.night else mix(light.low, light.top, 0.3)
    if strength == 190:
        colour = mix(light.middle, light.top, 0.8) if "storm" in reading.weather else scale(light.middle, 1.12)
    plate.paste(colour, (0, 0, stage.width, rows), shaped)


def clouds(stage: Stage) -> None:
    """Heaped clouds that drift, more and darker as the weather asks."""
    weather = stage.reading.weather
    stream = stage.stream("clouds")
    count = 3 + stream.below(3)
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
    """A heaped cloud on a flat foot: RGBA, `width` wide."""
    height = max(6, width // 2)
    mask = Image.new("L", (width, height))
    outlines = []
    puffs = 7 + stream.below(4)
    for number in range(puffs):
        across = (number + 0.5) / puffs
        swell = math.sin(across * math.pi) ** 0.8
        radius = height * (0.16 + 0.3 * swell * stream.uniform(0.7, 1.1))
        centre = width * (0.12 + 0.76 * across)
        outlines.append(ellipse(centre, height * 0.86 - radius * 0.72, radius, radius * 0.92, 40))
    outlines.append(ellipse(width / 2, height * 0.8, width * 0.44, height * 0.12, 40))
    found = raster.coverage(outlines, width, height)
    if found:
        mask.paste(Image.fromarray(found[0]), found[1])
    foot = Image.new("L", mask.size, 0)
    table = [min(255, max(0, round(255 * (1.0 - (row / height - 0.72) / 0.2)))) for row in range(height)]
    foot.paste(scaled(Image.frombytes("L", (1, height), bytes(table)), mask.size))
    alpha = np.asarray(mask, np.uint16) * np.asarray(foot, np.uint16) // 255
    image = column(width, height, [(0.05, top), (0.55, mix(top, bottom, 0.25)), (0.95, bottom)]).convert("RGBA")
    image.putalpha(Image.fromarray((alpha * 236 // 255).astype(np.uint8)))
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
