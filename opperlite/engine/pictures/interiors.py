"""Rooms and the bare backdrop of a studio."""

from typing import Final

from PIL import Image

from opperlite.engine.pictures import contours, gradients, terrain
from opperlite.engine.pictures.bands import Band
from opperlite.engine.pictures.layers import Plate, Strip
from opperlite.engine.pictures.light import lit, mix, scale
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour, symbols


def room(stage: Stage) -> None:
    light, stream = stage.light, stage.stream("room")
    wall = stage.reading.tints.get("ground_tint") or (
        stage.reading.colours[0]
        if stage.reading.colours
        else stream.choice(((226, 208, 184), (172, 194, 188), (206, 188, 196), (180, 194, 212), (222, 196, 150)))
    )
    dim = mix(light.ambient, (255, 236, 206), 0.15)
    if light.night:
        dim = scale(mix(light.ambient, (255, 186, 116), 0.8), 0.56)
    tone = lit(wall, dim)
    walls = [(0.0, scale(tone, 0.86)), (0.6, tone), (1.0, scale(tone, 0.8))]
    small = gradients.column(*gradients.half(stage.width, stage.height), walls)
    warm = mix(light.sun, (255, 240, 210), 0.5)
    gradients.shine(
        small, (stage.width // 4, round(stage.height * 0.225)), int(stage.unit * 0.8), warm, 16 if light.night else 70
    )
    plate = gradients.enlarged(small, stage.width, stage.height)
    _window(stage, plate)
    stage.layers.append(Plate(plate))
    wood = lit(stream.choice(((150, 98, 60), (124, 82, 56), (178, 128, 84))), dim)
    rows = stage.height - stage.horizon
    top = terrain.ground(
        stage.wide,
        rows,
        mix(wood, (255, 240, 214), 0.22),
        scale(wood, 0.82),
        stage.number("wood"),
        strength=30,
        flat=40,
    )
    edge = gradients.radial(int(stage.unit), (255, 244, 220), 14 if light.night else 60)
    top.paste((255, 246, 226), (stage.wide // 2 - edge.width // 2, -edge.height // 2), edge.getchannel("A"))
    stage.layers.append(Strip(Band.of(top), stage.horizon, 0.4))


def _window(stage: Stage, plate: Image.Image) -> None:
    light = stage.light
    wide, tall = round(stage.unit * 0.34), round(stage.unit * 0.42)
    x = round(stage.width * stage.stream("window").choice((0.1, 0.58)))
    y = max(2, round(stage.horizon * 0.5 - tall / 2))
    tall = min(tall, stage.horizon - y - 4)
    if tall < 8 or x + wide > stage.width:
        return
    frame = lit((244, 238, 226), mix(light.ambient, (255, 255, 255), 0.2) if not light.night else (150, 118, 92))
    rim = max(2, wide // 22)
    shadow = gradients.blob(round(wide * 1.3), round(tall * 1.25), (0, 0, 0), 46)
    plate.paste(shadow, (x - round(wide * 0.12), y - round(tall * 0.08)), shadow)
    plate.paste(frame, (x - rim, y - rim, x + wide + rim, y + tall + rim))
    plate.paste(gradients.column(wide, tall, [(0.0, light.top), (0.6, light.middle), (1.0, light.low)]), (x, y))
    heights = contours.hills(stage.number("view"), wide, tall * 0.14, tall * 0.3, wide * 0.6)
    view = terrain.band(heights, tall, stage.tone((96, 142, 84), 0.35), stage.tone((72, 112, 70), 0.2))
    view.paste(plate, x, y)
    plate.paste(frame, (x + wide // 2 - rim // 2, y, x + wide // 2 + rim // 2 + 1, y + tall))
    plate.paste(frame, (x, y + tall // 2 - rim // 2, x + wide, y + tall // 2 + rim // 2 + 1))
    plate.paste(scale(frame, 0.9), (x - rim * 2, y + tall + rim, x + wide + rim * 2, y + tall + rim * 3))


_BACKDROPS: Final = ((244, 214, 190), (196, 220, 226), (226, 214, 238), (208, 226, 204), (250, 226, 170))
_DEEP: Final = ((52, 104, 186), (64, 138, 112), (226, 176, 74), (122, 76, 158))


def _apart(stage: Stage) -> Colour:
    """The backdrop that differs most from the first thing."""
    thing = stage.reading.things[0]
    shown = thing.colour or symbols()[thing.motif].main
    choice = _DEEP if "stained" in stage.reading.styles else _BACKDROPS
    return max(choice, key=lambda colour: sum(abs(a - b) for a, b in zip(colour, shown, strict=True)))


def studio(stage: Stage) -> None:
    wish = stage.reading.tints.get("ground_tint") or (stage.reading.colours[0] if stage.reading.colours else None)
    if wish is None:
        white = any(word in stage.reading.text.lower() for word in ("white", "weiß", "blanc", "vit "))
        wish = (246, 246, 246) if white else _apart(stage) if stage.alone else stage.stream("studio").choice(_BACKDROPS)
    small = gradients.column(
        *gradients.half(stage.width, stage.height),
        [(0.0, scale(wish, 0.93)), (0.62, wish), (0.8, mix(wish, (255, 255, 255), 0.25)), (1.0, scale(wish, 0.88))],
    )
    middle = (stage.width // 4, round(stage.height * 0.21))
    gradients.shine(small, middle, int(stage.unit * 0.75), (255, 255, 255), 120)
    stage.layers.append(Plate(gradients.enlarged(small, stage.width, stage.height)))
