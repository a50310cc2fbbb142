"""Where the things of a prompt stand, and how large they are drawn."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Final

from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.noise import Stream
from opperlite.engine.pictures.prompt import Thing
from opperlite.engine.pictures.relations import related
from opperlite.engine.pictures.spots import FLOATING, WOODED, Spot, place_of
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import symbols

_TALLEST: Final = 0.78
"""No thing is higher than this part of the picture."""


def arrange(stage: Stage) -> list[Spot]:
    """A spot for each copy of each thing, back to front."""
    spots: list[Spot] = []
    things = _shown(stage)
    for name in ("ground", "water", "under", "sky"):
        chosen = [thing for thing in things if place_of(stage, thing) == name]
        copies = [thing for thing in chosen for _ in range(thing.count)][:24]
        if copies:
            spots += _ARRANGERS[name](stage, copies, spots)
    return sorted(related(stage, spots), key=lambda spot: spot.order)


def _shown(stage: Stage) -> tuple[Thing, ...]:
    """The things to draw: a room has its table already, and needs no other for what stands on it."""
    things = stage.reading.things
    if stage.setting == "room" and len(things) > 1:
        return tuple(thing for thing in things if thing.motif != "table")
    return things


def _height(stage: Stage, thing: Thing, things: list[Thing]) -> float:
    """Pixels high, within what the picture can hold."""
    symbol = symbols()[thing.motif]
    widest = stage.width * (0.8 if len(things) == 1 else 0.46) * symbol.height / symbol.width
    return max(4.0, min(_wanted(stage, thing, things), stage.height * _TALLEST, widest))


def _wanted(stage: Stage, thing: Thing, things: list[Thing]) -> float:
    """Pixels high: alone it fills a good part of the picture, among others sizes keep their order."""
    size = _size(thing)
    largest = max([_size(other) for other in things])
    share = (0.47 + 0.09 * min(2.4, largest)) * math.sqrt(size / largest)
    crowd = 1.0 / (1.0 + 0.085 * (len(things) - 1))
    # Sky and ground share the picture when both hold something.
    if len({place_of(stage, other) for other in stage.reading.things}) > 1:
        crowd *= 0.82
    if stage.alone:
        share *= 1.4
    return stage.unit * share * crowd * _softened(thing.size)


def _heights(stage: Stage, things: list[Thing]) -> list[float]:
    """The heights of things side by side; when one is held back by its width, all keep their proportion to it."""
    heights = [_height(stage, thing, things) for thing in things]
    largest = max([_size(thing) for thing in things])
    held = min(
        tall / _wanted(stage, thing, things)
        for tall, thing in zip(heights, things, strict=True)
        if _size(thing) == largest
    )
    return [
        min(tall, _wanted(stage, thing, things) * max(0.55, held)) for tall, thing in zip(heights, things, strict=True)
    ]


def _softened(size: float) -> float:
    """What the prompt's size words do to a height in pixels: less than to the thing itself."""
    return math.sqrt(min(1.8, max(0.4, size)))


def _size(thing: Thing) -> float:
    return float(tables()["motif"][thing.motif].values["size"]) * _softened(thing.size)


