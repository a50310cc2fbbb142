"""Places: which builder makes the layers of which setting."""

from collections.abc import Callable
from typing import Final

from opperlite.engine.pictures.countryside import desert, farm, forest, garden, jungle, meadow, mountain_land, snowfield
from opperlite.engine.pictures.heavens import moonscape, outer_space, sky_only
from opperlite.engine.pictures.interiors import room, studio
from opperlite.engine.pictures.stage import Stage
from opperlite.engine.pictures.towns import city, street, village
from opperlite.engine.pictures.waterside import beach, lake, sea, underwater


def build(stage: Stage) -> None:
    """Add the layers of the stage's setting, up to the ground things stand on."""
    stage.horizon = round(stage.height * HORIZONS.get(stage.setting, 0.56))
    stage.shore = stage.height
    _BUILDERS[stage.setting](stage)


def _abstract(stage: Stage) -> None:
    from opperlite.engine.pictures.abstract import compose_abstract

    compose_abstract(stage)


HORIZONS: Final = {
    "meadow": 0.52, "farm": 0.46, "garden": 0.55, "forest": 0.66, "jungle": 0.66, "mountains": 0.62, "desert": 0.5,
    "beach": 0.5, "sea": 0.5, "lake": 0.52, "city": 0.72, "street": 0.62, "village": 0.5, "snowfield": 0.56,
    "underwater": 0.82, "space": 1.0, "moonscape": 0.62, "sky": 1.0, "room": 0.64, "studio": 0.8, "abstract": 1.0,
}  # fmt: skip


_BUILDERS: Final[dict[str, Callable[[Stage], None]]] = {
    "meadow": meadow,
    "farm": farm,
    "garden": garden,
    "forest": forest,
    "jungle": jungle,
    "mountains": mountain_land,
    "desert": desert,
    "beach": beach,
    "sea": sea,
    "lake": lake,
    "city": city,
    "street": street,
    "village": village,
    "snowfield": snowfield,
    "underwater": underwater,
    "space": outer_space,
    "moonscape": moonscape,
    "sky": sky_only,
    "room": room,
    "studio": studio,
    "abstract": _abstract,
}
