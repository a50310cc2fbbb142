"""The words the engine understands, read from the tables under words/."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

LANGUAGES: Final = ("en", "de", "fr", "es", "sv")

_ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("s", "es"),
    "de": ("n", "e", "en", "er", "s", "ern", "chen", "es"),
    "fr": ("s", "x", "es"),
    "es": ("s", "es"),
    "sv": ("n", "en", "et", "r", "ar", "or", "er", "na", "arna", "orna", "erna", "t", "a"),
}
"""Endings that may be taken off a word to find it; tried shortest first."""

_PLURALS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("s", "es"),
    "de": ("n", "e", "en", "er", "s", "ern"),
    "fr": ("s", "x"),
    "es": ("s", "es"),
    "sv": ("r", "ar", "or", "er", "na", "arna", "orna", "erna"),
}
"""Those of the endings that mean several."""
_IRREGULAR: Final = frozenset(("mice", "geese", "people", "children", "men", "women", "cacti", "snowmen", "yeux"))

_WORD: Final = re.compile(r"\b(?:[LlDdJjMmNnSsTtCc]|[Qq]u)['’](?=\w)|\w[\w'’&-]*")
"""A word; French elisions (l'arbre) are words of their own."""


@dataclass(frozen=True)
class Entry:
    """One notion: kind and key, such as ("colour", "red"), and its own values."""

    kind: str
    key: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True)
class Match:
    """A piece of a prompt: the words as written, folded, and what they mean; entries is empty for unknown words."""

    words: str
    folded: str
    entries: tuple[Entry, ...]
    ends_phrase: bool

    def of(self, kind: str) -> Entry | None:
        """The entry of this kind, if the words have such a meaning."""
        return next((entry for entry in self.entries if entry.kind == kind), None)


def fold(text: str) -> str:
    """Lower case without accents, typographic apostrophes made plain."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'").rstrip("'"))
    return "".join(mark for mark in plain if not unicodedata.combining(mark))


@cache
def tables() -> dict[str, dict[str, Entry]]:
    """Every entry by kind and key."""
    found: dict[str, dict[str, Entry]] = {}
    folder = resources.files("opperlite.engine.pictures") / "words"
    for name in ("scenes", "looks", "grammar", "edits"):
        data = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
        for kind, entries in data.items():
            found[kind] = {key: Entry(kind, key, values) for key, values in entries.items()}
    motifs = tomllib.loads((folder / "motifs.toml").read_text("utf-8"))
    found["motif"] = {key: Entry("motif", key, values) for key, values in motifs.items()}
    return found


def language_of(text: str) -> str:
    """The language most of the known words belong to; English when nothing tells."""
    words = [fold(word) for word in _WORD.findall(text)]
    scores = {language: sum(_weight(language, word) for word in words) for language in LANGUAGES}
    best = max(scores.values())
    return next(language for language in LANGUAGES if scores[language] == best)


def matches(text: str, language: str) -> Iterator[Match]:
    """The prompt as its known phrases (longest first) and single unknown words."""
    found = [(word.group(), fold(word.group()), word.end()) for word in _WORD.finditer(text)]
    place = 0
    while place < len(found):
        for length in range(min(4, len(found) - place), 0, -1):
            phrase = " ".join(part[1] for part in found[place : place + length])
            entries = _look_up(phrase, language)
            if entries or length == 1:
                break
        end = found[place + length - 1][2]
        words = " ".join(part[0] for part in found[place : place + length])
        gap = text[end : found[place + length][2]] if place + length < len(found) else "."
        yield Match(words, phrase, entries, gap.lstrip()[:1] in tuple(".,;:!?\n"))
        place += length


def plural(word: str, entry: Entry, language: str) -> bool:
    """True when the folded word is an entry's word with an ending for several."""
    if word in _IRREGULAR:
        return True
    own = {fold(part).strip() for part in str(entry.values.get(language, "")).split(",")}
    return any(stem in own and stem != word for stem in _stems(word, language, _PLURALS))


def _look_up(phrase: str, language: str) -> tuple[Entry, ...]:
    order = (language, *(other for other in LANGUAGES if other != language))
    for candidate in order:
        # Short words mean too many things elsewhere: "see" is German for sea, "all" for space.
        if candidate != language and len(phrase) < 5:
            continue
        entries = _index(candidate).get(phrase, ())
        if entries:
            return entries
    if " " in phrase:
        return ()
    for candidate in order if len(phrase) > 6 else order[:1]:
        for stem in _stems(phrase, candidate):
            entries = tuple(entry for entry in _index(candidate).get(stem, ()) if entry.kind not in _CLOSED)
            if entries:
                return entries
    return ()


_CLOSED: Final = frozenset(("number", "relation", "negation", "stop", "size"))
"""Kinds whose words are never found by taking endings off."""


def _stems(word: str, language: str, endings: Mapping[str, tuple[str, ...]] = _ENDINGS) -> Iterator[str]:
    if language == "en" and word.endswith("ies"):
        yield word[:-3] + "y"
    if language == "en" and word.endswith("ves"):
        yield word[:-3] + "f"
        yield word[:-3] + "fe"
    for ending in endings[language]:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)]
            if ending in ("ar", "or", "er", "orna", "arna", "na", "n"):
                yield word[: -len(ending)] + "a"


@cache
def _index(language: str) -> dict[str, tuple[Entry, ...]]:
    found: dict[str, tuple[Entry, ...]] = {}
    for entries in tables().values():
        for entry in entries.values():
            for phrase in str(entry.values.get(language, "")).split(","):
                words = fold(" ".join(_WORD.findall(phrase)))
                if words:
                    found[words] = (*found.get(words, ()), entry)
    return found


def _weight(language: str, word: str) -> int:
    entries = _index(language).get(word, ())
    if not entries:
        return 0
    return 3 if any(entry.kind in ("stop", "number", "relation") for entry in entries) else 2