def _ground(stage: Stage, things: list[Thing], taken: list[Spot]) -> list[Spot]:
    stream = stage.stream("ground")
    heights = _heights(stage, things)
    order = _across(things, stream)
    widths = [heights[i] * symbols()[things[i].motif].width / symbols()[things[i].motif].height for i in order]
    room = stage.width * 0.92
    squeeze = min(1.0, room / max(1.0, sum(widths) * (0.68 if len(order) > 3 else 0.86 if len(order) > 2 else 1.02)))
    total = sum(widths) * squeeze
    gap = (room - total) / (len(order) + 1)
    at = stage.width * 0.04 + max(gap, 0.0)
    if gap < 0.0:
        # They overlap, but the first and the last stay in the picture.
        gap = (room - total) / (len(order) - 1)
    if len(order) == 1:
        at = stage.width * stream.uniform(0.42, 0.58) - total / 2
    spots = []
    for number, index in enumerate(order):
        wide = widths[number] * squeeze
        near = _nearness(things[index], heights[index] / max(heights), stream)
        least = 0.5
        if gap < 0.0 and index == 0 and things.count(things[0]) == 1:
            # In a crowd the first named stands in front.
            near, least = 1.0, 0.85
        tall = heights[index] * max(squeeze, least) * (0.84 + 0.22 * near)
        y = (stage.height + tall) / 2 if stage.alone else foot(stage, near)
        symbol = symbols()[things[index].motif]
        mirrored = stream.chance(0.4) and "text" not in symbol.name
        x = _within(stage, at + wide / 2, tall * symbol.width / symbol.height)
        spots.append(Spot(things[index], symbol, "ground", x, y, tall, 0.34 + 0.3 * near, mirrored, 20 + near))
        at += wide + gap
    return spots


