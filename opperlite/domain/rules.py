"""The vocabulary of a provider's rules as data, and the one checker that runs them.

A rule never names a model: catalog files hold `Field`s (what one parameter may be) and `Rule`s (what parameters and
inputs may be together); `check` yields every `Violation` in the order of the catalog file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

JSONType = Literal["string", "integer", "number", "boolean", "object", "array", "null"]
INPUT_MARK = (
    "@"  # subjects of the request beside its parameters: "@image", "@reference_images.count", "@video.duration"
)
_MISSING = object()


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

    `words` are values that need not obey the rest ("auto"); `error` names one of the provider's wordings;
    `enum_of` names the published list that holds the values ("tts.voices"), filled in when the file is read.
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
    A condition is `true` (given), `false` (not given), one value, or a list of values; defaults count as values.
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
    match = re.fullmatch(rf"([1-9]\d*){re.escape(separator)}([1-9]\d*)", text)
    return (int(match[1]), int(match[2])) if match else None


# ------------------------------------------------------------------------------------------------ checking


def check(
    fields: Mapping[str, Field], body: Mapping[str, Any], *, closed: bool, null_is_absent: bool = True
) -> Iterator[Violation]:
    """Every parameter of `body` against its own rule, in the caller's order; then what is missing."""
    yield from _check_object(fields, body, "", closed, null_is_absent)


def _check_object(
    fields: Mapping[str, Field], body: Mapping[str, Any], prefix: str, closed: bool, null_is_absent: bool
) -> Iterator[Violation]:
    for name, value in body.items():
        path = prefix + name
        field = fields.get(name)
        if field is None:
            if closed:
                yield Violation(kind="unknown", path=path, value=value, allowed=sorted(fields))
        elif value is not None or not null_is_absent:
            yield from _check_value(field, value, path, null_is_absent)
    for name, field in fields.items():
        if field.required and body.get(name) is None:
            yield Violation(kind="missing", path=prefix + name, error=field.error)


def _check_value(field: Field, value: Any, path: str, null_is_absent: bool) -> Iterator[Violation]:
    if isinstance(value, str) and value in field.words:
        return
    broken = next(_broken(field, value), None)
    if broken is not None:
        kind, allowed, facts = broken
        yield Violation(kind=kind, path=path, value=value, allowed=allowed, error=field.error, facts=facts)
    elif isinstance(value, Mapping) and field.fields is not None:
        yield from _check_object(field.fields, value, path + ".", field.closed, null_is_absent)
    elif isinstance(value, Sequence) and not isinstance(value, str) and field.items is not None:
        for index, item in enumerate(value):
            yield from _check_value(field.items, item, f"{path}[{index}]", null_is_absent)


_Broken = tuple[str, Any, dict[str, Any]]


def _broken(field: Field, value: Any) -> Iterator[_Broken]:
    types = (field.type,) if isinstance(field.type, str) else field.type
    if types and not any(is_type(value, name) for name in types):
        expected = " or ".join(types)
        yield "type", list(field.enum) or expected, {"expected": expected, "found": type_name(value)}
        return
    if field.enum and not _listed(value, field.enum, field.ignore_case):
        yield "enum", list(field.enum), {}
    if isinstance(value, str):
        yield from _broken_text(field, value)
    elif isinstance(value, list | tuple):
        yield from _broken_length(field, len(value), "items")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _broken_number(field, value)


def _broken_text(field: Field, value: str) -> Iterator[_Broken]:
    yield from _broken_length(field, len(value), "length")
    if field.pattern is not None and not re.fullmatch(field.pattern, value):
        yield "pattern", field.pattern, {"pattern": field.pattern}
    if field.size is not None:
        size = parse_size(value, field.separator)
        if size is None:
            words = [*field.words, f"WIDTH{field.separator}HEIGHT"]
            yield "size", words, {}
        else:
            problem = size_problem(field.size, *size)
            if problem is not None:
                yield problem[0], describe_size(field.size), {"width": size[0], "height": size[1], "limit": problem[1]}


def _broken_length(field: Field, length: int, kind: str) -> Iterator[_Broken]:
    low, high = field.min_length or 0, field.max_length
    if length < low or (high is not None and length > high):
        span = f"{low} to {high}" if high is not None else f"at least {low}"
        yield (
            kind,
            f"{span} {'characters' if kind == 'length' else 'items'}",
            {"length": length, "min": low, "max": high},
        )


