"""Which language a text is in, by script, letters and stop words."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

DEFAULT = "en"

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SAMPLE = 4000
"""Characters looked at; more changes nothing."""


@dataclass(frozen=True, slots=True)
class _Tables:
    scripts: Mapping[str, str]
    letters: Mapping[str, frozenset[str]]
    words: Mapping[str, frozenset[str]]
    codes: Mapping[str, str]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    """Load languages.toml: script → language, language → telling letters, language → stop words."""
    data = tomllib.loads(files("opperlite.engine.sound").joinpath("languages.toml").read_text("utf-8"))
    return _Tables(
        scripts=data["scripts"],
        letters={language: frozenset(letters) for language, letters in data["letters"].items()},
        words={language: frozenset(words.split()) for language, words in data["words"].items()},
        codes=data["codes"],
    )


@lru_cache(maxsize=4096)
def script(character: str) -> str:
    """Return the script of a letter as the first word of its Unicode name ("LATIN", "CJK"), else ""."""
    if unicodedata.category(character)[0] != "L":
        return ""
    name = unicodedata.name(character, "")
    return name.split("-")[0].split(" ")[0]


def script_language(name: str) -> str | None:
    """Return the usual language of a script, or None when no synthesizer here reads it."""
    return _tables().scripts.get(name)


@lru_cache(maxsize=128)
def scripts_of(language: str) -> frozenset[str]:
    """Return the scripts that a language is written in, as far as the tables tell; Latin by default."""
    tables = _tables()
    names = {name for name, home in tables.scripts.items() if home == language}
    if language in tables.words:
        names.update(script(word[0]) for word in tables.words[language])
    if language == "ja":
        names.add("CJK")
    return frozenset(names or {"LATIN"})


def normalize(code: str | None) -> str | None:
    """Return a language tag or an English or own name ("en-US", "eng", "German") as ISO 639-1, None if unknown."""
    if not code:
        return None
    tag = code.strip().casefold().replace("_", "-")
    tables = _tables()
    known = set(tables.codes.values())
    for candidate in (tag, tag.split("-")[0]):
        if candidate in tables.codes:
            return tables.codes[candidate]
        if candidate in known:
            return candidate
    return None


def detect(text: str, default: str = DEFAULT) -> str:
    """Return the ISO 639-1 code of the language of `text`; `default` where nothing tells."""
    sample = text[:_SAMPLE].casefold()
    scripts = Counter(filter(None, map(script, sample)))
    if not scripts:
        return default
    if scripts["HIRAGANA"] + scripts["KATAKANA"] and scripts["CJK"] < 8 * scripts["HIRAGANA"]:
        return "ja"
    main = scripts.most_common(1)[0][0]
    home = script_language(main)
    rivals = _rivals(main)
    if not rivals:
        return home or default
    return _best(sample, rivals) or (default if main == "LATIN" else home or default)


@lru_cache(maxsize=32)
def _rivals(main: str) -> tuple[str, ...]:
    """Return the languages with stop words in the given script."""
    return tuple(
        language for language, words in _tables().words.items() if script(next(iter(sorted(words)))[0]) == main
    )


def _best(sample: str, rivals: tuple[str, ...]) -> str | None:
    tables = _tables()
    words = Counter(match.group() for match in _WORD.finditer(sample))
    letters = Counter(sample)
    scores = {
        language: sum(words[word] * _weight(word) for word in tables.words[language] & words.keys())
        + sum(letters[letter] * _weight(letter) for letter in tables.letters.get(language, ()))
        for language in rivals
    }
    best = max(scores, key=lambda language: scores[language])
    if DEFAULT in rivals and best != DEFAULT and scores[best] < _EVIDENCE + scores[DEFAULT]:
        return DEFAULT if scores[DEFAULT] else None
    return best if scores[best] > 0 else None


_EVIDENCE = 0.3
"""Lead over English that another language of its script needs: a third of a word that it alone has."""


@lru_cache(maxsize=4096)
def _weight(sign: str) -> float:
    """Return how much a word or letter tells: the fewer languages have it the more, and single letters little."""
    tables = _tables()
    holders = sum(sign in table for group in (tables.words, tables.letters) for table in group.values())
    return (0.5 if len(sign) == 1 else 1.0) / max(1, holders)
