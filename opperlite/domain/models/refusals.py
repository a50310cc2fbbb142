"""A provider's refusal in its own shape and words, made from the templates of its catalog file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from opperlite.domain.errors import ProviderRefused
from opperlite.domain.models.rules import INPUT_MARK, Violation

_PLACE = re.compile(r"\{(\w+)\}")
_MANY, _FEW = 60, 20  # a list of more than _MANY is cut to its first _FEW
_SHOWN_VALUE = 200  # characters of a refused value that are quoted back


class Wording(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a provider words one kind of refusal; what is not said is taken from the provider's common shape."""

    message: str | None = None
    status: int | None = None
    code: str | None = None
    type: str | None = None
    body: dict[str, Any] | None = None
    param: str | None = None


class Refusals(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider's error shape (`status`, `body` with {placeholders}) and its wordings by kind of violation.

    Placeholders: {message} {code} {type} {param} {value} {allowed} {status} {model} and the violation's own facts.
    A member that is exactly one placeholder keeps the value's JSON type.
    """

    status: int = 400
    body: dict[str, Any] = field(default_factory=lambda: {"error": {"message": "{message}"}})
    code: str | None = None
    type: str | None = None
    kinds: dict[str, Wording] = {}


# What is said where a provider's own words for a kind are not known.
_PLAIN: dict[str, str] = {
    "unknown": "Unknown parameter: '{param}'.",
    "missing": "Missing required parameter: '{param}'.",
    "type": "Invalid type for '{param}': expected {expected}, but got {found}.",
    "enum": "Invalid value: '{value}'. Supported values are: {allowed}.",
    "minimum": "Invalid '{param}': {value} is outside {allowed}.",
    "maximum": "Invalid '{param}': {value} is outside {allowed}.",
    "multiple": "Invalid '{param}': {value} is not {allowed}.",
    "pattern": "Invalid '{param}': '{value}'; allowed: {allowed}.",
    "length": "Invalid '{param}': {length} characters; allowed are {allowed}.",
    "items": "Invalid '{param}': {length} items; allowed are {allowed}.",
    "size": "Invalid '{param}': '{value}' is not a size; allowed: {allowed}.",
    "requires": "'{param}' is required when {condition}.",
    "excludes": "'{param}' cannot be used when {condition}.",
    "conditional": "Invalid '{param}': '{value}' when {condition}; allowed: {allowed}.",
    "input_minimum": "Invalid '{param}': {value}; allowed: {allowed}.",
    "input_maximum": "Invalid '{param}': {value}; allowed: {allowed}.",
    "source": "'{param}' cannot be given as {value}; allowed: {allowed}.",
    "media_type": "Unsupported type {value} for '{param}'; allowed: {allowed}.",
    "bytes": "'{param}' is too large: {value} bytes; allowed: {allowed}.",
    "pixel_size": "'{param}' is {value} pixels, but must be {allowed}.",
    "retired": "The model '{model}' has been retired.",
}
_PLAIN_SIZE = "Invalid '{param}': '{value}'; allowed: {allowed}."


def refuse(
    refusals: Refusals, provider_name: str, model_id: str, violation: Violation, named: str, param: str | None = None
) -> ProviderRefused:
    """The error for a broken rule. `named` is the member of our request, `param` the provider's own field."""
    facts = _facts(refusals, model_id, violation, param or violation.path.removeprefix(INPUT_MARK))
    status, message, body = _render(refusals, violation, facts)
    told = message if message.endswith((".", "!", "?")) else message + "."
    condition = violation.facts.get("condition") or "\n"
    said = violation.kind == "unknown" or condition in told or _mentions(told, violation.allowed)
    if violation.allowed is not None and not said:
        introduction = "It must be" if violation.kind in ("requires", "excludes") else "Allowed:"
        told = f"{told} {introduction} {in_words(violation.allowed)}."
    return ProviderRefused(
        f"{provider_name} refuses {named}: {told}",
        field=named,
        allowed=violation.allowed,
        provider={"status": status, "body": body},
    )


def late_text(refusals: Refusals, model_id: str, violation: Violation) -> str:
    """The text with which the provider's job fails, for a rule that it checks only while it works."""
    return _render(refusals, violation, _facts(refusals, model_id, violation, violation.path.lstrip(INPUT_MARK)))[1]


def _facts(refusals: Refusals, model_id: str, violation: Violation, param: str) -> dict[str, Any]:
    value = violation.value
    shown = value if isinstance(value, int | float | bool) or value is None else str(value)[:_SHOWN_VALUE]
    return {
        "param": param,
        "leaf": param.rpartition(".")[2],
        "parent": param.rpartition(".")[0],
        "value": shown,
        "allowed": in_words(violation.allowed),
        "model": model_id,
        **violation.facts,
    }


def _render(refusals: Refusals, violation: Violation, facts: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    kinds = refusals.kinds
    common = kinds.get("any", Wording())
    wording = kinds.get(violation.error or violation.kind) or kinds.get(violation.kind) or common
    template = violation.message or wording.message or _plain(violation.kind)
    message = str(_fill(template, facts, as_text=True))
    status = wording.status or common.status or refusals.status
    facts = {
        **facts,
        "param": facts["param"] if wording.param is None else (wording.param or None),
        "message": message,
        "status": status,
        "code": wording.code or common.code or refusals.code,
        "type": wording.type or common.type or refusals.type,
    }
    body = _fill(wording.body or common.body or refusals.body, facts)
    return status, message, body


def _plain(kind: str) -> str:
    return _PLAIN.get(kind, _PLAIN_SIZE if kind.startswith("size_") else "Invalid '{param}': {value}.")


def _fill(template: Any, facts: Mapping[str, Any], as_text: bool = False) -> Any:
    if isinstance(template, Mapping):
        return {name: _fill(value, facts) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [_fill(value, facts) for value in template]
    if not isinstance(template, str):
        return template
    whole = _PLACE.fullmatch(template)
    if whole and not as_text:
        return facts.get(whole[1])
    return _PLACE.sub(lambda match: str(facts.get(match[1], match[0])), template)


def in_words(allowed: Any) -> str:
    """What is allowed, as text for a message; of a long list only its beginning."""
    if isinstance(allowed, Sequence) and not isinstance(allowed, str):
        more = f" and {len(allowed) - _FEW} more" if len(allowed) > _MANY else ""
        return ", ".join(str(one) for one in allowed[: _FEW if more else _MANY]) + more
    return "" if allowed is None else str(allowed)


def _mentions(message: str, allowed: Any) -> bool:
    if in_words(allowed) in message:
        return True
    values = allowed if isinstance(allowed, Sequence) and not isinstance(allowed, str) else [allowed]
    return all(str(value) in message for value in values)
