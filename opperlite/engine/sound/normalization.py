"""Text as a voice reads it: markup off, numbers and abbreviations in words, each script in its language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from opperlite.engine.sound import english, languages

_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<!--.*?-->", re.S), " "),
    (re.compile(r"</?[A-Za-z][^<>\n]{0,200}>"), " "),
    (re.compile(r"^[ \t]*(?:```|~~~).*$", re.M), " "),
    (re.compile(r"!\[([^\]\n]{0,500})\]\([^)\s]{0,2000}\)"), r"\1"),
    (re.compile(r"\[([^\]\n]{1,500})\]\([^)\s]{0,2000}\)"), r"\1"),
    (re.compile(r"^[ \t]*(?:#{1,6}|>+|[-*+•])[ \t]+", re.M), ""),
    (re.compile(r"^[ \t]*(?:[-=_*|:+][ \t]*){3,}$", re.M), "\n"),
    (re.compile(r"(\*\*|__|~~)(?=\S)(.{1,1000}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,1000}?)(?<=[^\s*])\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]{1,1000}?)(?<=[^\s_])_(?!\w)"), r"\1"),
    (re.compile(r"`+"), ""),
    (re.compile(r"[ \t]*\|[ \t]*"), ", "),
)
"""Markdown and HTML that is seen and not said, each with what is left of it."""

_SILENT_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Sk", "So"})
"""Unicode categories never read: control, format, surrogate, private, unassigned, modifier, pictures."""

_SPOKEN_SIGNS = frozenset("°©®™№℃℉")

_SENTENCE_ENDS = ".!?…。！？।؟"

_PAUSES = ",;:—–、，；：،"

_UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
"""Scripts written without spaces; their characters are timed one by one."""

_LONGEST_WORD = 60


@dataclass(frozen=True, slots=True)
class Token:
    """A word as written and as spoken.

    `spoken` may be several words or empty; `pause` is "", "," or "." for none, a short one and a
    sentence's end; `spaced` tells whether white space came before it.
    """

    written: str
    spoken: str
    language: str
    pause: str
    spaced: bool


def clean(text: str) -> str:
    """Return the text without markup, emoji and control characters, white space collapsed."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    kept = "".join(character if _audible(character) else " " for character in text)
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", kept))
    return "\n".join(filter(None, paragraphs))


@lru_cache(maxsize=4096)
def _audible(character: str) -> bool:
    if character in "\n\t" or character in _SPOKEN_SIGNS:
        return True
    return unicodedata.category(character) not in _SILENT_CATEGORIES


def tokens(text: str, language: str) -> tuple[Token, ...]:
    """Split cleaned text into tokens; `language` is that of the text as a whole."""
    found: list[Token] = []
    for match in re.finditer(r"(\n?)([^\s]+)", text):
        if match.group(1) and found:
            found[-1] = _with_pause(found[-1], ".")
        found.extend(_chunk(match.group(2), language))
    return tuple(found)


def _with_pause(token: Token, pause: str) -> Token:
    return Token(token.written, token.spoken, token.language, pause, token.spaced)


def _chunk(chunk: str, language: str) -> Iterator[Token]:
    """Yield the tokens of a run without white space: one, or one for each script in it."""
    spaced = True
    for part in _script_runs(chunk, language):
        home = _reading_language(part, language)
        spoken = _spoken(part, home) if home else ""
        yield Token(part, spoken, home or language, _pause(part), spaced)
        spaced = False


def _script_runs(chunk: str, language: str) -> Iterator[str]:
    """Split at changes of script; scripts without spaces split into single characters."""
    start, current = 0, ""
    for index, character in enumerate(chunk):
        name = languages.script(character)
        if not name:
            continue
        unspaced = name in _UNSPACED and name != "THAI"
        changed = current and name != current
        if (changed or (unspaced and current)) and index > start:
            yield chunk[start:index]
            start = index
        current = name
    if start < len(chunk):
        yield chunk[start:]


def _reading_language(part: str, language: str) -> str | None:
    """Return the language to read a one-script part in; None when there is no voice for its script."""
    name = next(filter(None, map(languages.script, part)), "")
    if not name:
        return language
    home = languages.script_language(name)
    if home is None:
        return None
    return language if name in languages.scripts_of(language) else home


def _pause(part: str) -> str:
    tail = part.rstrip("\"'”’)]}»」』")
    if tail and tail[-1] in _SENTENCE_ENDS:
        return "" if english.abbreviation(part) else "."
    return "," if tail and tail[-1] in _PAUSES else ""


def _spoken(part: str, language: str) -> str:
    """Return what to say for a written part: English in full, other languages left to their voice."""
    part = english.in_words(part) if language == "en" else re.sub(r"(?:https?://|www\.)", "", part, flags=re.I)
    kept = "".join(character if _sounding(character) else " " for character in part)
    words = (_broken(word) for word in kept.split())
    return " ".join(word for word in words if any(map(_alphanumeric, word)))


@lru_cache(maxsize=4096)
def _sounding(character: str) -> bool:
    """Tell whether a character is a letter, mark, digit, or a sign that voices read right."""
    return unicodedata.category(character)[0] in "LMN" or character in "'’.,%°-$€£"


def _alphanumeric(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _broken(word: str) -> str:
    """Return a word cut into pieces that synthesizers' buffers hold."""
    word = word.strip(".,-'’") or word
    if len(word) <= _LONGEST_WORD:
        return word
    return " ".join(word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD))
