"""Edits of our own pictures: their things go, change or get something, and all else stays."""

import io
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from opperlite.adapters.offline_tasks import MakeImages, perform
from opperlite.domain.ports import Sources
from opperlite.domain.types import ImagePlan
from opperlite.engine.pictures import edits, origins, picture, pixels, wearing
from opperlite.engine.pictures.caption import strip
from opperlite.engine.pictures.pixels import Pixels

PROMPT = "a cat and a dog in a garden"
SIZE = (240, 160)
KNOWN = origins.Origin(PROMPT, 3)


def drawn(prompt: str = PROMPT, seed: int = 3, **parameters: str) -> Pixels:
    return picture.draw(prompt, *SIZE, seed=seed, **parameters)  # type: ignore[arg-type]


def edited(words: str, source: Pixels, known: origins.Origin | None = KNOWN) -> Pixels:
    return picture.edit(words, source, *SIZE, seed=9, origin=known)


def changed(first: Pixels, second: Pixels) -> np.ndarray:
    return np.abs(first.astype(np.int16) - second).max(axis=2) > 3


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def silhouette(motif: str) -> np.ndarray:
    memory = origins.recalled(drawn(), KNOWN)
    assert memory is not None
    mask = memory.silhouette(motif)
    assert mask is not None
    return mask > 127


def test_what_is_removed_is_gone_and_the_rest_stays() -> None:
    source = drawn()
    dog, cat = silhouette("dog"), silhouette("cat")
    result = edited("remove the dog", source)
    seen = changed(source, result)
    assert seen[dog].mean() > 0.9
    assert not seen[cat].any()
    assert not changed(result, edited("remove the dog and the bird", source)).any()


def test_the_removed_is_gone_under_a_caption_and_from_a_lossy_file(tmp_path: Path) -> None:
    notes = {"prompt": PROMPT, "model": "a/b", "seed": "3", "Software": "opperlite 1"}
    captioned = drawn(caption="a/b  240x160")
    path = tmp_path / "source.jpeg"
    path.write_bytes(pixels.encode(captioned, "jpeg", metadata=notes))
    known = origins.origin(pixels.notes(path))
    assert known == KNOWN
    result = edited("remove the dog", pixels.decode(path), known)
    rows = strip(*SIZE)
    clean = edited("remove the dog", drawn())
    assert float(np.abs(result[:-rows].astype(np.int16) - clean[:-rows]).mean()) < 3
    assert not changed(result[-rows:], clean[-rows:]).any()


def test_what_is_not_there_cannot_be_removed() -> None:
    source = drawn()
    assert np.array_equal(edited("remove the elephant", source), source)


def test_a_file_of_ours_is_known_by_its_notes(tmp_path: Path) -> None:
    plan = ImagePlan("a/b", PROMPT, 1, *SIZE, seed=3)
    first = perform(MakeImages(plan, Sources(), tmp_path, "opperlite 1"), lambda _: None)
    assert isinstance(first, list)
    source = first[0].path.rename(tmp_path / "source.png")
    wish = replace(plan, prompt="remove the dog", caption=False)
    second = perform(MakeImages(wish, Sources(image=source), tmp_path, "opperlite 1"), lambda _: None)
    assert isinstance(second, list)
    assert np.array_equal(pixels.decode(second[0].path), edited("remove the dog", drawn()))


def test_a_thing_is_recoloured_alone() -> None:
    source = drawn("a red car on a street")
    result = edited("make the car blue", source, origins.Origin("a red car on a street", 3))
    seen = changed(source, result)
    left, top, right, bottom = box(seen)
    assert 0 < (right - left) * (bottom - top) < 0.7 * SIZE[0] * SIZE[1]
    assert result[seen][:, 2].mean() > result[seen][:, 0].mean() + 40


def test_a_thing_is_exchanged_in_its_place() -> None:
    source = drawn("a house by a lake")
    known = origins.Origin("a house by a lake", 3)
    memory = origins.recalled(source, known)
    assert memory is not None
    house = memory.silhouette("house")
    assert house is not None
    result = edited("replace the house with a castle", source, known)
    assert changed(source, result)[house > 127].mean() > 0.5
    assert changed(result, edited("remove the house", source, known))[house > 127].mean() > 0.3


@pytest.mark.parametrize("known", [KNOWN, None])
@pytest.mark.parametrize("words", ["add a hat to the cat", "put a hat on the cat", "give the cat a hat"])
def test_a_hat_goes_to_the_head(words: str, known: origins.Origin | None) -> None:
    source = drawn("a cat in a garden" if known is None else PROMPT)
    if known is None:
        memory = origins.recalled(source, origins.Origin("a cat in a garden", 3))
        assert memory is not None
        mask = memory.silhouette("cat")
        assert mask is not None
        cat = mask > 127
    else:
        cat = silhouette("cat")
    left, top, right, bottom = box(cat)
    hat = box(changed(source, edited(words, source, known)))
    middle = (hat[0] + hat[2]) / 2
    assert left < middle < right
    assert hat[1] < top < hat[3] < (top + bottom) / 2


def test_what_names_no_receiver_is_added_as_before() -> None:
    assert edits.anchor("add a hat") is None
    assert edits.anchor("remove the hat from the cat") is None
    assert edits.anchor("add a hat to the cat") == "cat"


def test_a_picture_that_does_not_show_what_it_says_is_not_believed() -> None:
    other = drawn("a pirate ship at sea at night")
    assert origins.recalled(other, KNOWN) is None
    assert np.array_equal(edited("remove the dog", other), edited("remove the dog", other, None))


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_notes_are_read_back(tmp_path: Path, format: str) -> None:
    notes = {"prompt": "a <cat> & a\nmodel of a fish, 猫", "model": "x/y", "seed": "-5", "style": "vivid"}
    notes["Software"] = "opperlite 0.1"
    (tmp_path / "x").write_bytes(pixels.encode(drawn(), format, metadata=notes))
    assert pixels.notes(tmp_path / "x") == notes
    assert origins.origin(pixels.notes(tmp_path / "x")) == origins.Origin(notes["prompt"], -5, "vivid")


@pytest.mark.parametrize("notes", [{}, {"Software": "GIMP", "seed": "1"}, {"Software": "opperlite 1", "seed": "x"}])
def test_pictures_of_others_have_no_origin(tmp_path: Path, notes: dict[str, str]) -> None:
    assert origins.origin(notes) is None
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "JPEG")
    (tmp_path / "x").write_bytes(out.getvalue())
    assert origins.origin(pixels.notes(tmp_path / "x")) is None


def test_an_empty_mask_has_no_head() -> None:
    assert wearing.head(np.zeros((40, 40), np.uint8)) is None
