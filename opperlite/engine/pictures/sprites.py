"""The things of a scene as sprites: coloured, lit, shadowed and moving."""

from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures import gradients, raster
from opperlite.engine.pictures.countryside import leaves
from opperlite.engine.pictures.layers import Frames, Motion, Sprite
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.light import hue, lit, mix
from opperlite.engine.pictures.outlines import stroked
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.spots import Spot
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Colour, Symbol
from opperlite.engine.pictures.waterside import swell

_PHASES: Final = 8
_RAILED: Final = frozenset(("train", "tram"))
_BARE: Final = frozenset(("studio", "room", "abstract"))
"""Settings where no rails lie."""
_FLYERS: Final = frozenset(("child", "person", "woman"))
"""Who may hold a kite's line."""


def put(stage: Stage, spots: list[Spot]) -> None:
    """Add the things' sprites, shadows and, on the sea, the waves between them to the stage."""
    swells = 0
    # What hovers low over the sea is not in its waves.
    low = [spot for spot in spots if stage.setting == "sea" and spot.place == "sky" and spot.y > stage.horizon]
    for spot in spots:
        if spot in low:
            continue
        if stage.setting == "sea" and spot.place == "water":
            while (
                swells < 5
                and stage.horizon + (stage.height - stage.horizon) * ((swells + 1) / 6) ** 2 * 0.92
                < spot.y - spot.tall * 0.08
            ):
                swell(stage, swells, swells + 1)
                swells += 1
        if spot.thing.motif == "kite":
            _string(stage, spot, spots)
        if spot.thing.motif in _RAILED and spot.place == "ground" and stage.setting not in _BARE:
            _rails(stage, spot)
        _add(stage, spot)
    if stage.setting == "sea":
        swell(stage, swells, 6)
    for spot in low:
        _add(stage, spot)


def _add(stage: Stage, spot: Spot) -> None:
    frames = frames_of(stage, spot)
    wide, tall = frames[0].size
    left, top = spot.x - wide / 2, spot.y - tall
    motion = _motion(stage, spot)
    if spot.place == "ground" and stage.setting != "abstract" and not stage.alone:
        strength = 118 if not stage.light.night else 84
        shade = gradients.blob(round(wide * 1.12), max(3, round(min(tall * 0.16, wide * 0.26))), (18, 18, 34), strength)
        stage.layers.append(
            Sprite(
                [shade], spot.x - shade.width / 2, spot.y - shade.height * 0.56, spot.depth, replace(motion, bob=0.0)
            )
        )
    if spot.symbol.shines and stage.setting != "space":
        _glow(stage, spot, motion)
    _show(stage, spot, Sprite(frames, left, top, spot.depth, motion))


def _string(stage: Stage, kite: Spot, spots: list[Spot]) -> None:
    """The line from the nearest hand to a kite."""
    flyers = [spot for spot in spots if spot.place == "ground" and spot.thing.motif in _FLYERS]
    if not flyers:
        return
    flyer = min(flyers, key=lambda spot: abs(spot.x - kite.x))
    side = 1.0 if kite.x > flyer.x else -1.0
    hand = (
        flyer.x + side * 0.38 * flyer.tall * flyer.symbol.width / flyer.symbol.height,
        flyer.y - 0.36 * flyer.tall,
    )
    held = (kite.x, kite.y - 0.72 * kite.tall)
    part = np.linspace(0.0, 1.0, 24)
    # It sags a little below the straight line.
    sag = 0.12 * abs(held[1] - hand[1]) * part * (1.0 - part) * 4.0
    line = np.stack((hand[0] + (held[0] - hand[0]) * part, hand[1] + (held[1] - hand[1]) * part + sag), axis=1)
    start, end = np.floor(line.min(axis=0)) - 3.0, np.ceil(line.max(axis=0)) + 3.0
    mask = Image.new("L", (int(end[0] - start[0]), int(end[1] - start[1])))
    raster.fill(mask, stroked(line - start, max(1.0, stage.unit * 0.0024)), (255,))
    image = Image.new("RGBA", mask.size, (*lit((92, 74, 60), stage.light.ambient), 0))
    image.putalpha(mask)
    stage.layers.append(Sprite([image], float(start[0]), float(start[1]), flyer.depth))


