"""A few small pictures by their hashes: what is drawn changes only on purpose.

After a wanted change: `python -m tests.unit.test_picture_golden` prints the new table.
"""

import hashlib
from functools import cache

import numpy as np
import pytest

from opperlite.engine.pictures import picture, scene
from opperlite.engine.pictures.pixels import Pixels

PROMPTS = (
    "two hot air balloons over a green valley at sunrise",
    "a lighthouse in a storm at sea",
    "neon city at night in the rain",
    "a cup of coffee and two apples",
    "three fish in a coral reef",
    "abstract shapes in red and blue",
    "ein Fuchs im verschneiten Wald, Aquarell",
    "un château dans les montagnes, pixel art",
)

GOLDEN = {
    "two hot air balloons over a green valley at sunrise": "93df16a56b864b2d",
    "a lighthouse in a storm at sea": "b0a46ae280ac9696",
    "neon city at night in the rain": "816c7f2faed716b4",
    "a cup of coffee and two apples": "26f02b2b89737a49",
    "three fish in a coral reef": "8f84ea9ba7678716",
    "abstract shapes in red and blue": "a30bb0fa1d5ad7eb",
    "ein Fuchs im verschneiten Wald, Aquarell": "6bc5a4e33f40ba5e",
    "un château dans les montagnes, pixel art": "b1518a78f5b15ee0",
    "edit": "b17610590d5c7746",
    "frame": "2df6c5f88c1e2f6d",
    "transparent": "d310fcbf646c28a8",
}


def shapes(drawn: Pixels) -> str:
    """The hash of a picture's bytes."""
    return hashlib.sha256(np.ascontiguousarray(drawn).tobytes()).hexdigest()[:16]


def table() -> dict[str, str]:
    """Every golden picture's name and hash."""
    hashes = {prompt: shapes(picture.draw(prompt, 96, 64, seed=1)) for prompt in PROMPTS}
    source = picture.draw(PROMPTS[0], 96, 64)
    hashes["edit"] = shapes(picture.edit("make it night, add a bird", source, 96, 64, seed=2))
    hashes["frame"] = shapes(scene.compose(PROMPTS[1], seed=4).frame(96, 54, time=2.5))
    hashes["transparent"] = shapes(picture.draw("a red car", 96, 64, transparent=True))
    return hashes


@cache
def drawn() -> dict[str, str]:
    """The table, made once for all tests."""
    return table()


@pytest.mark.parametrize("name", [*PROMPTS, "edit", "frame", "transparent"])
def test_golden_pictures(name: str) -> None:
    assert drawn()[name] == GOLDEN[name]


if __name__ == "__main__":
    for name, value in table().items():
        print(f"    {name!r}: {value!r},")