def _across(things: list[Thing], stream: Stream) -> list[int]:
    """The order from left to right: mixed, except where the prompt says left or right."""
    keys = []
    for index, thing in enumerate(things):
        key = stream.random()
        key += {"left": -2.0, "right": 2.0}.get(thing.relation, 0.0)
        keys.append((key, index))
    order = [index for _, index in sorted(keys)]
    first = things[0]
    if len(things) > 2 and first.count == 1 and not first.relation and all(thing != first for thing in things[1:]):
        # The first named is what the picture is about.
        order.remove(0)
        order.insert(len(order) // 2 + len(order) % 2 * stream.below(2), 0)
    return order


def _within(stage: Stage, x: float, wide: float) -> float:
    """The column nearest to x at which something of this width is seen whole."""
    edge = min(stage.width / 2, wide / 2 + stage.width * 0.02)
    return min(max(x, edge), stage.width - edge)


def _nearness(thing: Thing, share: float, stream: Stream) -> float:
    """0 far to 1 near: small things stand in front of large ones."""
    spread = 0.12 if thing.count < 4 else 0.3
    near = 1.0 - 0.62 * share + stream.uniform(-spread, spread)
    near += {"behind": -0.5, "front": 0.4}.get(thing.relation, 0.0)
    return min(1.0, max(0.0, near))


def foot(stage: Stage, near: float) -> float:
    """The row a thing stands on."""
    start = stage.horizon if stage.shore == stage.height else stage.shore
    rows = stage.height - start
    if stage.setting == "studio":
        return stage.height * (0.8 + 0.1 * near)
    if stage.setting == "abstract":
        return stage.height * (0.7 + 0.2 * near)
    low = 0.34 if stage.shore == stage.height else 0.3
    return start + rows * (low + (0.9 - low) * near)


def _sky(stage: Stage, things: list[Thing], taken: list[Spot]) -> list[Spot]:
    stream = stage.stream("aloft")
    floating = stage.setting in FLOATING
    ceiling, floor = stage.height * 0.08, stage.height * 0.9
    if not floating:
        floor = stage.horizon * 0.86 if taken else max(stage.horizon * 0.9, stage.height * 0.7)
    spots: list[Spot] = []
    for number, thing in enumerate(things):
        symbol = symbols()[thing.motif]
        values = tables()["motif"][thing.motif].values
        far = 0.0 if number == 0 else stream.uniform(0.15, 0.6)
        tall = _height(stage, thing, things) * (1.0 - far * 0.75) * (1.1 if floating else 0.92)
        lowest = floor
        if not floating and values.get("far"):
            # What is far up is behind the land, which should not hide it.
            lowest = min(floor, stage.horizon * (0.42 if stage.setting in WOODED else 0.62))
        tall = min(tall, (lowest - ceiling) * 0.9 * (1.0 - far if values.get("far") else 1.0))
        wide = tall * symbol.width / symbol.height
        x, y = _free(stage, stream, [*taken, *spots], wide, tall, ceiling, lowest)
        spots.append(Spot(thing, symbol, "sky", x, y, tall, 0.3 - 0.2 * far, stream.chance(0.5), 5 - far))
    return spots


def _free(
    stage: Stage, stream: Stream, taken: list[Spot], wide: float, tall: float, ceiling: float, floor: float
) -> tuple[float, float]:
    """The freest of some tried places: the middle of the foot."""
    best, most = (stage.width / 2, floor), -1e9
    for _ in range(14):
        x = stream.uniform(
            0.04 * stage.width + wide / 2, max(0.05 * stage.width + wide / 2, 0.96 * stage.width - wide / 2)
        )
        y = stream.uniform(ceiling + tall, max(ceiling + tall + 1, floor))
        apart = [_distance(spot, x, y, tall) for spot in taken]
        centre = abs(x / stage.width - 0.5) * stage.unit * 0.35
        free = min(apart, default=stage.unit) - centre
        if free > most:
            best, most = (x, y), free
    return best


def _distance(spot: Spot, x: float, y: float, tall: float) -> float:
    dx, dy = spot.x - x, (spot.y - spot.tall / 2) - (y - tall / 2)
    return math.sqrt(dx * dx + dy * dy) - (spot.tall + tall) / 2


def _under(stage: Stage, things: list[Thing], taken: list[Spot]) -> list[Spot]:
    spots = _sky(replace_horizon(stage), things, taken)
    return [replace(spot, place="under", order=15 + spot.depth) for spot in spots]


def replace_horizon(stage: Stage) -> Stage:
    """The stage as seen by what swims: all of the height is free."""
    return replace(stage, setting="space")


def _water(stage: Stage, things: list[Thing], taken: list[Spot]) -> list[Spot]:
    stream = stage.stream("afloat")
    bottom = min(stage.height, stage.shore)
    rows = bottom - stage.horizon
    heights = [tall * 0.92 for tall in _heights(stage, things)]
    named = stage.reading.things
    carried = {rider for rider, base in pairwise(named) if base.relation == "on"}
    if carried and len(set(things) - carried) == 1:
        return _carrying(stage, things, carried)
    room = stage.width * 0.9
    widths = [
        tall * symbols()[thing.motif].width / symbols()[thing.motif].height
        for tall, thing in zip(heights, things, strict=True)
    ]
    squeeze = min(1.0, room / max(1.0, sum(widths)))
    gap = (room - sum(widths) * squeeze) / (len(things) + 1)
    at = stage.width * 0.05 + gap
    spots = []
    for index in _across(things, stream):
        thing, wide = things[index], widths[index] * squeeze
        near = min(1.0, max(0.0, 0.5 + stream.uniform(-0.3, 0.3)))
        if len(things) == 1:
            near = 0.6
        y = stage.horizon + rows * (0.16 + (0.34 if stage.setting == "sea" else 0.6) * near)
        tall = heights[index] * squeeze * (0.72 + 0.4 * near)
        spots.append(
            Spot(
                thing,
                symbols()[thing.motif],
                "water",
                at + wide / 2,
                y,
                tall,
                0.25 + 0.2 * near,
                stream.chance(0.5),
                10 + near,
            )
        )
        at += wide + gap
    return spots


def _carrying(stage: Stage, things: list[Thing], carried: set[Thing]) -> list[Spot]:
    """One floating thing, as large as if it were alone, and those on it, which will be seated."""
    base = next(thing for thing in things if thing not in carried)
    part = _height(stage, base, [base]) * 0.86 / _wanted(stage, base, things)
    y = stage.horizon + (min(stage.height, stage.shore) - stage.horizon) * 0.42
    spots: list[Spot] = []
    for thing in things:
        size = _wanted(stage, thing, things) * part
        mirrored = stage.stream("afloat", len(spots)).chance(0.5)
        # Each its own order: equal spots could not be told apart.
        order = 10.5 + 0.001 * len(spots)
        spots.append(Spot(thing, symbols()[thing.motif], "water", stage.width / 2, y, size, 0.35, mirrored, order))
    return spots


_ARRANGERS: Final = {"sky": _sky, "under": _under, "water": _water, "ground": _ground}
