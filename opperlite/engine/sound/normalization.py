"""Text as a voice reads it: markup off, numbers and abbreviations in words, each script in its language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from opperlite.engine.sound import languages, numerals

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
        return "" if _abbreviation(part) else "."
    return "," if tail and tail[-1] in _PAUSES else ""


_ABBREVIATIONS = {
    "dr.": "doctor",
    "mr.": "mister",
    "mrs.": "missus",
    "ms.": "miz",
    "prof.": "professor",
    "st.": "saint",
    "jr.": "junior",
    "sr.": "senior",
    "vs.": "versus",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "approx.": "approximately",
    "no.": "number",
    "dept.": "department",
    "inc.": "incorporated",
    "ltd.": "limited",
    "co.": "company",
    "jan.": "January",
    "feb.": "February",
    "aug.": "August",
    "sept.": "September",
    "oct.": "October",
    "nov.": "November",
    "dec.": "December",
    "a.m.": "a m",
    "p.m.": "p m",
    "u.s.": "u s",
    "u.k.": "u k",
    "ph.d.": "p h d",
}
_NUMBER_FIRST = frozenset({"no."})
"""Abbreviations that are also words; they are read as such only before a number, so never alone."""


def _abbreviation(part: str) -> str | None:
    word = part.strip("\"'“”‘’()[],;:").casefold()
    return None if word in _NUMBER_FIRST else _ABBREVIATIONS.get(word)


_UNITS = {
    "km": "kilometers",
    "m": "meters",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "g": "grams",
    "mg": "milligrams",
    "l": "liters",
    "ml": "milliliters",
    "s": "seconds",
    "ms": "milliseconds",
    "h": "hours",
    "min": "minutes",
    "hz": "hertz",
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "kb": "kilobytes",
    "mb": "megabytes",
    "gb": "gigabytes",
    "tb": "terabytes",
    "kw": "kilowatts",
    "w": "watts",
    "v": "volts",
    "%": "percent",
    "°": "degrees",
    "°c": "degrees Celsius",
    "℃": "degrees Celsius",
    "°f": "degrees Fahrenheit",
    "℉": "degrees Fahrenheit",
    "km/h": "kilometers per hour",
    "mph": "miles per hour",
    "fps": "frames per second",
    "k": "thousand",
    "x": "times",
    "am": "a m",
    "pm": "p m",
}
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent"),
    "€": ("euro", "euros", "cent"),
    "£": ("pound", "pounds", "penny"),
    "¥": ("yen", "yen", "sen"),
    "₹": ("rupee", "rupees", "paisa"),
}
_SCALES = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}
_SIGNS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "%": "percent",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "<": "less than",
    ">": "greater than",
    "°": "degrees",
    "№": "number",
    "©": "copyright",
    "→": "to",
    "#": "number",
    "$": "dollar",
    "€": "euro",
    "£": "pound",
}

_OCLOCK = " o'clock"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"


def _read_url(match: re.Match[str]) -> str:
    address = re.sub(r"[?#].*$", "", match.group(1)).rstrip("/")
    return re.sub(r"[/\-_=&]+", " slash ", address).replace(".", " dot ")


def _read_email(match: re.Match[str]) -> str:
    return match.group().replace("@", " at ").replace(".", " dot ")


def _read_iso_date(match: re.Match[str]) -> str:
    month, day = int(match.group(2)), int(match.group(3))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return " ".join(numerals.cardinal(digits) for digits in match.groups())
    return numerals.date(match.group(1), month, day)


def _read_time(match: re.Match[str]) -> str:
    hour, minute = int(match.group(1)), int(match.group(2))
    words = numerals.clock(hour, minute)
    if match.group(3):
        words += f" and {numerals.cardinal(str(int(match.group(3))))} seconds"
    half = (match.group(4) or "").replace(".", "").lower()
    if not half:
        return words
    return f"{words.removesuffix(_OCLOCK)} {' '.join(half)}"


def _read_money(match: re.Match[str]) -> str:
    one, many, cent = _CURRENCIES[match.group(1)]
    whole, _, fraction = match.group(2).replace(",", "").partition(".")
    if match.group(3):
        return f"{numerals.decimal(match.group(2))} {_SCALES[match.group(3).lower()]} {many}"
    words = f"{numerals.cardinal(whole or '0')} {one if whole == '1' else many}"
    if len(fraction) == 2 and int(fraction):
        coins = {"penny": "pence"}.get(cent, f"{cent}s") if fraction != "01" else cent
        words += f" and {numerals.cardinal(str(int(fraction)))} {coins}"
    elif fraction and int(fraction):
        words = f"{numerals.decimal(match.group(2))} {many}"
    return words


def _read_measure(match: re.Match[str]) -> str:
    unit = _UNITS.get(match.group(2).lower())
    words = numerals.decimal(match.group(1))
    if unit is None:
        return f"{words} {match.group(2)}"
    if match.group(1) == "1" and unit.endswith("s") and " " not in unit:
        unit = unit.removesuffix("s")
    return f"{words} {unit}"


def _read_number(match: re.Match[str]) -> str:
    digits = match.group()
    return numerals.year(digits) if re.fullmatch(r"1[1-9]\d\d|20\d\d", digits) else numerals.decimal(digits)


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?:https?://|www\.)([^\s]*[\w/])", re.I), _read_url),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"), _read_email),
    (re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)"), _read_iso_date),
    (re.compile(r"(?<!\d)([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?:([ap]\.?m)\b\.?)?", re.I), _read_time),
    (re.compile(r"(?<!\d)(\d{1,2}|\d{4})[-–](?=(?:\d{1,2}|\d{4})(?!\d))"), lambda match: f"{match.group(1)} to "),
    (re.compile(r"(?<![\w])[-−](?=[\d.])"), lambda _: " minus "),
    (re.compile(rf"([$€£¥₹])({_NUMBER})(k|m|bn|b)?\b", re.I), _read_money),
    (re.compile(r"(?<!\d)(\d{1,15})(?:st|nd|rd|th)\b", re.I), lambda match: numerals.ordinal(match.group(1))),
    (re.compile(rf"({_NUMBER})(km/h|[A-Za-z]{{1,3}}\b|%|°[CF]?|℃|℉)"), _read_measure),
    (re.compile(_NUMBER), lambda match: f" {_read_number(match)} "),
)


def _spoken(part: str, language: str) -> str:
    """Return what to say for a written part: English in full, other languages left to their voice."""
    if language == "en":
        part = _abbreviation(part) or part
        for pattern, read in _RULES:
            part = pattern.sub(read, _ascii_digits(part))
        part = "".join(f" {_SIGNS[character]} " if character in _SIGNS else character for character in part)
        part = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", part)
    else:
        part = re.sub(r"(?:https?://|www\.)", "", part, flags=re.I)
    kept = "".join(character if _sounding(character) else " " for character in part)
    words = (_broken(word) for word in kept.split())
    return " ".join(word for word in words if any(map(_alphanumeric, word)))


def _ascii_digits(part: str) -> str:
    return "".join(str(unicodedata.decimal(character)) if character.isdecimal() else character for character in part)


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
