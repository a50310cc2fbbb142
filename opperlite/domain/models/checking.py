"""The one checker that runs the rules of every model: parameters one by one, then the rules between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opperlite.domain.models.rules import (
    INPUT_MARK,
    Field,
    Rule,
    Violation,
    condition_holds,
    describe_condition,
    describe_range,
    describe_size,
    effective,
    given,
    is_type,
    listed,
    number_text,
    parse_size,
    size_problem,
    type_name,
)


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
    if field.enum and not listed(value, field.enum, field.ignore_case):
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
        yield "pattern", field.means or field.pattern, {}
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
    limits = {"min": number_text(field.minimum), "max": number_text(field.maximum), "multiple": field.multiple_of}
    if value != value or value in (float("inf"), float("-inf")):
        yield "type", "a finite number", {"expected": "number", "found": "number"}
    elif field.minimum is not None and value < field.minimum:
        yield "minimum", describe_range(field.minimum, field.maximum), limits
    elif field.maximum is not None and value > field.maximum:
        yield "maximum", describe_range(field.minimum, field.maximum), limits
    elif field.multiple_of is not None and value % field.multiple_of:
        yield "multiple", f"a multiple of {field.multiple_of}", limits


# ------------------------------------------------------------------------------------- rules between fields


def check_rules(
    rules: Sequence[Rule], fields: Mapping[str, Field], body: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Iterator[Violation]:
    """Every rule between parameters and inputs that is broken. `inputs` maps marked subjects to their facts."""
    for rule in rules:

        def value_of(subject: str) -> Any:
            return inputs.get(subject) if subject.startswith(INPUT_MARK) else effective(fields, body, subject)

        if not all(
            condition_holds(expected, subject, value_of(subject), body) for subject, expected in rule.when.items()
        ):
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
    words = describe_condition(rule.when)
    condition = f" when {words}" if words else ""
    for path in rule.require:
        if not given(path, value_of(path), body):
            yield "requires", path, None, f"given{condition}"
    for path in rule.forbid:
        if given(path, value_of(path), body):
            yield "excludes", path, value_of(path), f"left out{condition}"
    for path, allowed in rule.allow.items():
        found = value_of(path)
        if found is not None and not listed(found, allowed, False):
            yield "conditional", path, found, list(allowed)
    for path, limit in rule.maximum.items():
        found = value_of(path)
        if isinstance(found, int | float) and found > limit:
            yield "input_maximum", path, found, describe_range(None, limit)
    for path, limit in rule.minimum.items():
        found = value_of(path)
        if isinstance(found, int | float) and found < limit:
            yield "input_minimum", path, found, describe_range(limit, None)
