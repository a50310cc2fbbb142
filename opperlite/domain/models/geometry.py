"""Pixel sizes and lengths: ratios as text, the nearest of a list, and what a model makes of its parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from opperlite.domain.models.rules import effective, holds, parse_size, read
from opperlite.domain.models.specs import ModelSpec, Output

Sides = tuple[int, int]
NEAR = 0.05  # a ratio further than this from the nearest declared one has no bridge (contract, decision 21)
_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,3})?):(\d{1,5}(?:\.\d{1,3})?)", re.ASCII)


def parse_ratio(text: Any) -> float | None:
    """Width by height of a text such as "16:9" or "19.5:9", or None where it is not one."""
    match = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if match is None or not float(match[1]) or not float(match[2]):
        return None
    return float(match[1]) / float(match[2])


def nearest_ratio(ratio: float, names: Iterable[str], within: float | None = NEAR) -> str | None:
    """The ratio's or size's name nearest to `ratio`; None where it is off by more than `within`."""
    known = [(name, value) for name in names if (value := parse_ratio(name) or _size_ratio(name))]
    if not known:
        return None
    name, value = min(known, key=lambda one: abs(math.log(ratio / one[1])))
    return name if within is None or abs(ratio / value - 1) <= within else None


def _size_ratio(text: str) -> float | None:
    size = parse_size(text)
    return size[0] / size[1] if size else None


def area_sides(ratio: float, area: int, multiple: int) -> Sides:
    """Sides of a ratio with about `area` pixels, each a multiple of `multiple`."""
    width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
    return (max(1, round(width / multiple)) * multiple, max(1, round(height / multiple)) * multiple)


def picture_sides(spec: ModelSpec, body: Mapping[str, Any], *, inputs: int, source: Sides | None) -> Sides | None:
    """The pixel sides that the model makes from its parameters.

    `inputs` counts the source images, `source` is the first one's size where it is known. None means that the sides
    depend on a source that has not been read.
    """
    output, fields = spec.output, spec.parameters
    size = effective(fields, body, output.size) if output.size else None
    if size is not None and size not in output.auto and not (_left_open(output, body) and inputs):
        return parse_size(size, output.separator)
    if output.width and output.height and holds(output.custom, fields, body):
        width, height = effective(fields, body, output.width), effective(fields, body, output.height)
        if isinstance(width, int) and isinstance(height, int):
            return (width, height)
    return _ratio_sides(spec, body, inputs, source)


def _left_open(output: Output, body: Mapping[str, Any]) -> bool:
    """Whether a source image decides the ratio because the caller did not."""
    given = [path for path in (output.size, output.ratio) if path and read(body, path) is not None]
    return output.auto_on_edit and not given


def _ratio_sides(spec: ModelSpec, body: Mapping[str, Any], inputs: int, source: Sides | None) -> Sides | None:
    output, fields = spec.output, spec.parameters
    tier = str(effective(fields, body, output.tier)) if output.tier else "*"
    table = output.sizes.get(tier) or output.sizes.get("*") or {}
    name = effective(fields, body, output.ratio) if output.ratio else None
    size = effective(fields, body, output.size) if output.size else None
    follows = name in output.auto or size in output.auto or _left_open(output, body)
    if inputs and (follows or (output.image_decides and inputs == 1)):
        if source is None:
            return None
        ratio: float | None = source[0] / source[1]
        name = nearest_ratio(source[0] / source[1], table, within=None)
    else:
        name = name if name is not None and name not in output.auto else output.default
        ratio = parse_ratio(name)
    if isinstance(name, str) and name in table:
        return parse_size(table[name])
    area = output.areas.get(tier) or output.areas.get("*")
    if ratio is not None and area is not None:
        return area_sides(ratio, area, output.multiple)
    return parse_size(name) or parse_size(output.default)


def seconds(value: Any) -> float | None:
    """A length in seconds as providers write it: 6, 6.5, "4" or "8s"."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)s?", value, re.ASCII)
        return float(match[1]) if match else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def clip_length(spec: ModelSpec, body: Mapping[str, Any]) -> tuple[float, int]:
    """Frames per second and count of frames that the model makes from its parameters."""
    output, fields = spec.output, spec.parameters
    rate = effective(fields, body, output.fps) if isinstance(output.fps, str) else output.fps
    fps = float(rate if isinstance(rate, int | float) else output.default_fps or 24.0)
    frames = effective(fields, body, output.frames) if output.frames else None
    if isinstance(frames, int):
        return fps, frames
    length = effective(fields, body, output.duration) if isinstance(output.duration, str) else output.duration
    return fps, max(1, round((seconds(length) or 0.0) * fps))
