"""Things on, under and above one another, as the prompt says."""

from dataclasses import replace

from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.spots import Spot, place_of
from opperlite.engine.pictures.stage import Stage


def related(stage: Stage, spots: list[Spot]) -> list[Spot]:
    """Put what is on, under or above another thing there."""
    things = list(stage.reading.things)
    for index, thing in enumerate(things):
        before = things[index - 1] if index else None
        if before is None or thing.relation not in ("on", "under", "above"):
            continue
        bases = [spot for spot in spots if spot.thing == (thing if thing.relation == "on" else before)]
        movers = [spot for spot in spots if spot.thing == (before if thing.relation == "on" else thing)]
        # "a cat on a house": the first named stands on the second.
        if thing.relation in ("under", "above"):
            bases, movers = movers, bases
        if not bases or not movers or (place_of(stage, before) == "sky" and thing.relation == "on"):
            continue
        if thing.relation == "above":
            # Room above is made by a lower base.
            lower = {id(base): replace(base, tall=base.tall * 0.75) for base in bases if base.place == "ground"}
            spots = [lower.get(id(spot), spot) for spot in spots]
            bases = [lower.get(id(base), base) for base in bases]
        spots = [_seated(spot, bases, movers, thing.relation) if spot in movers else spot for spot in spots]
    return spots


def _seated(spot: Spot, bases: list[Spot], movers: list[Spot], relation: str) -> Spot:
    number = movers.index(spot)
    base = bases[number % len(bases)]
    wide = base.tall * base.symbol.width / base.symbol.height
    share = (number // len(bases) + 1) / (len(movers) // len(bases) + 1) - 0.5
    if relation == "on":
        tall = min(spot.tall, base.tall * 0.8, wide * 0.7 * spot.symbol.height / spot.symbol.width)
        seat = float(tables()["motif"][base.thing.motif].values.get("seat", 0.0))
        y = base.y - base.tall * (1.0 - seat) + tall * 0.06
        return replace(
            spot,
            x=base.x + share * wide * 0.7,
            y=max(y, tall + 2),
            tall=tall,
            place="seat",
            order=base.order + 0.5,
            depth=base.depth,
        )
    if relation == "above":
        y = base.y - base.tall - spot.tall * 0.1
        tall = max(spot.tall * 0.5, min(spot.tall, y * 0.95))
        return replace(spot, x=base.x + share * wide, y=max(tall * 1.02, y), tall=tall, place="sky")
    return spot
