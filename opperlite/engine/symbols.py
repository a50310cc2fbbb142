"""The drawn motifs: SVG symbols, read from the package and turned into sprites.

The files under motifs/ are plain SVG that any viewer shows. Understood of SVG 1.1: path, rect, circle, ellipse,
polygon, polyline, line, g and use; fill, stroke, stroke-width, opacity and transform. Beyond it:

- class "c": takes the colour the prompt gives the thing, keeping its difference in lightness to the first such shape;
- class "glow": shines by itself, so the hour of day does not darken it;
- data-motion on a g (spin, sway, flap, bob) with data-pivot: moves with the phase.
"""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Final
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from opperlite.engine import raster
from opperlite.engine.raster import Outline

Colour = tuple[int, int, int]
Matrix = tuple[float, float, float, float, float, float]

_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COMMAND: Final = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])|(" + _NUMBER.pattern + r")")
_TRANSFORM: Final = re.compile(r"(\w+)\(([^)]*)\)")
_SEGMENTS: Final = 12
_IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Shape:
    """One filled area: its outlines in the symbol's own units, and how it is painted."""

    outlines: tuple[Outline, ...]
    fill: Colour
    opacity: int
    takes_colour: bool
    glows: bool
    motion: str
    pivot: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Symbol:
    """A motif: its shapes within a box of width x height units, standing on the box's lower edge."""

    name: str
    width: float
    height: float
    node: ElementTree.Element
    named: dict[str, ElementTree.Element]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Its shapes back to front, made when first needed: a picture shows few of all the motifs."""
        style = _Style()
        return tuple(shape for child in self.node for shape in _shapes(child, style, self.named))

    @property
    def moves(self) -> bool:
        """True when some part of it moves by itself."""
        return any(shape.motion for shape in self.shapes)

    @property
    def shines(self) -> bool:
        """True when some part of it is a light."""
        return any(shape.glows for shape in self.shapes)

    @property
    def main(self) -> Colour:
        """The colour of its first colourable shape, or of its first shape."""
        return next((shape.fill for shape in self.shapes if shape.takes_colour), self.shapes[0].fill)

    def paint(
        self, height: int, *, colour: Colour | None = None, phase: float = 0.0
    ) -> tuple[Image.Image, Image.Image]:
        """The motif `height` pixels high and its shining parts: two RGBa (premultiplied) images of one size."""
        scale = height / self.height
        size = (max(1, round(self.width * scale)), max(1, height))
        body, shine = Image.new("RGBA", size), Image.new("RGBA", size)
        for shape in self.shapes:
            outlines = [_moved(outline, shape, phase) * scale for outline in shape.outlines]
            fill = _recoloured(shape.fill, self.main, colour) if colour and shape.takes_colour else shape.fill
            raster.fill(body, outlines, (*fill, 255), shape.opacity)
            if shape.glows:
                raster.fill(shine, outlines, (*fill, 255), shape.opacity)
            elif self.shines:
                # What is painted over a light is not one.
                raster.fill(shine, outlines, (0, 0, 0, 0), shape.opacity)
        return _premultiplied(body), _premultiplied(shine)


@cache
def symbols() -> dict[str, Symbol]:
    """Every motif by its name."""
    found: dict[str, Symbol] = {}
    folder = resources.files("opperlite.engine") / "motifs"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".svg"):
            continue
        # The files are the package's own, so the parser needs no guard against hostile XML.
        root = ElementTree.fromstring(file.read_text("utf-8"))  # noqa: S314
        named = {node.get("id", ""): node for node in root.iter() if node.get("id")}
        for node in root.iter():
            if _tag(node) == "symbol":
                box = [float(part) for part in node.get("viewBox", "0 0 100 100").split()]
                found[node.get("id", "")] = Symbol(node.get("id", ""), box[2], box[3], node, named)
    return found


@dataclass(frozen=True)
class _Style:
    matrix: Matrix = _IDENTITY
    fill: str = "#000"
    stroke: str = "none"
    stroke_width: float = 1.0
    opacity: float = 1.0
    classes: str = ""
    motion: str = ""
    pivot: tuple[float, float] = (0.0, 0.0)

    def within(self, node: ElementTree.Element) -> "_Style":
        """The style of a node inside this one."""
        pivot = _numbers(node.get("data-pivot", ""))
        return _Style(
            _product(self.matrix, _matrix(node.get("transform", ""))),
            node.get("fill", self.fill),
            node.get("stroke", self.stroke),
            float(node.get("stroke-width", self.stroke_width)),
            self.opacity * float(node.get("opacity", 1.0)),
            node.get("class", self.classes),
            node.get("data-motion", self.motion),
            (pivot[0], pivot[1]) if pivot else self.pivot,
        )


def _shapes(node: ElementTree.Element, outer: _Style, named: dict[str, ElementTree.Element]) -> Iterator[Shape]:
    style = outer.within(node)
    tag = _tag(node)
    if tag == "g":
        for child in node:
            yield from _shapes(child, style, named)
        return
    if tag == "use":
        target = named[node.get("href", "").removeprefix("#")]
        for child in [target] if _tag(target) != "symbol" else list(target):
            yield from _shapes(child, style, named)
        return
    lines = [_applied(style.matrix, line) for line in _outlines(node, tag)]
    scale = math.sqrt(abs(style.matrix[0] * style.matrix[3] - style.matrix[1] * style.matrix[2]))
    if style.fill != "none" and tag not in ("line", "polyline"):
        yield _shape(tuple(lines), style.fill, style)
    if style.stroke != "none":
        closed = tag in ("rect", "circle", "ellipse", "polygon") or "z" in node.get("d", "").lower()[-2:]
        pieces = [piece for line in lines for piece in stroked(line, style.stroke_width * scale, closed=closed)]
        yield _shape(tuple(pieces), style.stroke, style)


def _shape(outlines: tuple[Outline, ...], fill: str, style: _Style) -> Shape:
    classes = style.classes.split()
    opacity = round(style.opacity * 255)
    return Shape(outlines, hex_colour(fill), opacity, "c" in classes, "glow" in classes, style.motion, style.pivot)


def _outlines(node: ElementTree.Element, tag: str) -> list[Outline]:
    def value(name: str, default: float = 0.0) -> float:
        return float(node.get(name, default))

    if tag == "path":
        return path(node.get("d", ""))
    if tag == "circle":
        return [ellipse(value("cx"), value("cy"), value("r"), value("r"))]
    if tag == "ellipse":
        return [ellipse(value("cx"), value("cy"), value("rx"), value("ry"))]
    if tag == "rect":
        return [rectangle(value("x"), value("y"), value("width"), value("height"), value("rx"))]
    if tag in ("polygon", "polyline"):
        return [np.array(_numbers(node.get("points", ""))).reshape(-1, 2)]
    if tag == "line":
        return [np.array(((value("x1"), value("y1")), (value("x2"), value("y2"))))]
    raise ValueError(f"motif element {tag!r} is not understood")


def ellipse(x: float, y: float, rx: float, ry: float, segments: int = 48) -> Outline:
    """A closed ellipse about x, y."""
    turns = [i * 2.0 * math.pi / segments for i in range(segments)]
    return np.array([(x + rx * math.cos(turn), y + ry * math.sin(turn)) for turn in turns])


def rectangle(x: float, y: float, width: float, height: float, radius: float = 0.0) -> Outline:
    """A rectangle, with round corners when radius is given."""
    if radius <= 0.0:
        return np.array(((x, y), (x + width, y), (x + width, y + height), (x, y + height)))
    r = min(radius, width / 2, height / 2)
    corners: tuple[tuple[float, float, float], ...] = (
        (x + width - r, y + r, -0.25),
        (x + width - r, y + height - r, 0.0),
    )
    corners += ((x + r, y + height - r, 0.25), (x + r, y + r, 0.5))
    return np.array(
        [
            (cx + r * math.cos((turn + i / 32) * 2 * math.pi), cy + r * math.sin((turn + i / 32) * 2 * math.pi))
            for cx, cy, turn in corners
            for i in range(9)
        ]
    )


def stroked(line: Outline, width: float, *, closed: bool = False) -> list[Outline]:
    """The outlines of a line with round joins and ends; all run one way round, so that they unite when filled."""
    half = width / 2.0
    ends = np.concatenate((line, line[:1])) if closed else line
    pieces: list[Outline] = []
    for (x0, y0), (x1, y1) in itertools.pairwise(ends):
        length = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
        if length < 1e-9:
            continue
        nx, ny = (y1 - y0) / length * half, (x0 - x1) / length * half
        pieces.append(np.array(((x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny))))
    pieces += [ellipse(x, y, half, half, 16) for x, y in line]
    return pieces


def path(data: str) -> list[Outline]:
    """The subpaths of SVG path data, curves as short lines."""
    tokens = [(match.group(1), match.group(2)) for match in _COMMAND.finditer(data)]
    return _Pen(tokens).run()


class _Pen:
    """Reads path data command by command (SVG 1.1, chapter 8.3)."""

    _COUNTS: Final = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7, "z": 0}

    def __init__(self, tokens: list[tuple[str | None, str | None]]) -> None:
        self._tokens = tokens
        self._lines: list[list[tuple[float, float]]] = []
        self._at = (0.0, 0.0)
        self._control = (0.0, 0.0)
        self._last = ""

    def run(self) -> list[Outline]:
        command, place = "", 0
        while place < len(self._tokens):
            letter, _ = self._tokens[place]
            if letter:
                command, place = letter, place + 1
            count = self._COUNTS[command.lower()]
            values = [float(number or 0) for _, number in self._tokens[place : place + count]]
            place += count
            self._step(command, values)
            self._last = command.lower()
            if command in "Mm":
                command = "l" if command == "m" else "L"
        return [np.array(line) for line in self._lines if len(line) > 1]

    def _step(self, command: str, values: list[float]) -> None:
        kind = command.lower()
        x, y = self._at
        if kind == "z":
            self._at = self._lines[-1][0]
        elif kind == "h":
            self._line_to(values[0] + (x if command == "h" else 0.0), y)
        elif kind == "v":
            self._line_to(x, values[0] + (y if command == "v" else 0.0))
        elif kind == "a":
            end = (values[5] + x, values[6] + y) if command == "a" else (values[5], values[6])
            self._arc(values, end)
        else:
            points = [(values[i], values[i + 1]) for i in range(0, len(values), 2)]
            if command == kind:
                points = [(px + x, py + y) for px, py in points]
            self._curve(kind, points)

    def _curve(self, kind: str, points: list[tuple[float, float]]) -> None:
        x, y = self._at
        if kind == "m":
            self._lines.append([points[0]])
            self._at = points[0]
        elif kind == "l":
            self._line_to(*points[0])
        elif kind in "cs":
            mirrored = self._mirror("cs")
            first, second, end = points if kind == "c" else (mirrored, *points)
            self._cubic(first, second, end)
            self._control = second
        else:
            control, end = points if kind == "q" else (self._mirror("qt"), points[0])
            self._cubic(_between((x, y), control, 2 / 3), _between(end, control, 2 / 3), end)
            self._control = control

    def _mirror(self, kinds: str) -> tuple[float, float]:
        if self._last and self._last in kinds:
            return (2 * self._at[0] - self._control[0], 2 * self._at[1] - self._control[1])
        return self._at

    def _line_to(self, x: float, y: float) -> None:
        if not self._lines:
            self._lines.append([self._at])
        self._lines[-1].append((x, y))
        self._at = (x, y)

    def _cubic(self, first: tuple[float, float], second: tuple[float, float], end: tuple[float, float]) -> None:
        start = self._at
        for i in range(1, _SEGMENTS + 1):
            t = i / _SEGMENTS
            u = 1.0 - t
            a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
            self._line_to(
                a * start[0] + b * first[0] + c * second[0] + d * end[0],
                a * start[1] + b * first[1] + c * second[1] + d * end[1],
            )

    def _arc(self, values: list[float], end: tuple[float, float]) -> None:
        """An unturned elliptic arc by its centre (SVG 1.1, appendix F.6.5)."""
        (x0, y0), (x1, y1) = self._at, end
        rx, ry = abs(values[0]), abs(values[1])
        dx, dy = (x0 - x1) / 2, (y0 - y1) / 2
        over = math.sqrt((dx / rx) ** 2 + (dy / ry) ** 2)
        if over > 1.0:
            rx, ry = rx * over, ry * over
        below = (rx * dy) ** 2 + (ry * dx) ** 2
        factor = math.sqrt(max(0.0, ((rx * ry) ** 2 - below) / below)) * (-1 if values[3] == values[4] else 1)
        cx, cy = factor * rx * dy / ry + (x0 + x1) / 2, -factor * ry * dx / rx + (y0 + y1) / 2
        begin = math.atan2((y0 - cy) / ry, (x0 - cx) / rx)
        sweep = math.atan2((y1 - cy) / ry, (x1 - cx) / rx) - begin
        if values[4] and sweep < 0:
            sweep += 2 * math.pi
        if not values[4] and sweep > 0:
            sweep -= 2 * math.pi
        for i in range(1, 2 * _SEGMENTS + 1):
            turn = begin + sweep * i / (2 * _SEGMENTS)
            self._line_to(cx + rx * math.cos(turn), cy + ry * math.sin(turn))


def hex_colour(text: str) -> Colour:
    """#rgb or #rrggbb as three bytes."""
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return (int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))


