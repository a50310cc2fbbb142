"""`opperlite env`: what it prints points a shell's programs at the running server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from opperlite.environment import SHELLS
from tests.e2e.server import PROGRAM, command, environment, serving


def run(folder: Path, *words: str, **own: str) -> subprocess.CompletedProcess[str]:
    surroundings = {name: value for name, value in environment(folder).items() if name != "OPPER_API_KEY"} | own
    return subprocess.run(
        [*PROGRAM, "env", *words], env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_running_server_is_found(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        done = run(tmp_path)
        assert done.returncode == 0
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            f"export OPPER_BASE_URL={server.url}",
            "export OPPER_API_KEY=opperlite",
            f"export OPENAI_BASE_URL={server.url}/v1",
            "export OPENAI_API_KEY=opperlite",
        ]
        server.kill()
        killed = run(tmp_path)
    assert "http://127.0.0.1:8080\n" in killed.stdout
    assert "No server runs" in killed.stderr


def test_a_stopped_server_leaves_no_record(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert (server.data / "server.json").is_file()
        server.end()
        assert not (server.data / "server.json").exists()


def test_keys_must_be_named(tmp_path: Path) -> None:
    refused = run(tmp_path, "--auth", "keys")
    assert refused.returncode == 2
    assert "--key" in refused.stderr
    for done in (run(tmp_path, "--auth", "keys", "--key", "opl_x"), run(tmp_path, OPPER_API_KEY="opl_x")):
        assert "export OPENAI_API_KEY=opl_x" in done.stdout


def test_no_address_is_made_up(tmp_path: Path) -> None:
    refused = command(tmp_path, "env", "--port", "0")
    assert refused.returncode == 2
    assert "start it first" in refused.stderr


AWKWARD = 'a\'b "c" $HOME `x` \\ ; &'


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_what_is_printed_means_the_same_to_the_shell(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = SHELLS[shell]("OPPER_API_KEY", AWKWARD) + '\nprintf %s "$OPPER_API_KEY"'
    told = subprocess.run([program, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert told.stdout == AWKWARD


def test_powershell_quotes_are_doubled() -> None:
    assert SHELLS["powershell"]("A", "it's") == "$Env:A = 'it''s'"
