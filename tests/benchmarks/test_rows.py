"""What the benchmark's table and its loads say."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.benchmarks import load
from tests.benchmarks.rows import Aim, Row, number, ratio, table
from tests.e2e.server import Server, serving


def test_a_row_is_judged_by_its_median() -> None:
    row = Row("bytes", "upload", "MB/s", (90.0, 300.0, 100.0), Aim(">=", 100))
    assert (row.value, row.met) == (100.0, True)
    assert Row("start", "first", "s", (0.7, 0.61, 0.5), Aim("<=", 0.6)).met is False
    assert Row("start", "first", "s", (0.7,)).met is None
    assert json.loads(json.dumps(row.as_json()))["low"] == 90.0


def test_a_ratio_has_a_sample_for_each_pair() -> None:
    row = ratio("bytes", "upload / copy", (3.0, 8.0), (6.0, 10.0), Aim(">=", 0.6))
    assert row.samples == (0.5, 0.8)
    with pytest.raises(ValueError, match="shorter"):
        ratio("bytes", "upload / copy", (3.0, 8.0), (6.0,), None)


def test_the_table_tells_groups_spreads_aims_and_misses() -> None:
    rows = [
        Row("start", "to the first 200", "s", (0.5, 0.7, 0.52), Aim("<=", 0.6)),
        Row("bytes", "upload", "MB/s", (1234.5,), Aim(">=", 2000), "slow disk"),
    ]
    lines = [line.split() for line in table(rows).splitlines()]
    assert lines[1] == ["START"]
    assert lines[2] == ["to", "the", "first", "200", "0.52", "0.5", "-", "0.7", "s", "<=", "0.6", "yes"]
    assert lines[4] == ["upload", "1,234", "MB/s", ">=", "2,000", "NO", "slow", "disk"]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.123456, "0.123"), (12.34, "12.3"), (99.96, "100"), (12345.6, "12,346")]
)
def test_numbers_have_the_digits_that_matter(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("load")) as running:
        yield running


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(lambda call: asyncio.run(load._ours(call, 0.3, 4)), id="own"),
        pytest.param(
            lambda call: load._wrk(call, 1, 4),
            id="wrk",
            marks=pytest.mark.skipif(load.WRK is None, reason="wrk is not installed"),
        ),
    ],
)
def test_a_load_counts_replies_and_those_that_are_wrong(client: object, server: Server) -> None:
    assert callable(client)
    good = client(load.Call(f"{server.url}/health"))
    assert good.requests > 20
    assert good.wrong == 0
    assert 0 < good.p50 <= good.p99
    body = json.dumps({"model": "local/video", "prompt": ""})
    headers = {"Authorization": "Bearer demo", "Content-Type": "application/json"}
    refused = client(load.Call(f"{server.url}/v3/videos", "POST", headers, body, expected=202))
    assert 0 < refused.requests <= refused.wrong + 4  # each one, but for those cut off at the end
    with pytest.raises(AssertionError, match="were not 200"):
        load.load(load.Call(f"{server.url}/v3/files"), 0.3)
