"""What a prompt says, in the engine's own notions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from opperlite.engine.pictures import lexicon
from opperlite.engine.pictures.lexicon import Entry, Match
from opperlite.engine.pictures.symbols import Colour, hex_colour

_QUOTES: Final = re.compile(r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«\s*([^»]+?)\s*»|(?<!\w)'([^']{2,})'(?!\w)")
_NOUN_FIRST: Final = frozenset(("fr", "es"))
"""Languages whose colour words follow the noun."""
_TINTED: Final = {"sea": "water_tint", "lake": "water_tint", "sky": "sky_tint", "space": "sky_tint"}
_MOST: Final = 12
"""More things of one kind than this are not told apart anyway."""


@dataclass(frozen=True)
class Thing:
    """A motif the prompt asks for: how many, how large (1 is usual), its colour, and where beside the thing before."""

    motif: str
    count: int = 1
    size: float = 1.0
    colour: Colour | None = None
    relation: str = ""


@dataclass(frozen=True)
class Reading:
    """A prompt as understood; the first of each notion counts, lists keep the prompt's order."""

    text: str
    language: str
    things: tuple[Thing, ...]
    settings: tuple[str, ...]
    weather: tuple[str, ...]
    time_of_day: str
    season: str
    moods: tuple[str, ...]
    styles: tuple[str, ...]
    colours: tuple[Colour, ...]
    tints: Mapping[str, Colour]
    edits: tuple[str, ...]
    numbers: tuple[int, ...]
    quoted: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    """Motifs the prompt does not want."""
    backdrop: Colour | None = None
    """A plain colour wished behind everything; only edits ask for it."""

    @property
    def empty(self) -> bool:
        """True when nothing of it can be shown as a scene."""
        return not (self.things or self.settings or self.weather or self.time_of_day or self.season)


@lru_cache(maxsize=256)
def read(text: str) -> Reading:
    """Understand a prompt; never fails, unknown words are listed."""
    quoted = tuple(next(part for part in found if part).strip() for found in _QUOTES.findall(text))
    plain = _QUOTES.sub(" , ", text)
    language = lexicon.language_of(plain)
    reader = _Reader(language)
    for match in lexicon.matches(plain, language):
        reader.take(match)
    return reader.reading(text, quoted)


class _Reader:
    """Walks the matches; what describes a thing is kept until the thing comes."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._things: list[Thing] = []
        self._lists: dict[str, list[str]] = {kind: [] for kind in ("setting", "weather", "time", "season", "mood")}
        self._lists |= {"style": [], "edit": []}
        self._colours: list[Colour] = []
        self._tints: dict[str, Colour] = {}
        self._numbers: list[int] = []
        self._unknown: list[str] = []
        self._absent: list[str] = []
        self._noun = ""
        self._forget()

    def _forget(self) -> None:
        self._count, self._size, self._relation, self._negated = 0, 1.0, "", False
        self._pending: list[Colour] = []
        self._fruit = ""

    def take(self, match: Match) -> None:
        """Read one match."""
        if match.folded.isdigit():
            self._number(match.folded)
        elif motif := match.of("motif"):
            self._thing(motif.key, match)
        elif colour := match.of("colour"):
            self._colour(colour)
        elif any(match.of(kind) for kind in ("number", "size", "relation", "negation")):
            self._describe(match)
        else:
            self._notion(match)
        if match.ends_phrase:
            self._settle()

    def _number(self, digits: str) -> None:
        value = int(digits[:6])
        self._numbers.append(value)
        self._count = min(max(value, 1), _MOST)

    def _describe(self, match: Match) -> None:
        if number := match.of("number"):
            self._count = max(self._count, int(number.key))
        if size := match.of("size"):
            self._sized(float(size.values["factor"]))
        if match.of("negation"):
            self._negated = True
        if relation := match.of("relation"):
            self._settle()
            self._relation = relation.key
        if side := match.of("edit"):
            self._lists["edit"].append(side.key)

    def _sized(self, factor: float) -> None:
        if self._noun == "motif" and self._language in _NOUN_FIRST:
            last = self._things[-1]
            self._things[-1] = Thing(last.motif, last.count, last.size * factor, last.colour, last.relation)
        else:
            self._size = factor

    def _thing(self, key: str, match: Match) -> None:
        if self._negated:
            self._absent.append(key)
        else:
            colour = self._pending[-1] if self._pending else None
            count = self._count or self._usual_count(key, match)
            thing = Thing(key, count, self._size, colour, self._relation)
            # "a bowl of ramen": two words for one thing.
            if not (self._things and self._things[-1].motif == key and thing == Thing(key, thing.count)):
                self._things.append(thing)
        if not match.of("setting") or self._negated:
            self._noun = "" if self._negated else "motif"
        self._forget()

    def _usual_count(self, key: str, match: Match) -> int:
        """1, a few when the word is a plural, or what the motif itself says."""
        usual = int(lexicon.tables()["motif"][key].values.get("count", 1))
        if usual > 1:
            return usual
        entry = lexicon.tables()["motif"][key]
        return 3 if lexicon.plural(match.folded, entry, self._language) else 1

    def _colour(self, entry: Entry) -> None:
        colour = hex_colour(str(entry.values["rgb"]))
        if self._language in _NOUN_FIRST and self._noun == "motif" and self._things:
            last = self._things[-1]
            self._things[-1] = Thing(last.motif, last.count, last.size, colour, last.relation)
        elif self._language in _NOUN_FIRST and self._noun:
            self._tints[self._noun] = colour
        else:
            self._pending.append(colour)
            self._fruit = str(entry.values.get("motif", ""))

    def _notion(self, match: Match) -> None:
        if match.of("stop"):
            return
        if match.of("style") or match.of("setting"):
            self._count = 0
        part, setting = match.of("part"), match.of("setting")
        noun = part.key if part else _TINTED.get(setting.key, "ground_tint") if setting else ""
        if self._pending and noun:
            self._tints[noun] = self._pending[-1]
            self._pending = []
        for kind, found in self._lists.items():
            entry = match.of(kind)
            if entry and not self._negated and entry.key not in found:
                found.append(entry.key)
        if not match.entries:
            self._unknown.append(match.folded)
        if noun or match.of("weather"):
            self._settle()
        self._noun = noun

    def _settle(self) -> None:
        """What is still pending describes no thing: colours then belong to the whole picture."""
        if self._fruit and self._count and len(self._pending) == 1:
            # "an orange on a table": the colour's word was the thing itself.
            self._things.append(Thing(self._fruit, self._count, self._size, None, self._relation))
        else:
            self._colours += self._pending
        self._forget()
        self._noun = ""

    def reading(self, text: str, quoted: tuple[str, ...]) -> Reading:
        """All of it, once every match is taken."""
        self._settle()
        lists = {kind: tuple(found) for kind, found in self._lists.items()}
        return Reading(
            text,
            self._language,
            tuple(self._things[:10]),
            lists["setting"],
            lists["weather"],
            lists["time"][0] if lists["time"] else "",
            lists["season"][0] if lists["season"] else "",
            lists["mood"],
            lists["style"],
            tuple(dict.fromkeys(self._colours)),
            self._tints,
            lists["edit"],
            tuple(self._numbers),
            quoted,
            tuple(self._unknown),
            tuple(self._absent),
        )
