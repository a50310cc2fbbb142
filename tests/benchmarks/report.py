"""The figures as they are kept: JSON that later runs of some groups add to, and the README's table made from it.

`python -m tests.benchmarks.report` makes that table anew without measuring.
"""

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from tests.benchmarks import chart
from tests.benchmarks.rows import Row, number, with_unit

FIGURES = Path(__file__).parent / "results" / "figures.json"
MISSES = FIGURES.with_name("misses.json")
README = Path(__file__).parents[2] / "README.md"
UNEXPLAINED = "not explained yet"
_PART = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


@dataclass(frozen=True)
class Report:
    """What was measured: by which version, on what kind of machine, on which day, beside what.

    `busy` tells that other work took the machine's processors when a run began.
    """

    opperlite: str
    machine: str
    day: date
    versions: dict[str, str]
    rows: tuple[Row, ...]
    busy: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "opperlite": self.opperlite,
            "machine": self.machine,
            "date": self.day.isoformat(),
            "busy": self.busy,
            "versions": self.versions,
            "rows": [row.as_json() for row in self.rows],
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        found = json.loads(path.read_text("utf-8"))
        rows = tuple(Row.from_json(fields) for fields in found["rows"])
        day = date.fromisoformat(found["date"])
        return cls(found["opperlite"], found["machine"], day, found["versions"], rows, found["busy"])

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", "utf-8")

    def draw(self, path: Path) -> None:
        """Put a chart beside the file of figures."""
        title = f"opperlite {self.opperlite}, {self.machine}, {self.day}: to the right is better than the aim"
        path.with_suffix(".svg").write_text(chart.svg(self.rows, title), "utf-8")

    def over(self, earlier: "Report", order: Sequence[str]) -> "Report":
        """This one with the earlier one's rows of those groups that were not measured now."""
        measured = {row.group for row in self.rows}
        kept = [row for row in earlier.rows if row.group not in measured and row.group in order]
        rows = sorted([*self.rows, *kept], key=lambda row: order.index(row.group))
        busy = self.busy or (earlier.busy and bool(kept))
        return Report(self.opperlite, self.machine, self.day, earlier.versions | self.versions, tuple(rows), busy)


# ------------------------------------------------------------------------------------------------- README


def shown(rows: Sequence[Row]) -> list[Row]:
    """What is of interest to readers: what has an aim or something beside it."""
    return [row for row in rows if row.aim or row.theirs]


def markdown(report: Report, reasons: dict[str, str]) -> str:
    """The README's part: a table, a sentence on where it is from, and why each miss is one."""
    lines = ["| Work | opperlite | Beside | | Ratio, or value | Aim | |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in shown(report.rows)]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.versions.items()))
    where = f"Measured on {report.day.isoformat()} on a machine with {report.machine}"
    lines += ["", f"{where}, with {versions}." if versions else f"{where}."]
    if report.busy:
        lines[-1] += " Other work took its processors meanwhile: the figures are worse than they need be."
    missed = [key(row) for row in shown(report.rows) if row.met is False]
    lines += ["", "What misses its aim:", ""] if missed else []
    lines += [f"- *{name}*: {reasons.get(name, UNEXPLAINED)}" for name in missed]
    return "\n".join(lines)


def key(row: Row) -> str:
    """What names a row among all."""
    return f"{row.name}, beside {row.beside}" if row.theirs else row.name


def _cells(row: Row) -> tuple[str, ...]:
    low, high = number(min(row.judged)), number(max(row.judged))
    value = with_unit(row.value, row.judged_unit)
    return (
        row.name,
        with_unit(statistics.median(row.samples), row.unit),
        f"{row.beside} (absent)" if row.skipped else row.beside or "–",
        with_unit(statistics.median(row.theirs), row.unit) if row.theirs else "",
        f"**{value}** ({low}–{high})" if low != high else f"**{value}**",
        row.aimed,
        {True: "met", False: "missed", None: ""}[row.met],
    )


def reasons() -> dict[str, str]:
    """Why rows miss their aims, by `key`, as written by hand."""
    return dict(json.loads(MISSES.read_text("utf-8")))


def into_readme(text: str, part: str) -> str:
    """The README's text with a new part between its marks."""
    replaced, count = _PART.subn(lambda marks: f"{marks[1]}{part}\n{marks[2]}", text)
    assert count == 1, "README.md has no place for the benchmarks"
    return replaced


def main() -> None:
    """Put the kept figures into the README, and draw them."""
    kept = Report.read(FIGURES)
    kept.draw(FIGURES)
    part = markdown(kept, reasons())
    README.write_text(into_readme(README.read_text("utf-8"), part), "utf-8")


if __name__ == "__main__":
    main()
