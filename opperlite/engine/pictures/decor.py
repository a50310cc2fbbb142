"""What furnishes a place besides the things that the prompt names."""

from typing import Final

from opperlite.engine.pictures.placement import foot
from opperlite.engine.pictures.prompt import Thing
from opperlite.engine.pictures.spots import Spot
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.symbols import symbols

DECOR: Final[dict[str, tuple[tuple[str, int, float], ...]]] = {
    "village": (("house", 5, 0.17), ("church", 1, 0.26), ("tree", 4, 0.15)),
    "farm": (("barn", 1, 0.16), ("tree", 3, 0.12)),
    "garden": (("bush", 3, 0.1), ("flower", 6, 0.09)),
    "meadow": (("tree", 4, 0.14),),
    "desert": (("cactus", 4, 0.13),),
    "beach": (("palm", 2, 0.32),),
    "snowfield": (("pine", 5, 0.14),),
    "underwater": (("coral", 9, 0.15), ("starfish", 2, 0.05)),
    "mountains": (("pine", 5, 0.17),),
    "lake": (("pine", 4, 0.2),),
    "street": (("street_lamp", 3, 0.3), ("tree", 2, 0.2)),
    "jungle": (("palm", 5, 0.36), ("bush", 4, 0.12)),
    "city": (("street_lamp", 3, 0.24), ("tree", 2, 0.14)),
    "forest": (("mushroom", 3, 0.07), ("bush", 3, 0.1)),
}
"""What furnishes each setting: motif, how many, and how high beside the picture's unit."""


_TRIES: Final = 4


def decorate(stage: Stage, taken: list[Spot]) -> list[Spot]:
    """Small things of the place itself, where nothing else stands."""
    stream = stage.stream("decor")
    spots: list[Spot] = []
    alone = 1.0 if taken else 1.5
    if stage.setting == "city" and not any(spot.place == "ground" for spot in taken):
        return []
    named = {thing.motif for thing in stage.reading.things} | set(stage.reading.absent)
    for motif, count, share in _furniture(stage):
        symbol = symbols()[motif]
        before = len(spots)
        # What there is one of is tried more often: a farm has its barn.
        for _ in range(0 if motif in named else count if count > 1 else _TRIES):
            if count == 1 and len(spots) > before:
                break
            near = stream.uniform(0.0, 0.3)
            tall = max(4.0, stage.unit * share * alone * stream.uniform(0.75, 1.15) * (0.8 + near))
            wide = tall * symbol.width / symbol.height
            x, mirrored = stream.random() * stage.width, stream.chance(0.5)
            clear = all(
                abs(x - spot.x) > (_width(spot) + wide) * 0.46
                for spot in [*taken, *spots]
                if spot.place not in ("sky", "under")
            )
            aside = stage.setting == "underwater" or not taken or not 0.3 < x / stage.width < 0.7
            if clear and aside:
                y = foot(stage, near * 0.5) if stage.setting != "street" else stage.horizon + stage.height * 0.03
                spots.append(Spot(Thing(motif), symbol, "ground", x, y, tall, 0.36 + 0.2 * near, mirrored, 8 + near))
    return spots


def _furniture(stage: Stage) -> tuple[tuple[str, int, float], ...]:
    """What furnishes the stage's setting; no palms grow on rough or cold coasts."""
    rough = stage.snowy or {"storm", "fog", "rain", "wind", "aurora"} & set(stage.reading.weather)
    if stage.setting == "beach" and (rough or any(thing.motif == "lighthouse" for thing in stage.reading.things)):
        return (("rock", 5, 0.12),)
    return DECOR.get(stage.setting, ())


def _width(spot: Spot) -> float:
    return spot.tall * spot.symbol.width / spot.symbol.height
