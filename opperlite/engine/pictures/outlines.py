"""Outlines of shapes: ellipses, rectangles, strokes and SVG path data as closed lines."""

import itertools
import math
import re
from typing import Final

import numpy as np

from opperlite.engine.pictures.raster import Outline

NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


_COMMAND: Final = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])|(" + NUMBER.pattern + r")")


_SEGMENTS: Final = 12


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


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)