def luma(colour: Colour) -> float:
    """The lightness of a colour, 0 to 255 (Rec. 601 weights)."""
    return (colour[0] * 299 + colour[1] * 587 + colour[2] * 114) / 1000.0


def _recoloured(fill: Colour, main: Colour, target: Colour) -> Colour:
    """target, as much lighter or darker as fill is against main."""
    shift = luma(fill) - luma(main)
    if shift <= 0:
        factor = max(0.35, 1.0 + shift / 190.0)
        return (round(target[0] * factor), round(target[1] * factor), round(target[2] * factor))
    part = min(0.8, shift / 200.0)
    return (
        round(target[0] + (255 - target[0]) * part),
        round(target[1] + (255 - target[1]) * part),
        round(target[2] + (255 - target[2]) * part),
    )


def _moved(outline: Outline, shape: Shape, phase: float) -> Outline:
    if not shape.motion or phase == 0.0:
        return outline
    wave = math.sin(phase * 2.0 * math.pi)
    px, py = shape.pivot
    if shape.motion == "bob":
        return np.stack((outline[:, 0], outline[:, 1] + 2.0 * wave), axis=1)
    if shape.motion == "flap":
        factor = 1.0 - 0.8 * (0.5 - 0.5 * math.cos(phase * 2.0 * math.pi))
        return np.stack((outline[:, 0], py + (outline[:, 1] - py) * factor), axis=1)
    turn = phase * 2.0 * math.pi if shape.motion == "spin" else 0.09 * wave
    c, s = math.cos(turn), math.sin(turn)
    x, y = outline[:, 0] - px, outline[:, 1] - py
    return np.stack((px + x * c - y * s, py + x * s + y * c), axis=1)


