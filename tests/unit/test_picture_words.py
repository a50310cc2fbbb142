"""Prompts are read in five languages, and every word of the tables means something drawn."""

import pytest

from opperlite.engine.pictures import lexicon, prompt, scene
from opperlite.engine.pictures.settings import HORIZONS
from opperlite.engine.pictures.styles import FILTERS
from opperlite.engine.pictures.symbols import symbols


def test_every_motif_is_drawn_and_named_in_every_language() -> None:
    motifs = lexicon.tables()["motif"]
    assert set(motifs) == set(symbols())
    assert len(motifs) >= 150
    for entry in motifs.values():
        assert all(entry.values.get(language) for language in lexicon.LANGUAGES), entry.key
        assert entry.values["home"] in HORIZONS
        assert entry.values.get("place", "ground") in ("ground", "sky", "water", "under", "table")


def test_every_motif_word_is_understood() -> None:
    missed = []
    for entry in lexicon.tables()["motif"].values():
        for word in str(entry.values["en"]).split(","):
            things = [thing.motif for thing in prompt.read(f"the picture of the {word.strip()}").things]
            if not things:
                missed.append((entry.key, word))
    assert missed == []


def test_every_setting_and_style_can_be_drawn() -> None:
    assert set(lexicon.tables()["setting"]) <= set(HORIZONS)
    assert set(lexicon.tables()["style"]) == set(FILTERS)


@pytest.mark.parametrize("setting", sorted(HORIZONS))
@pytest.mark.parametrize("mood", ["at night in winter", "at sunset, storm"])
def test_every_setting_is_drawn_in_any_light(setting: str, mood: str) -> None:
    name = str(lexicon.tables()["setting"][setting].values["en"]).split(",")[0]
    assert scene.compose(f"{name}, {mood}").frame(96, 64).shape == (64, 96, 3)


@pytest.mark.parametrize("name", sorted(symbols()))
def test_every_motif_can_be_painted_and_moved(name: str) -> None:
    symbol = symbols()[name]
    still, _ = symbol.paint(40)
    moved, _ = symbol.paint(40, phase=0.3, colour=(30, 90, 200))
    assert still.size == moved.size
    box = still.getbbox()
    assert box is not None
    assert (box[2] - box[0]) * (box[3] - box[1]) > 0.3 * still.width * still.height


@pytest.mark.parametrize(
    ("text", "language", "motif", "count", "setting"),
    [
        ("two black cats in a forest", "en", "cat", 2, "forest"),
        ("zwei schwarze Katzen in einem Wald", "de", "cat", 2, "forest"),
        ("deux chats noirs dans une forêt", "fr", "cat", 2, "forest"),
        ("dos gatos negros en el bosque", "es", "cat", 2, "forest"),
        ("två svarta katter i en skog", "sv", "cat", 2, "forest"),
        ("ein roter Leuchtturm am Meer", "de", "lighthouse", 1, "sea"),
        ("une maison près d'un lac", "fr", "house", 1, "lake"),
        ("tres globos en la playa", "es", "balloon", 3, "beach"),
        ("en liten stuga vid sjön", "sv", "house", 1, "lake"),
    ],
)
def test_languages(text: str, language: str, motif: str, count: int, setting: str) -> None:
    reading = prompt.read(text)
    assert reading.language == language
    assert (reading.things[0].motif, reading.things[0].count) == (motif, count)
    assert setting in reading.settings


@pytest.mark.parametrize("text", ["black cats", "schwarze Katzen", "chats noirs", "gatos negros", "svarta katter"])
def test_colours_belong_to_their_things(text: str) -> None:
    thing = prompt.read(text).things[0]
    assert thing.colour == (0x2B, 0x2B, 0x30)
    assert thing.count == 3


@pytest.mark.parametrize(
    ("text", "motifs"),
    [
        ("a castle without trees", ["castle"]),
        ("a hot air balloon and a balloon", ["hot_air_balloon", "balloon"]),
        ("a bowl of ramen", ["soup"]),
        ("an orange on a plate", ["orange"]),
        ("an orange cat", ["cat"]),
        ("a snowman", ["snowman"]),
        ("see all the things", []),
    ],
)
def test_things(text: str, motifs: list[str]) -> None:
    assert [thing.motif for thing in prompt.read(text).things] == motifs


def test_relations_sizes_and_numbers() -> None:
    cat, house = prompt.read("a small cat on a huge house").things
    assert cat.size < 1 < house.size
    assert house.relation == "on"
    assert prompt.read("4 birds").things[0].count == 4
    assert prompt.read("1000000 birds").things[0].count <= 12


@pytest.mark.parametrize(
    "text", ['he says "good morning"', "er sagt „good morning“", "il dit « good morning »", "'good morning'"]
)
def test_quotations_are_found_in_any_quotes(text: str) -> None:
    assert prompt.read(text).quoted == ("good morning",)


def test_apostrophes_are_no_quotations() -> None:
    assert prompt.read("the cat's and the dog's house").quoted == ()


def test_colours_of_places_and_of_nothing() -> None:
    reading = prompt.read("a boat under a purple sky, gold")
    assert "sky_tint" in reading.tints
    assert len(reading.colours) == 1


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("a shark", "underwater"),
        ("a cup of tea", "room"),
        ("a rocket", "space"),
        ("a camel", "desert"),
        ("a pirate at sea", "beach"),
        ("a lighthouse at sea", "sea"),
        ("zzz qqq", "abstract"),
        ("", "abstract"),
    ],
)
def test_places_that_are_not_named_are_guessed(text: str, setting: str) -> None:
    assert scene.compose(text).setting == setting


def test_falling_leaves_are_weather() -> None:
    reading = prompt.read("an autumn forest, leaves falling")
    assert reading.things == ()
    assert "leaves" in reading.weather
    assert [thing.motif for thing in prompt.read("a red leaf on a table").things] == ["leaf", "table"]


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("blueprint of a bicycle", "studio"),
        ("blueprint of a bicycle on a street", "street"),
        ("a mosaic of a fish at sunset", "underwater"),
        ("two penguins on an iceberg", "sea"),
        ("two penguins", "snowfield"),
    ],
)
def test_places_of_what_names_none(text: str, setting: str) -> None:
    assert scene.compose(text).setting == setting
