"""What the benchmark's table and its loads say."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.benchmarks import load
from tests.benchmarks.rows import Aim, Row, number, table
from tests.benchmarks.uploads import Small
from tests.e2e.server import Server, serving


def test_a_row_is_judged_by_its_median() -> None:
    row = Row("bytes", "upload", "MB/s", (90.0, 300.0, 100.0), Aim(">=", 100))
    assert (row.value, row.met) == (100.0, True)
    assert Row("start", "first", "s", (0.7, 0.61, 0.5), Aim("<=", 0.6)).met is False
    assert Row("start", "first", "s", (0.7,)).met is None


def test_beside_something_the_ratio_of_each_pair_is_judged() -> None:
    row = Row("bytes", "upload", "MB/s", (3.0, 8.0), Aim(">=", 0.6), beside="cp", theirs=(6.0, 10.0))
    assert row.judged == (0.5, 0.8)
    assert (row.value, row.judged_unit, row.met) == (0.65, "×", True)
    with pytest.raises(ValueError, match="pairs"):
        Row("bytes", "upload", "MB/s", (3.0, 8.0), beside="cp", theirs=(6.0,))


def test_what_is_absent_is_told_and_not_judged() -> None:
    row = Row("bytes", "upload", "MB/s", (3.0, 8.0), Aim(">=", 0.6), beside="cp")
    assert row.met is None
    assert _words(table([row]))[2] == "upload 5.5 MB/s cp absent 5.5 MB/s 3 - 8 ≥ 0.6 ×"


def _words(table: str) -> list[str]:
    return [" ".join(line.split()) for line in table.splitlines()]


def test_a_row_outlives_json() -> None:
    row = Row("bytes", "upload", "MB/s", (3.0, 8.0), Aim(">=", 0.6), "hm", "cp", (6.0, 10.0))
    told = json.loads(json.dumps(row.as_json()))
    assert Row.from_json(told) == row
    assert (told["value"], told["low"], told["high"], told["met"]) == (0.65, 0.5, 0.8, True)


def test_the_table_tells_groups_spreads_aims_and_misses() -> None:
    rows = [
        Row("start", "to the first 200", "s", (0.5, 0.7, 0.52), Aim("<=", 0.6)),
        Row("bytes", "upload", "MB/s", (1234.5,), Aim(">=", 0.5), "slow disk", "cp", (4938.0,)),
    ]
    lines = _words(table(rows))
    assert lines[1] == "START"
    assert lines[2] == "to the first 200 0.52 s 0.52 s 0.5 - 0.7 ≤ 0.6 s yes"
    assert lines[4] == "upload 1,234 MB/s cp 4,938 MB/s 0.25 × ≥ 0.5 × NO slow disk"


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


def test_a_burst_sends_every_request_once_and_counts_replies_that_are_wrong(server: Server) -> None:
    small = Small(server.port, server.key, 2_000)
    good = load.burst(server.port, [small.upload() for _ in range(20)], 4, 200)
    assert (good.requests, good.wrong) == (20, 0)
    assert server.get("/v3/files").json()["meta"]["total"] == 20
    missing = b"GET /v3/files/file_0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer demo\r\n\r\n"
    assert load.drive(server.port, iter([missing] * 3), 2, 200).wrong == 3
    with pytest.raises(AssertionError, match="were not 200"):
        load.burst(server.port, [missing], 1, 200)
