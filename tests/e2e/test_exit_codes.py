"""Every exit code that is documented, from the program itself; 130 is in test_serve, 5 is the built program's."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from opperlite.cli import EXIT_CODES
from tests.e2e.server import command

HERE = {
    0: ["version"],
    1: ["health", "http://127.0.0.1:9"],
    2: ["serve", "--port", "many"],
    3: ["doctor", "--repair", "--data", "/dev/null/data"],
    4: ["serve", "--port", "TAKEN"],
}
ELSEWHERE = {5, 130}


def test_every_code_has_a_test() -> None:
    assert set(EXIT_CODES) == {*HERE, *ELSEWHERE}


@pytest.mark.parametrize("code", HERE)
def test_a_command_ends_with_its_code_and_one_reason(code: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = command(tmp_path, *(port if word == "TAKEN" else word for word in HERE[code]))
    assert ran.returncode == code
    assert bool(ran.stdout) == (code == 0)
    assert bool(ran.stderr) == (code != 0)
    assert "Traceback" not in ran.stderr
