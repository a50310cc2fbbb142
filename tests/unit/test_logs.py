"""Log lines: one record is one line, whatever a caller put into it."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.logs import JsonLines, TextLines, configure


def record(message: str, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "opperlite.x", "created": 0.5, **fields})


@given(message=st.text(), value=st.text())
def test_one_record_is_one_line(message: str, value: str) -> None:
    for formatter in (TextLines(), JsonLines()):
        assert len(formatter.format(record(message, path=value)).splitlines()) == 1


@given(
    message=st.text(st.characters(exclude_categories=["Cs"])), value=st.text(st.characters(exclude_categories=["Cs"]))
)
def test_json_lines_read_back(message: str, value: str) -> None:
    line = json.loads(JsonLines().format(record(message, path=value, status=200)))
    assert line == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "logger": "opperlite.x",
        "message": message,
        "path": value,
        "status": 200,
    }


def test_text_lines_are_for_eyes() -> None:
    assert TextLines().format(record("request", path="/v3/files", status=200, agent="a b")) == (
        '1970-01-01T00:00:00.500Z info    request path=/v3/files status=200 agent="a b"'
    )


def test_a_traceback_is_kept() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        failed = record("failed", exc_info=sys.exc_info())
    assert TextLines().format(failed).endswith("ValueError: broken")
    assert json.loads(JsonLines().format(failed))["exception"].endswith("ValueError: broken")


@pytest.fixture
def restored() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("opperlite")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.mark.usefixtures("restored")
def test_libraries_speak_from_warning_up_and_the_program_from_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    logging.getLogger("httpx").info("quiet")
    logging.getLogger("opperlite.api").debug("too fine")
    logging.getLogger("opperlite.api").info("told")
    logging.getLogger("uvicorn.error").warning("told too")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == ["told", "told too"]
