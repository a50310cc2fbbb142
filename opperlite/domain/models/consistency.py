"""What is wrong with a catalog file: members that do not fit their type, and models that contradict themselves."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from opperlite.domain.models.checking import check
from opperlite.domain.models.geometry import parse_ratio, picture_sides
from opperlite.domain.models.rules import INPUT_MARK, Field, Rule, field_at, parse_size
from opperlite.domain.models.specs import Bridge, ModelSpec, Output

Path = tuple[str | int, ...]
_CAPABILITIES = {
    "image": ("image_generation", "image_edit"),
    "video": ("video_generation", "image_to_video", "video_editing"),
    "tts": ("tts",),
    "stt": ("stt",),
}


# ------------------------------------------------------------------------------------------------ wrong types


def misfit(raw: Any, kind: Any) -> tuple[Path, str]:
    """Where in `raw` the first member lies that does not fit `kind`, and what is allowed there."""
    path, message = _misfit(raw, kind)
    return path, message


def _misfit(raw: Any, kind: Any) -> tuple[Path, str]:
    kind = _choice(raw, kind)
    origin = typing.get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(raw, Mapping):
        return _misfit_struct(raw, kind)
    if origin is dict and isinstance(raw, Mapping):
        key_kind, value_kind = typing.get_args(kind)
        for name, value in raw.items():
            if not _fits(name, key_kind):
                return (name,), _expected(name, key_kind)
            if not _fits(value, value_kind):
                return _below(name, value, value_kind)
    if origin is tuple and isinstance(raw, list | tuple):
        kinds = typing.get_args(kind)
        if kinds[-1] is not Ellipsis and len(kinds) != len(raw):
            return (), f"must have {len(kinds)} items, has {len(raw)}"
        for index, value in enumerate(raw):
            item = kinds[0] if kinds[-1] is Ellipsis else kinds[index]
            if not _fits(value, item):
                return _below(index, value, item)
    return (), _expected(raw, kind)


def _misfit_struct(raw: Mapping[str, Any], kind: type[msgspec.Struct]) -> tuple[Path, str]:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in msgspec.structs.fields(kind)]
    for name, value in raw.items():
        if name not in names:
            return (name,), f"unknown key; allowed here: {', '.join(names)}"
        if not _fits(value, hints[name]):
            return _below(name, value, hints[name])
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in raw]
    return (), f"missing {', '.join(missing)}"


def _below(step: str | int, value: Any, kind: Any) -> tuple[Path, str]:
    path, message = _misfit(value, kind)
    return (step, *path), message


def _choice(raw: Any, kind: Any) -> Any:
    """The member of a union that `raw` was most likely meant for."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    options = [one for one in typing.get_args(kind) if one is not type(None)]
    if isinstance(raw, list):
        options = [one for one in options if typing.get_origin(one) is tuple] or options
    elif not isinstance(raw, Mapping):
        options = [one for one in options if typing.get_origin(one) is not tuple] or options
    return options[0] if len(options) == 1 else kind


def _fits(raw: Any, kind: Any) -> bool:
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        return False
    return True


def _expected(raw: Any, kind: Any) -> str:
    found = f"{raw!r:.80}"
    if typing.get_origin(kind) is typing.Literal:
        return f"found {found}; allowed: {', '.join(str(one) for one in typing.get_args(kind))}"
    name = kind.__name__ if isinstance(kind, type) and typing.get_origin(kind) is None else str(kind)
    names = {"str": "a text", "int": "an integer", "float": "a number", "bool": "true or false"}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"found {found}; allowed: a table with {', '.join(one.name for one in msgspec.structs.fields(kind))}"
    plain = re.sub(r"\b[\w.]+\.|tuple\b|, \.\.\.", lambda match: "list" if match[0] == "tuple" else "", name)
    return f"found {found}; allowed: {names.get(name, plain)}"


# --------------------------------------------------------------------------------------------- contradictions


def contradictions(spec: ModelSpec, wordings: Collection[str] = ()) -> Iterator[tuple[Path, str]]:
    """Every way in which a model contradicts itself: where, and what is allowed there.

    `wordings` are the kinds of refusal that the provider words.
    """
    yield from _capabilities(spec)
    yield from _wordings(spec, wordings)
    for name, field in spec.parameters.items():
        yield from _field(field, ("parameters", name))
    for index, rule in enumerate(spec.rules):
        yield from _rule(spec, rule, ("rules", index))
    yield from _bridge(spec, spec.bridge)
    yield from _output(spec, spec.output)
    yield from _published(spec)


def _capabilities(spec: ModelSpec) -> Iterator[tuple[Path, str]]:
    allowed = _CAPABILITIES[spec.type]
    for capability in spec.capabilities:
        if capability not in allowed:
            yield (
                ("capabilities",),
                f"'{capability}' does not go with type '{spec.type}'; allowed: {', '.join(allowed)}",
            )
    if not spec.capabilities:
        yield ("capabilities",), f"empty; allowed: {', '.join(allowed)}"


def _wordings(spec: ModelSpec, wordings: Collection[str]) -> Iterator[tuple[Path, str]]:
    known = ", ".join(wordings) or "none"
    for name, field in spec.parameters.items():
        if field.error is not None and field.error not in wordings:
            yield ("parameters", name, "error"), f"the provider words no '{field.error}'; its kinds: {known}"
    for index, rule in enumerate(spec.rules):
        if rule.error is not None and rule.error not in wordings:
            yield ("rules", index, "error"), f"the provider words no '{rule.error}'; its kinds: {known}"


