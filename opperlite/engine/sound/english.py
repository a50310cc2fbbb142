"""English as it is said: abbreviations, numbers, dates, money, units, signs and addresses in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from opperlite.engine.sound import numerals

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


def abbreviation(part: str) -> str | None:
    """Return what an abbreviation stands for; None for what is none."""
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


def _ascii_digits(part: str) -> str:
    return "".join(str(unicodedata.decimal(character)) if character.isdecimal() else character for character in part)


def in_words(part: str) -> str:
    """Return what to say for a written part of a text."""
    part = abbreviation(part) or part
    for pattern, read in _RULES:
        part = pattern.sub(read, _ascii_digits(part))
    part = "".join(f" {_SIGNS[character]} " if character in _SIGNS else character for character in part)
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", part)
