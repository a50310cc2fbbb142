"""The rows that have an aim as a picture: how far each lies on the good side of it, on a logarithmic scale."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from tests.benchmarks.rows import Row, with_unit

_LABELS, _PLOT, _VALUES, _LINE, _TOP = 560, 420, 180, 26, 56
_DECADES = 2.0  # on both sides of the aim; what lies beyond is drawn at the edge
MET, MISSED, _GRID = "#2e7d4f", "#b3402a", "#8885"


def advantage(row: Row, value: float) -> float:
    """How many times better than the aim a value is; an aim of nothing at all is met exactly or missed by far."""
    assert row.aim is not None
    better, worse = (value, row.aim.value) if row.aim.sense == ">=" else (row.aim.value, value)
    if better == worse:
        return 1.0
    return better / worse if better and worse else (math.inf if better else 0.0)


def svg(rows: Sequence[Row], title: str) -> str:
    """A bar from the aim to the median for each row, with a line from its least to its most."""
    drawn = [row for row in rows if row.aim and row.met is not None]
    width, height = _LABELS + _PLOT + _VALUES, _TOP + _LINE * len(drawn) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        *_scale(height),
    ]
    for place, row in enumerate(drawn):
        parts += _bar(row, _TOP + _LINE * place)
    return "\n".join([*parts, "</svg>", ""])


def _x(advantage: float) -> float:
    """The place of so many times the aim."""
    power = math.log10(advantage) if advantage > 0 else -_DECADES
    return _LABELS + _PLOT * (min(max(power, -_DECADES), _DECADES) / _DECADES + 1) / 2


def _scale(height: int) -> list[str]:
    parts = []
    for times, label in ((0.01, "1/100"), (0.1, "1/10"), (1, "the aim"), (10, "10 ×"), (100, "100 ×")):
        x, wide = _x(times), 1.5 if times == 1 else 0.7
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="{_GRID}" '
            f'stroke-width="{wide}"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="#555">{label}</text>')
    return parts


def _bar(row: Row, top: int) -> list[str]:
    middle = top + _LINE / 2
    aim, end = _x(1.0), _x(advantage(row, row.value))
    ends = sorted(_x(advantage(row, value)) for value in (min(row.judged), max(row.judged)))
    colour = MET if row.met else MISSED
    name = f"{row.name} – {row.beside}" if row.beside else row.name
    value = f"{with_unit(row.value, row.judged_unit)}  (aim {row.aimed})"
    return [
        f'<text x="{_LABELS - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(_short(name))}</text>',
        f'<rect x="{min(aim, end):.1f}" y="{top + 6}" width="{max(abs(end - aim), 2):.1f}" height="{_LINE - 12}" '
        f'fill="{colour}"/>',
        f'<line x1="{ends[0]:.1f}" y1="{middle}" x2="{ends[1]:.1f}" y2="{middle}" stroke="#222"/>',
        f'<text x="{_LABELS + _PLOT + 10}" y="{middle + 4:.1f}" fill="{colour}">{escape(value)}</text>',
    ]


def _short(name: str, length: int = 90) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