def _premultiplied(image: Image.Image) -> Image.Image:
    # Pasting opaque colours through masks onto clear black leaves premultiplied values; say so to Pillow.
    return Image.frombytes("RGBa", image.size, image.tobytes())


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _numbers(text: str) -> list[float]:
    return [float(match.group()) for match in _NUMBER.finditer(text)]


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)


def _matrix(text: str) -> Matrix:
    matrix = _IDENTITY
    for match in _TRANSFORM.finditer(text):
        matrix = _product(matrix, _single(match.group(1), _numbers(match.group(2))))
    return matrix


def _single(name: str, values: list[float]) -> Matrix:
    if name == "translate":
        return (1.0, 0.0, 0.0, 1.0, values[0], values[1] if len(values) > 1 else 0.0)
    if name == "scale":
        return (values[0], 0.0, 0.0, values[1] if len(values) > 1 else values[0], 0.0, 0.0)
    if name == "rotate":
        turn = math.radians(values[0])
        c, s = math.cos(turn), math.sin(turn)
        x, y = (values[1], values[2]) if len(values) > 2 else (0.0, 0.0)
        return (c, s, -s, c, x - c * x + s * y, y - s * x - c * y)
    raise ValueError(f"transform {name!r} is not understood")


def _product(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[2] * b[1],
        a[1] * b[0] + a[3] * b[1],
        a[0] * b[2] + a[2] * b[3],
        a[1] * b[2] + a[3] * b[3],
        a[0] * b[4] + a[2] * b[5] + a[4],
        a[1] * b[4] + a[3] * b[5] + a[5],
    )


def _applied(m: Matrix, line: Outline) -> Outline:
    if m == _IDENTITY:
        return line
    x, y = line[:, 0], line[:, 1]
    return np.stack((m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]), axis=1)
