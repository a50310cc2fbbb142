"""Spots: one drawn copy of a thing in its place."""

from dataclasses import dataclass
from typing import Final

from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.prompt import Thing
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import Symbol

FLOATING: Final = frozenset(("space", "sky"))
"""Settings without ground: everything hovers."""

WOODED: Final = frozenset(("forest", "jungle", "garden"))
"""Settings whose trees reach high into the sky."""

_WATERS: Final = frozenset(("sea", "lake", "beach"))


@dataclass(frozen=True)
class Spot:
    """One drawn copy of a thing: its foot's middle and its height in pixels, and how deep in the scene it stands."""

    thing: Thing
    symbol: Symbol
    place: str
    x: float
    y: float
    tall: float
    depth: float
    mirrored: bool
    order: float


def place_of(stage: Stage, thing: Thing) -> str:
    """sky, water, under or ground: where this thing belongs in this setting."""
    place = str(tables()["motif"][thing.motif].values.get("place", "ground"))
    if stage.setting in FLOATING:
        return "sky"
    if stage.setting in ("studio", "room", "abstract"):
        floats = stage.setting == "room" and tables()["motif"][thing.motif].values.get("floats")
        return "sky" if floats else "ground"
    if stage.setting == "underwater":
        return "under" if place in ("under", "sky", "water") else "ground"
    if place == "under":
        return "water" if stage.setting in _WATERS else "ground"
    if place == "water" and stage.setting not in _WATERS:
        return "ground"
    if place in ("ground", "table") and stage.setting == "sea":
        return "water"
    return "ground" if place == "table" else place