def _field(field: Field, path: Path) -> Iterator[tuple[Path, str]]:
    for low, high, name in (
        (field.minimum, field.maximum, "minimum"),
        (field.min_length, field.max_length, "min_length"),
    ):
        if low is not None and high is not None and low > high:
            yield (*path, name), f"{low} is more than the {name.replace('min', 'max')} {high}"
    if field.pattern is not None and not _compiles(field.pattern):
        yield (*path, "pattern"), f"{field.pattern!r} is not a regular expression"
    elif field.default is not None:
        broken = next(check({"x": field}, {"x": field.default}, closed=True), None)
        if broken:
            yield (*path, "default"), f"{field.default!r} breaks the parameter's own rule; allowed: {broken.allowed}"
    for name, inner in (field.fields or {}).items():
        yield from _field(inner, (*path, "fields", name))
    if field.items is not None:
        yield from _field(field.items, (*path, "items"))


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _known(spec: ModelSpec, subject: str) -> bool:
    if subject.startswith(INPUT_MARK):
        return True
    return not spec.closed or field_at(spec.parameters, subject) is not None


def _unknown(spec: ModelSpec, subject: str) -> str:
    known = ", ".join(spec.parameters) or "none"
    return f"no parameter '{subject}' in this model; its parameters: {known} (inputs begin with {INPUT_MARK})"


def _rule(spec: ModelSpec, rule: Rule, path: Path) -> Iterator[tuple[Path, str]]:
    members: dict[str, Sequence[str]] = {
        "when": list(rule.when),
        "require": rule.require,
        "forbid": rule.forbid,
        "allow": list(rule.allow),
        "maximum": list(rule.maximum),
        "minimum": list(rule.minimum),
    }
    for member, subjects in members.items():
        for subject in subjects:
            if not _known(spec, subject):
                yield (*path, member), _unknown(spec, subject)
    for subject, expected in rule.when.items():
        if isinstance(expected, dict) and (
            list(expected) != ["above"] or not isinstance(expected["above"], int | float)
        ):
            yield (*path, "when", subject), f"found {expected}; allowed: {{ above = NUMBER }}"
    both = set(rule.require) & set(rule.forbid)
    if both:
        yield (*path, "forbid"), f"{', '.join(sorted(both))} is both required and forbidden"


def _bridge(spec: ModelSpec, bridge: Bridge) -> Iterator[tuple[Path, str]]:
    single = ("n", "size", "ratio", "style", "voice", "format", "speed", "language", "prompt")
    for name in single:
        target = getattr(bridge, name)
        if target is not None and not _known(spec, target):
            yield ("bridge", name), _unknown(spec, target)
    sets: list[tuple[Path, Mapping[str, Any]]] = [
        (("always",), bridge.always),
        (("plain",), bridge.plain),
        (("diarize",), bridge.diarize),
        *((("quality", name), parameters) for name, parameters in bridge.quality.items()),
        *((("tiers", index, "set"), tier.set) for index, tier in enumerate(bridge.tiers)),
    ]
    for path, parameters in sets:
        for broken in check(spec.parameters, parameters, closed=spec.closed):
            yield ("bridge", *path), f"breaks the model's own rule for '{broken.path}'; allowed: {broken.allowed}"
    for ratio, size in bridge.ratio_sizes.items():
        if parse_size(size) is None:
            yield ("bridge", "ratio_sizes", ratio), f"'{size}' is not WIDTHxHEIGHT"


def _output(spec: ModelSpec, output: Output) -> Iterator[tuple[Path, str]]:
    for name in ("size", "width", "height", "ratio", "tier", "fps", "frames", "duration", "audio", "format",
                 "compression", "seed", "n", "voice", "speed", "language", "instructions", "speech_format", "style",
                 "prompt"):  # fmt: skip
        target = getattr(output, name)
        if isinstance(target, str) and not _known(spec, target):
            yield ("output", name), _unknown(spec, target)
    for tier, sizes in output.sizes.items():
        for ratio, size in sizes.items():
            if parse_size(size) is None:
                yield ("output", "sizes", tier, ratio), f"'{size}' is not WIDTHxHEIGHT"
    if spec.type in ("image", "video") and not (output.size or output.width or output.sizes or output.areas):
        yield ("output",), "says nothing of the pixel size; give size, width and height, sizes, or areas"
    elif spec.type in ("image", "video") and picture_sides(spec, {}, inputs=0, source=None) is None:
        yield ("output", "default"), f"'{output.default}' gives no pixel size; give WIDTHxHEIGHT or a ratio of sizes"
    if spec.type == "video" and output.duration is None and output.frames is None:
        yield ("output",), "says nothing of the length; give duration or frames"


def _published(spec: ModelSpec) -> Iterator[tuple[Path, str]]:
    image, tts, stt = spec.params.image, spec.params.tts, spec.params.stt
    if (
        image
        and image.default
        and image.default not in (*image.sizes, *image.aspect_ratios)
        and not image.size_constraints
    ):
        yield ("params", "image", "default"), f"'{image.default}' is in neither sizes nor aspect_ratios"
    if tts and tts.default_voice and tts.voices and tts.default_voice not in tts.voices:
        yield ("params", "tts", "default_voice"), f"'{tts.default_voice}' is not in voices: {', '.join(tts.voices)}"
    if stt and stt.default_language and stt.languages and stt.default_language not in stt.languages:
        yield ("params", "stt", "default_language"), f"'{stt.default_language}' is not in languages"
    for ratio in image.aspect_ratios if image else ():
        tables = list(spec.output.sizes.values())
        if (
            parse_ratio(ratio)
            and spec.output.ratio
            and not spec.output.areas
            and any(ratio not in one for one in tables)
        ):
            yield ("params", "image", "aspect_ratios"), f"'{ratio}' has no size in output.sizes"
    for quality in spec.bridge.quality:
        if image and image.qualities and quality not in image.qualities:
            yield ("bridge", "quality", quality), f"not in params.image.qualities: {', '.join(image.qualities)}"