def _rails(stage: Stage, spot: Spot) -> None:
    """A track across the picture under what runs on rails."""
    rows = max(4, round(spot.tall * 0.12))
    thick = max(1.0, rows * 0.14)
    image = Image.new("RGBA", (stage.wide, rows))
    wood, steel = stage.tone((96, 74, 58), 0.05), stage.tone((150, 152, 160), 0.05)
    pitch = max(6, round(rows * 0.9))
    for x in range(0, stage.wide, pitch):
        sleeper = np.array(
            ((x, rows), (x + pitch * 0.4, rows), (x + pitch * 0.5, rows * 0.1), (x + pitch * 0.2, rows * 0.1))
        )
        raster.fill(image, [sleeper], (*wood, 255))
    for y in (rows * 0.2, rows * 0.72):
        rail = np.array(((0.0, y), (stage.wide, y), (stage.wide, y + thick), (0.0, y + thick)))
        raster.fill(image, [rail], (*steel, 255))
    drawn = Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")
    stage.layers.append(Sprite([drawn], (stage.width - stage.wide) / 2, spot.y - rows * 0.6, spot.depth))


def _show(stage: Stage, spot: Spot, sprite: Sprite) -> None:
    """Add a sprite on top, or behind the land when the thing is far up in the sky."""
    if stage.behind and tables()["motif"][spot.thing.motif].values.get("far"):
        stage.layers.insert(stage.behind, sprite)
        stage.behind += 1
    else:
        stage.layers.append(sprite)


def _glow(stage: Stage, spot: Spot, motion: Motion) -> None:
    """The light around a lamp, fire or lit window: stronger the darker it is."""
    dark = 255 - sum(stage.light.ambient) // 3
    strength = min(150, dark + (34 if stage.setting == "room" else 0))
    if strength < 30:
        return
    parts = float(tables()["motif"][spot.thing.motif].values.get("reach", 2.0))
    reach = spot.tall * parts
    if parts > 2.0 and stage.light.night:
        strength = min(170, strength * 2)
    if stage.setting == "room" and stage.light.night:
        # The lamp is the room's only light.
        reach, strength = max(reach, stage.unit * 1.5), min(190, strength + 40)
    halo = gradients.radial(round(reach), (255, 208, 128), strength, 2.2)
    left, top = spot.x - halo.width / 2, spot.y - spot.tall * 0.55 - halo.height / 2
    _show(stage, spot, Sprite([halo], left, top, spot.depth, motion))


def frames_of(stage: Stage, spot: Spot) -> Frames:
    """The sprite's pictures: one, or several phases when parts of it move."""
    count = _PHASES if spot.symbol.moves else 1
    distance = 0.0 if spot.place in ("ground", "seat") and spot.depth > 0.5 else max(0.0, 0.34 - spot.depth * 0.6)
    if stage.setting in ("space", "studio", "room", "abstract", "moonscape"):
        distance = 0.0
    return Frames(count, lambda number: _frame(stage, spot, number / count, distance))


def _frame(stage: Stage, spot: Spot, phase: float, distance: float) -> Image.Image:
    image = shaded(stage, spot.symbol, round(spot.tall), _colour_of(stage, spot), phase, distance)
    if stage.backlit:
        black = Image.new("RGBA", image.size, (18, 14, 24, 255))
        black.putalpha(image.getchannel("A"))
        image = black
    if spot.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def _colour_of(stage: Stage, spot: Spot) -> Colour | None:
    """The prompt's colour, or one of its own for each of several gay things."""
    if not spot.thing.colour and spot.thing.motif in ("tree", "bush", "pine"):
        return _foliage(stage, spot.thing.motif)
    varied = tables()["motif"][spot.thing.motif].values.get("varied", False)
    if spot.thing.colour or not varied or spot.thing.count < 2:
        return spot.thing.colour
    # From blue over purple, red and orange to yellow: few gay things are green.
    turn = (stage.stream("hue").random() + 0.8 * spot.x / stage.width) % 1.0
    return hue((222, 70, 62), 0.52 + 0.62 * turn)


