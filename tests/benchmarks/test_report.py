"""What is kept of a run, and what the README and the chart make of it."""

import itertools
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import chart, report, turns
from tests.benchmarks.report import FIGURES, README, Report
from tests.benchmarks.rows import Aim, Row

MET = Row("start", "first start", "s", (0.3,), Aim("<=", 0.35))
MISSED = Row("requests", "poll", "/s", (3_000.0, 4_000.0), Aim(">=", 1), "hm", "aimock", (6_000.0, 5_000.0))
ABSENT = Row("requests", "list", "/s", (900.0,), Aim(">=", 5), "", "moto")
PLAIN = Row("requests", "health", "/s", (7_000.0,))
WHOLE = Report("1.0", "two cores, Linux x86-64", date(2026, 11, 21), {"aimock": "1.43.0"}, (MISSED, ABSENT, PLAIN, MET))


def test_measurements_are_taken_in_turns() -> None:
    clock = itertools.count()
    ours, theirs, absent = turns.in_turns(3, lambda: float(next(clock)), lambda: float(next(clock)), None)
    assert (ours, theirs, absent) == ((0.0, 2.0, 4.0), (1.0, 3.0, 5.0), ())


def test_a_report_outlives_its_file(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "figures.json")
    assert Report.read(tmp_path / "figures.json") == WHOLE


def test_a_later_run_of_some_groups_replaces_only_those() -> None:
    faster = Row("start", "first start", "s", (0.2,), Aim("<=", 0.35))
    gone = Row("gone", "a group of earlier days", "s", (1.0,))
    earlier = Report(WHOLE.opperlite, WHOLE.machine, WHOLE.day, WHOLE.versions, (*WHOLE.rows, gone))
    later = Report("1.1", WHOLE.machine, date(2026, 11, 22), {"wrk": "4.1.0"}, (faster,))
    whole = later.over(earlier, ["requests", "start"])
    assert whole.rows == (MISSED, ABSENT, PLAIN, faster)
    assert not whole.busy
    assert later.over(replace(earlier, busy=True), ["requests", "start"]).busy
    assert not later.over(replace(earlier, busy=True), ["start"]).busy  # nothing of the earlier run is left
    assert (whole.opperlite, whole.versions) == ("1.1", {"aimock": "1.43.0", "wrk": "4.1.0"})


def test_the_markdown_tells_aims_misses_reasons_and_where_it_is_from() -> None:
    part = report.markdown(WHOLE, {"poll, beside aimock": "the engine is slow"})
    assert "| poll | 3,500/s | aimock | 5,500/s | **0.65 ×** (0.5–0.8) | ≥ 1 × | missed |" in part
    assert "| list | 900/s | moto (absent) |  | **900/s** | ≥ 5 × |  |" in part
    assert "health" not in part
    assert "2026-11-21 on a machine with two cores, Linux x86-64, with aimock 1.43.0." in part
    assert "Other work" not in part
    assert "Other work" in report.markdown(replace(WHOLE, busy=True), {})
    assert part.endswith("- *poll, beside aimock*: the engine is slow")


def test_the_readme_keeps_everything_else() -> None:
    text = "before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter"
    assert report.into_readme(text, "new") == "before\n<!-- benchmarks -->\nnew\n<!-- /benchmarks -->\nafter"
    with pytest.raises(AssertionError, match="no place"):
        report.into_readme("nothing", "new")


def test_the_chart_has_a_bar_for_each_row_with_an_aim() -> None:
    drawn = ET.fromstring(chart.svg(WHOLE.rows, "a < b"))
    fills = [bar.get("fill") for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert fills[1:] == [chart.MISSED, chart.MET]  # the first is the ground


@pytest.mark.parametrize(
    ("row", "value", "times"),
    [(MET, 0.175, 2.0), (MISSED, 0.5, 0.5), (Row("c", "errors", "", (0.0,), Aim("<=", 0)), 0.0, 1.0)],
)
def test_advantage_is_above_one_on_the_good_side(row: Row, value: float, times: float) -> None:
    assert chart.advantage(row, value) == pytest.approx(times)


def test_the_readme_shows_the_kept_figures() -> None:
    part = report.markdown(Report.read(FIGURES), report.reasons())
    text = README.read_text("utf-8")
    assert report.into_readme(text, part) == text, "python -m tests.benchmarks.report puts them there"


def test_every_miss_has_its_reason() -> None:
    missed = {report.key(row) for row in report.shown(Report.read(FIGURES).rows) if row.met is False}
    assert missed <= set(report.reasons())


def test_the_kept_figures_tell_only_the_kind_of_machine() -> None:
    kept = json.loads(FIGURES.read_text("utf-8"))
    assert set(kept) == {"opperlite", "machine", "date", "busy", "versions", "rows"}
    assert {row["group"] for row in kept["rows"]} <= set(program.GROUPS)
