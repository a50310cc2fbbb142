"""The vocabulary of a provider's rules as data, and how its words are read.

A rule never names a model: catalog files hold `Field`s (what one parameter may be) and `Rule`s (what parameters and
inputs may be together); `checking` runs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

JSONType = Literal["string", "integer", "number", "boolean", "object", "array", "null"]
INPUT_MARK = (
    "@"  # subjects of the request beside its parameters: "@image", "@reference_images.count", "@video.duration"
)


class SizeRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a pixel size may be: sides in pixels, `max_ratio` long side to short side."""

    multiple_of: int = 1
    min_edge: int | None = None
    max_edge: int | None = None
    max_ratio: float | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None


class Field(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one parameter may be. Everything that is not said is allowed.

    `words` are values that need not obey the rest ("auto"); `means` says a pattern in words; `error` names one of the
    provider's wordings; `enum_of` names the published list that holds the values ("tts.voices"), filled in when the
    file is read.
    """

    type: JSONType | tuple[JSONType, ...] = ()
    enum: tuple[Any, ...] = ()
    enum_of: str | None = None
    words: tuple[str, ...] = ()
    ignore_case: bool = False
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    pattern: str | None = None
    means: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    items: Field | None = None
    fields: dict[str, Field] | None = None
    closed: bool = True
    size: SizeRule | None = None
    separator: str = "x"
    required: bool = False
    default: Any = None
    error: str | None = None


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must hold between parameters and inputs when `when` holds.

    Subjects are parameter paths ("imageConfig.imageSize") or marked inputs ("@image", "@reference_images.count").
    A condition is `true` (given), `false` (not given), one value, a list of values, or `{above = n}`; defaults count
    as values.
    `late` rules are those the provider checks only while it works: the job then fails.
    """

    when: dict[str, Any] = {}
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    allow: dict[str, tuple[Any, ...]] = {}
    maximum: dict[str, float] = {}
    minimum: dict[str, float] = {}
    message: str | None = None
    error: str | None = None
    late: bool = False


class Violation(Struct, frozen=True, kw_only=True):
    """One broken rule: its kind (which picks the provider's wording), where, what was found and what is allowed."""

    kind: str
    path: str
    value: Any = None
    allowed: Any = None
    error: str | None = None
    message: str | None = None
    late: bool = False
    facts: dict[str, Any] = {}


# ------------------------------------------------------------------------------------------------ reading


def read(body: Mapping[str, Any], path: str, missing: Any = None) -> Any:
    """The value at a dotted path, or `missing`."""
    value: Any = body
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return missing
        value = value[name]
    return value


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One object of all layers; later ones win, objects are merged member by member."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            old = result.get(name)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[name] = merge(old, value) if both and isinstance(old, Mapping) else value
    return result


def nested(path: str, value: Any) -> dict[str, Any]:
    """An object with one value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def field_at(fields: Mapping[str, Field], path: str) -> Field | None:
    """The rule of the parameter at a dotted path, if there is one."""
    found: Field | None = None
    members: Mapping[str, Field] | None = fields
    for name in path.split("."):
        found = (members or {}).get(name)
        if found is None:
            return None
        members = found.fields
    return found


def effective(fields: Mapping[str, Field], body: Mapping[str, Any], path: str) -> Any:
    """The value at a path as the provider would use it: the given one, or the parameter's default."""
    value = read(body, path)
    if value is not None:
        return value
    field = field_at(fields, path)
    return field.default if field else None


def parse_size(text: Any, separator: str = "x") -> tuple[int, int] | None:
    """Sides in pixels of a text such as "1280x720", or None where it is not one."""
    if not isinstance(text, str) or len(text) > 24:
        return None
    match = re.fullmatch(rf"([1-9][0-9]*){re.escape(separator)}([1-9][0-9]*)", text)
    return (int(match[1]), int(match[2])) if match else None


# ------------------------------------------------------------------------------------------------ values


def is_type(value: Any, name: str) -> bool:
    """Whether a decoded JSON value is of a JSON type; a boolean is no number, 4.0 no integer, "4" no number."""
    if isinstance(value, bool):
        return name == "boolean"
    return name == type_name(value) or (name == "number" and isinstance(value, int))


def type_name(value: Any) -> str:
    """The JSON type of a decoded value."""
    if value is None:
        return "null"
    for name, kinds in _TYPES:
        if isinstance(value, kinds):
            return name
    return type(value).__name__


_TYPES: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("boolean", bool),
    ("integer", int),
    ("number", float),
    ("string", str),
    ("array", (list, tuple)),
    ("object", Mapping),
)


