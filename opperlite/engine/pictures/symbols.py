"""The drawn motifs: SVG symbols, read from the package and turned into sprites.

The files under motifs/ are plain SVG that any viewer shows. Understood of SVG 1.1: path, rect, circle, ellipse,
polygon, polyline, line, g and use; fill, stroke, stroke-width, opacity and transform. Beyond it:

- class "c": takes the colour the prompt gives the thing, keeping its difference in lightness to the first such shape;
- class "glow": shines by itself, so the hour of day does not darken it;
- data-motion on a g (spin, sway, flap, bob) with data-pivot: moves with the phase.
"""

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

from opperlite.engine.pictures import raster
from opperlite.engine.pictures.outlines import NUMBER, ellipse, path, rectangle, stroked
from opperlite.engine.pictures.raster import Outline

Colour = tuple[int, int, int]


Matrix = tuple[float, float, float, float, float, float]


_TRANSFORM: Final = re.compile(r"(\w+)\(([^)]*)\)")


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
        outlines = [[_moved(outline, shape, phase) * scale for outline in shape.outlines] for shape in self.shapes]
        for shape, cover in zip(self.shapes, raster.coverages(outlines, *size), strict=True):
            fill = _recoloured(shape.fill, self.main, colour) if colour and shape.takes_colour else shape.fill
            raster.lay(body, cover, (*fill, 255), shape.opacity)
            if shape.glows:
                raster.lay(shine, cover, (*fill, 255), shape.opacity)
            elif self.shines:
                # What is painted over a light is not one.
                raster.lay(shine, cover, (0, 0, 0, 0), shape.opacity)
        return _premultiplied(body), _premultiplied(shine)


@cache
def symbols() -> dict[str, Symbol]:
    """Every motif by its name."""
    found: dict[str, Symbol] = {}
    folder = resources.files("opperlite.engine.pictures") / "motifs"
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
    return [float(match.group()) for match in NUMBER.finditer(text)]


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
