"""Things added to one that is there: hats on heads, glasses on noses, the rest beside it."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from opperlite.engine.pictures import sprites
from opperlite.engine.pictures.layers import Layer
from opperlite.engine.pictures.prompt import Thing
from opperlite.engine.pictures.spots import Spot
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.subjects import Mask
from opperlite.engine.pictures.symbols import symbols

_ON_HEADS: Final = {"hat": 1.3, "crown": 0.9}
"""Widths beside that of the head; how the thing sits is in `_worn`."""


@dataclass(frozen=True)
class Head:
    """The top of a silhouette: its middle, its upper edge and its width, and the silhouette's own box."""

    x: float
    y: float
    width: float
    left: float
    right: float
    bottom: float


def head(mask: Mask) -> Head | None:
    """Where the head of what a mask shows is: the part that reaches highest; None for an empty mask."""
    inside = mask > 127
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < 4 or len(columns) < 4:
        return None
    top, bottom = int(rows[0]), int(rows[-1])
    tall = bottom - top + 1
    x = float(np.median(np.nonzero(inside[top : top + max(1, tall // 8)])[1]))
    line = inside[min(bottom, top + tall // 5)]
    run = np.flatnonzero(~line)
    left = int(max(run[run < x], default=columns[0] - 1)) + 1
    right = int(min(run[run > x], default=columns[-1] + 1))
    # Between two ears or horns the line is open; then half of the whole has to do.
    wide = float(right - left) if right - left > 0.1 * tall else 0.5 * len(columns)
    if right - left > 0.1 * tall:
        x = (left + right) / 2
    return Head(x, float(top), min(wide, 0.9 * tall), float(columns[0]), float(columns[-1]), float(bottom))


def worn(stage: Stage, things: tuple[Thing, ...], wearer: Head) -> list[Layer]:
    """The layers of things that what has this head is given."""
    spots = [_worn(stage, thing, wearer) for thing in things]
    sprites.put(stage, spots)
    return stage.layers


def _worn(stage: Stage, thing: Thing, wearer: Head) -> Spot:
    symbol = symbols()[thing.motif]
    shape = symbol.height / symbol.width
    tall = wearer.bottom - wearer.y
    plain = replace(thing, count=1, relation="")
    if thing.motif in _ON_HEADS:
        high = wearer.width * _ON_HEADS[thing.motif] * shape
        # A hat hides the crown of the head; one that would leave the picture sits lower.
        foot = max(high * 1.02, wearer.y + 0.09 * tall)
        return Spot(plain, symbol, "seat", wearer.x, foot, max(4.0, high), 0.6, False, 90.0)
    if thing.motif == "glasses":
        high = wearer.width * 0.82 * shape
        return Spot(
            plain, symbol, "seat", wearer.x, wearer.y + 0.27 * tall + high / 2, max(4.0, high), 0.6, False, 90.0
        )
    high = min(0.5 * tall, 0.4 * stage.height)
    wide = high / shape
    right = wearer.right + 0.6 * wide
    x = right if right + wide / 2 <= stage.width else wearer.left - 0.6 * wide
    return Spot(
        plain, symbol, "ground", min(stage.width - wide / 2, max(wide / 2, x)), wearer.bottom, high, 0.6, False, 90.0
    )