def listed(value: Any, allowed: Sequence[Any], ignore_case: bool) -> bool:
    """Whether a value is among those allowed, types included: "4" is not 4, and 1 not true."""
    if ignore_case and isinstance(value, str):
        return value.lower() in {str(one).lower() for one in allowed}
    return any(type(value) is type(one) and value == one for one in allowed)


def size_problem(rule: SizeRule, width: int, height: int) -> tuple[str, Any] | None:
    """The first limit that a size breaks, as (kind of violation, the limit), or None."""
    long, short, pixels = max(width, height), min(width, height), width * height
    if rule.max_edge is not None and long > rule.max_edge:
        return "size_edge", rule.max_edge
    if rule.min_edge is not None and short < rule.min_edge:
        return "size_small_edge", rule.min_edge
    if width % rule.multiple_of or height % rule.multiple_of:
        return "size_multiple", rule.multiple_of
    if rule.max_ratio is not None and long > rule.max_ratio * short:
        return "size_ratio", rule.max_ratio
    if rule.min_pixels is not None and pixels < rule.min_pixels:
        return "size_few_pixels", rule.min_pixels
    if rule.max_pixels is not None and pixels > rule.max_pixels:
        return "size_many_pixels", rule.max_pixels
    return None


@lru_cache(maxsize=128)
def describe_size(rule: SizeRule) -> str:
    """The limits of a size in words."""
    parts = []
    if rule.multiple_of > 1:
        parts.append(f"sides divisible by {rule.multiple_of}")
    if rule.min_edge is not None or rule.max_edge is not None:
        parts.append(f"sides {describe_range(rule.min_edge, rule.max_edge)} pixels")
    if rule.max_ratio is not None:
        parts.append(f"long side at most {rule.max_ratio:g} times the short one")
    if rule.min_pixels is not None or rule.max_pixels is not None:
        parts.append(f"{describe_range(rule.min_pixels, rule.max_pixels)} pixels in all")
    return "WIDTHxHEIGHT with " + ", ".join(parts) if parts else "WIDTHxHEIGHT"


def describe_range(low: float | None, high: float | None) -> str:
    """A range in words, open ends included."""
    if low is not None and low == high:
        return number_text(low)
    if low is None:
        return f"at most {number_text(high)}"
    if high is None:
        return f"at least {number_text(low)}"
    return f"{number_text(low)} to {number_text(high)}"


def number_text(value: float | None) -> str:
    """A number as people write it: 81, not 81.0."""
    return str(int(value)) if value is not None and float(value).is_integer() else str(value)


# ------------------------------------------------------------------------------------------------ conditions


def given(path: str, value: Any, body: Mapping[str, Any]) -> bool:
    """Whether a subject is there at all; a parameter's default does not count."""
    if path.startswith(INPUT_MARK):
        return bool(value)
    return read(body, path) is not None


def condition_holds(expected: Any, subject: str, value: Any, body: Mapping[str, Any]) -> bool:
    """Whether a subject's value is what a condition expects."""
    if isinstance(expected, Mapping):
        return isinstance(value, int | float) and value > expected["above"]
    if isinstance(expected, bool) and not isinstance(value, bool):
        return given(subject, value, body) is expected
    return listed(value, expected if isinstance(expected, list | tuple) else (expected,), False)


def holds(when: Mapping[str, Any], fields: Mapping[str, Field], body: Mapping[str, Any]) -> bool:
    """Whether a condition over parameters alone holds."""
    return all(condition_holds(want, path, effective(fields, body, path), body) for path, want in when.items())


def describe_condition(when: Mapping[str, Any]) -> str:
    """A condition in words."""
    parts = []
    for subject, expected in when.items():
        name = subject.removeprefix(INPUT_MARK)
        if expected is True:
            parts.append(f"{name} is given")
        elif expected is False:
            parts.append(f"{name} is not given")
        elif isinstance(expected, Mapping):
            parts.append(f"{name} is above {expected['above']}")
        else:
            values = expected if isinstance(expected, list | tuple) else (expected,)
            parts.append(f"{name} is {' or '.join(str(value) for value in values)}")
    return " and ".join(parts)
