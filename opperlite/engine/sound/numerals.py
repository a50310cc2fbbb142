"""English words for numbers, amounts, dates and times."""

from __future__ import annotations

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_GROUPS = ("", "thousand", "million", "billion", "trillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]

LONGEST = 15
"""Digits of the longest number read as a number; longer ones are read digit by digit."""


def cardinal(digits: str) -> str:
    """Return a whole number in words: "1024" → "one thousand twenty four"."""
    if len(digits) > LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_SMALL[int(digit)] for digit in digits)
    value = int(digits)
    if value == 0:
        return _SMALL[0]
    parts: list[str] = []
    for power in range(len(_GROUPS) - 1, -1, -1):
        group = value // 1000**power % 1000
        if group:
            parts.extend(filter(None, (_below_thousand(group), _GROUPS[power])))
    return " ".join(parts)


def _below_thousand(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    parts = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        parts.append(_TENS[rest // 10])
        rest %= 10
    if rest:
        parts.append(_SMALL[rest])
    return " ".join(parts)


def ordinal(digits: str) -> str:
    """Return an ordinal in words: "21" → "twenty first"."""
    head, _, last = cardinal(digits).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".strip()


def decimal(number: str) -> str:
    """Return a number with an optional fraction and thousands commas in words: "1,000.5"."""
    whole, _, fraction = number.replace(",", "").partition(".")
    words = cardinal(whole or "0")
    if fraction:
        words += " point " + " ".join(_SMALL[int(digit)] for digit in fraction)
    return words


def year(digits: str) -> str:
    """Return a four-digit year in words: "1984" → "nineteen eighty four"."""
    century, rest = int(digits[:2]), int(digits[2:])
    if digits[1:3] == "00" or century < 11:
        return cardinal(str(int(digits)))
    if rest == 0:
        return f"{cardinal(str(century))} hundred"
    return f"{cardinal(str(century))} {'oh ' if rest < 10 else ''}{cardinal(str(rest))}"


def clock(hour: int, minute: int) -> str:
    """Return a time of day in words: 10, 5 → "ten oh five"."""
    if minute == 0:
        return f"{cardinal(str(hour))} o'clock" if 0 < hour <= 12 else f"{cardinal(str(hour))} hundred"
    return f"{cardinal(str(hour))} {'oh ' if minute < 10 else ''}{cardinal(str(minute))}"


def date(year_digits: str, month: int, day: int) -> str:
    """Return a calendar date in words: "June first, twenty twenty four"."""
    return f"{MONTHS[month - 1]} {ordinal(str(day))} {year(year_digits)}"