def _foliage(stage: Stage, motif: str) -> Colour | None:
    """Trees turn with the season; None leaves them green."""
    if stage.snowy:
        return mix(leaves(stage), (236, 242, 250), 0.2 if motif == "pine" else 0.45)
    if stage.reading.season in ("autumn", "spring") and motif != "pine":
        return leaves(stage)
    return None


def shaded(
    stage: Stage, symbol: Symbol, tall: int, colour: Colour | None, phase: float, distance: float
) -> Image.Image:
    """A motif in the stage's light: coloured by it, modelled by a bright and a dark side, its lamps shining."""
    light = stage.light
    body, shine = symbol.paint(tall, colour=colour, phase=phase)
    image = body.convert("RGBA")
    alpha = image.getchannel("A")
    ambient = light.ambient
    if stage.setting in ("studio", "space"):
        ambient = mix(ambient, (255, 255, 255), 0.85)
    if stage.setting == "room":
        ambient = mix(ambient, (255, 240, 214), 0.6)
    tables_ = [
        value * (255 - round(distance * 255)) // 255 * ambient[channel] // 255 + round(light.haze[channel] * distance)
        for channel in range(3)
        for value in range(256)
    ]
    colours = image.convert("RGB").point(tables_)
    _model(colours, alpha, light.sun, lit((40, 36, 70), light.ambient))
    if shine.getbbox():
        lamps = shine.convert("RGBA")
        colours.paste(lamps, (0, 0), lamps)
    colours.putalpha(alpha)
    return colours


def _model(colours: Image.Image, alpha: Image.Image, bright: Colour, dark: Colour) -> None:
    """Light from above left: brighten the edge towards it, darken the one away from it; drawn at a quarter size."""
    if min(alpha.size) < 12:
        return
    small = alpha.reduce(4)
    reach = max(1, round(min(small.size) * 0.09))
    # Clear all round: where the thing ends at its box it still has an edge.
    wide = Image.new("L", (small.width + 4 * reach, small.height + 4 * reach))
    wide.paste(small, (2 * reach, 2 * reach))
    soft = np.asarray(wide.filter(ImageFilter.BoxBlur(reach)), np.int32)
    rows, columns = small.height, small.width
    above = soft[reach : reach + rows, reach : reach + columns]
    below = soft[3 * reach : 3 * reach + rows, 3 * reach : 3 * reach + columns]
    for side, colour, strength in ((above, bright, 66), (below, dark, 92)):
        mask = np.clip((235 - side) * strength // 235, 0, 255).astype(np.uint8)
        colours.paste(colour, (0, 0), scaled(Image.fromarray(mask), colours.size, Image.Resampling.BILINEAR))


def _motion(stage: Stage, spot: Spot) -> Motion:
    """How this copy moves: by where it is and by the vocabulary's own word for it."""
    stream = stage.stream("motion", spot.x, spot.y)
    values = tables()["motif"][spot.thing.motif].values
    pace = (
        float(values.get("pace", 0.0))
        * stage.width
        * (-1.0 if not spot.mirrored else 1.0)
        * (-1.0 if values.get("faces") == "right" else 1.0)
    )
    bob = {"sky": 0.014, "under": 0.016, "water": 0.008}.get(spot.place, 0.0) * stage.unit
    period = {"water": 3.4}.get(spot.place, stream.uniform(4.0, 6.5))
    cycle = float(values.get("cycle", 2.4))
    if stage.setting in ("studio", "room"):
        pace = 0.0
    # What is alone in the picture stays in it.
    alone = sum(thing.count for thing in stage.reading.things) < 2
    wraps = bool(values.get("wraps", False)) and pace != 0.0 and not alone
    return Motion(
        across=pace,
        bob=bob,
        period=period,
        cycle=cycle,
        start=stream.random(),
        wraps=wraps,
        reach=0.0 if wraps or not pace else stage.width * 0.08,
    )
