"""The benchmark's results: rows with their aims, as a table for people and as JSON for programs."""

import operator
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

_COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Aim:
    """What a row should reach, in the row's unit."""

    sense: Literal[">=", "<="]
    value: float

    def met(self, value: float) -> bool:
        return bool(_COMPARE[self.sense](value, self.value))

    def __str__(self) -> str:
        return f"{self.sense} {number(self.value)}"


@dataclass(frozen=True)
class Row:
    """One result: the median of `samples`, all in `unit`."""

    group: str
    name: str
    unit: str
    samples: tuple[float, ...]
    aim: Aim | None = None
    note: str = ""

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        return None if self.aim is None else self.aim.met(self.value)

    def as_json(self) -> dict[str, Any]:
        derived = {"value": self.value, "low": min(self.samples), "high": max(self.samples), "met": self.met}
        return asdict(self) | derived


def ratio(
    group: str, name: str, ours: Sequence[float], theirs: Sequence[float], aim: Aim | None, note: str = ""
) -> Row:
    """The quotient of two quantities that were measured in turns: one sample for each pair."""
    return Row(group, name, "x", tuple(a / b for a, b in zip(ours, theirs, strict=True)), aim, note)


def number(value: float) -> str:
    """A number with three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(rows: Iterable[Row]) -> str:
    """The rows under a heading, in columns."""
    lines = [("", "median", "spread", "unit", "aim", "met", "")]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append((group.upper(), *[""] * 6))
        spread = f"{number(min(row.samples))} - {number(max(row.samples))}" if len(row.samples) > 1 else ""
        met = {None: "", True: "yes", False: "NO"}[row.met]
        lines.append((f"  {row.name}", number(row.value), spread, row.unit, str(row.aim or ""), met, row.note))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
