"""The benchmark's results: rows with their aims, as a table for people and as JSON for programs."""

import operator
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

_COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Aim:
    """What a row should reach: as a ratio where the row has something beside it, else in the row's unit."""

    sense: Literal[">=", "<="]
    value: float

    def met(self, value: float) -> bool:
        return bool(_COMPARE[self.sense](value, self.value))


@dataclass(frozen=True)
class Row:
    """One piece of work: our `samples` and, where something else did the same in turns, `theirs`, all in `unit`."""

    group: str
    name: str
    unit: str
    samples: tuple[float, ...]
    aim: Aim | None = None
    note: str = ""
    beside: str = ""
    theirs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.theirs and len(self.theirs) != len(self.samples):
            raise ValueError(f"{self.name}: {len(self.samples)} samples beside {len(self.theirs)}; they come in pairs")

    @property
    def judged(self) -> tuple[float, ...]:
        """What the aim is about: a ratio for each pair, else the samples."""
        return tuple(a / b for a, b in zip(self.samples, self.theirs, strict=True)) if self.theirs else self.samples

    @property
    def value(self) -> float:
        return statistics.median(self.judged)

    @property
    def met(self) -> bool | None:
        """None without an aim, and where the aim is a ratio and there is nothing to compare with."""
        return None if self.aim is None or self.skipped else self.aim.met(self.value)

    @property
    def skipped(self) -> bool:
        """Whether what should stand beside was not there."""
        return bool(self.beside) and not self.theirs

    @property
    def judged_unit(self) -> str:
        return "×" if self.theirs else self.unit

    @property
    def aimed(self) -> str:
        """The aim with its unit, such as `≥ 0.5 ×`."""
        if self.aim is None:
            return ""
        sense = {">=": "≥", "<=": "≤"}[self.aim.sense]
        return f"{sense} {with_unit(self.aim.value, '×' if self.beside else self.unit)}"

    def as_json(self) -> dict[str, Any]:
        rounded = {name: tuple(_rounded(one) for one in getattr(self, name)) for name in ("samples", "theirs")}
        derived = {
            "value": _rounded(self.value),
            "low": _rounded(min(self.judged)),
            "high": _rounded(max(self.judged)),
            "met": self.met,
        }
        return asdict(self) | rounded | derived

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        known = {name: fields[name] for name in ("group", "name", "unit", "note", "beside")}
        aim = Aim(**fields["aim"]) if fields["aim"] else None
        return cls(**known, aim=aim, samples=tuple(fields["samples"]), theirs=tuple(fields["theirs"]))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def number(value: float) -> str:
    """A number with three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def with_unit(value: float, unit: str) -> str:
    """`3,210/s`, `1.2 ×`, `0.42 s`."""
    return f"{number(value)}{unit}" if unit.startswith("/") else f"{number(value)} {unit}".rstrip()


def spread(row: Row) -> str:
    """From the least to the most of what is judged."""
    return f"{number(min(row.judged))} - {number(max(row.judged))}" if len(row.judged) > 1 else ""


def table(rows: Iterable[Row]) -> str:
    """The rows under a heading, in columns."""
    lines: list[tuple[str, ...]] = [("", "opperlite", "beside it", "", "judged", "spread", "aim", "met", "")]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append((group.upper(), *[""] * 8))
        lines.append(_line(row))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _line(row: Row) -> tuple[str, ...]:
    theirs = with_unit(statistics.median(row.theirs), row.unit) if row.theirs else ""
    return (
        f"  {row.name}",
        with_unit(statistics.median(row.samples), row.unit),
        row.beside,
        theirs or ("absent" if row.skipped else ""),
        with_unit(row.value, row.judged_unit),
        spread(row),
        row.aimed,
        {None: "", True: "yes", False: "NO"}[row.met],
        row.note,
    )