def _broken_number(field: Field, value: float) -> Iterator[_Broken]:
    limits = {"min": _number(field.minimum), "max": _number(field.maximum), "multiple": field.multiple_of}
    if value != value or value in (float("inf"), float("-inf")):
        yield "type", "a finite number", {"expected": "number", "found": "number"}
    elif field.minimum is not None and value < field.minimum:
        yield "minimum", describe_range(field.minimum, field.maximum), limits
    elif field.maximum is not None and value > field.maximum:
        yield "maximum", describe_range(field.minimum, field.maximum), limits
    elif field.multiple_of is not None and value % field.multiple_of:
        yield "multiple", f"a multiple of {field.multiple_of}", limits


def _listed(value: Any, allowed: Sequence[Any], ignore_case: bool) -> bool:
    if ignore_case and isinstance(value, str):
        return value.lower() in {str(one).lower() for one in allowed}
    return any(type(value) is type(one) and value == one for one in allowed)


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
    if low is None:
        return f"at most {_number(high)}"
    if high is None:
        return f"at least {_number(low)}"
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return str(int(value)) if value is not None and float(value).is_integer() else str(value)


# ------------------------------------------------------------------------------------- rules between fields


def check_rules(
    rules: Sequence[Rule], fields: Mapping[str, Field], body: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Iterator[Violation]:
    """Every rule between parameters and inputs that is broken. `inputs` maps marked subjects to their facts."""
    for rule in rules:

        def value_of(subject: str) -> Any:
            return inputs.get(subject) if subject.startswith(INPUT_MARK) else effective(fields, body, subject)

        if not all(_holds(expected, subject, value_of(subject), body) for subject, expected in rule.when.items()):
            continue
        for kind, path, found, allowed in _breaches(rule, value_of, body):
            facts = {"limit": allowed, "condition": describe_condition(rule.when)}
            yield Violation(
                kind=kind,
                path=path,
                value=found,
                allowed=allowed,
                error=rule.error,
                message=rule.message,
                late=rule.late,
                facts=facts,
            )


def _breaches(rule: Rule, value_of: Any, body: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    for path in rule.require:
        if not _given(path, value_of(path), body):
            yield "requires", path, None, "required here"
    for path in rule.forbid:
        if _given(path, value_of(path), body):
            yield "excludes", path, value_of(path), "must be left out here"
    for path, allowed in rule.allow.items():
        found = value_of(path)
        if found is not None and not _listed(found, allowed, False):
            yield "conditional", path, found, list(allowed)
    for path, limit in rule.maximum.items():
        found = value_of(path)
        if isinstance(found, int | float) and found > limit:
            yield "input_maximum", path, found, describe_range(None, limit)
    for path, limit in rule.minimum.items():
        found = value_of(path)
        if isinstance(found, int | float) and found < limit:
            yield "input_minimum", path, found, describe_range(limit, None)


def _given(path: str, value: Any, body: Mapping[str, Any]) -> bool:
    if path.startswith(INPUT_MARK):
        return bool(value)
    return read(body, path) is not None


def _holds(expected: Any, subject: str, value: Any, body: Mapping[str, Any]) -> bool:
    if expected is True and not isinstance(value, bool):
        return _given(subject, value, body)
    if expected is False and not isinstance(value, bool):
        return not _given(subject, value, body)
    return _listed(value, expected if isinstance(expected, list | tuple) else (expected,), False)


def holds(when: Mapping[str, Any], fields: Mapping[str, Field], body: Mapping[str, Any]) -> bool:
    """Whether a condition over parameters alone holds."""
    return all(_holds(want, path, effective(fields, body, path), body) for path, want in when.items())


def describe_condition(when: Mapping[str, Any]) -> str:
    """A condition in words."""
    parts = []
    for subject, expected in when.items():
        name = subject.removeprefix(INPUT_MARK)
        if expected is True:
            parts.append(f"{name} is given")
        elif expected is False:
            parts.append(f"{name} is not given")
        else:
            values = expected if isinstance(expected, list | tuple) else (expected,)
            parts.append(f"{name} is {' or '.join(str(value) for value in values)}")
    return " and ".join(parts)
