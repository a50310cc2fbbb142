"""The fixtures for other projects' tests, proven from a sample project in a process of its own."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.e2e.server import BUILT, CACHE, PROGRAM

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]

SAMPLE = """
import os
import urllib.error
import urllib.request

import pytest

from opperlite.pytest_plugin import OpperliteClient, OpperliteServer


@pytest.fixture(scope="session")
def opperlite_flags():
    return ("--max-file-size", "1KiB")


def test_the_variables_name_the_server(opperlite_client):
    assert os.environ["OPPER_BASE_URL"] == opperlite_client.url
    assert os.environ["OPENAI_BASE_URL"] == opperlite_client.openai_url == opperlite_client.url + "/v1"
    assert os.environ["OPPER_API_KEY"] == os.environ["OPENAI_API_KEY"] == opperlite_client.key
    assert opperlite_client.headers == {"Authorization": "Bearer " + opperlite_client.key}


KEYS = set()


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_project_of_its_own(opperlite_client, number):
    files = opperlite_client.openai.files
    assert list(files.list()) == []
    files.create(file=("a.txt", b"x" * number), purpose="user_data")
    KEYS.add(opperlite_client.key)
    assert len(KEYS) == number


def test_a_client_that_reads_the_variables_itself(opperlite_client):
    import openai

    with openai.OpenAI() as client:
        assert client.models.retrieve("gpt-image-2").owned_by == "openai"


def test_the_clients_are_made_once(opperlite_client):
    assert opperlite_client.openai is opperlite_client.openai
    assert opperlite_client.opperai.system.health().status == "ok"


def test_the_flags_are_the_projects_own(opperlite_client):
    import openai

    with pytest.raises(openai.APIStatusError) as caught:
        opperlite_client.openai.files.create(file=("a.txt", b"x" * 2000), purpose="user_data")
    assert caught.value.status_code == 413


def test_the_server_can_be_read_without_a_client(opperlite: OpperliteServer):
    with urllib.request.urlopen(opperlite.url + "/health") as reply:
        assert reply.status == 200
    assert opperlite.openai_url.endswith("/v1")
    assert isinstance(opperlite.log, str)


def test_the_variables_are_gone_again():
    assert "OPPER_API_KEY" not in os.environ
"""
UNUSED = """
import sys


def test_nothing_heavy_is_imported():
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert loaded & {"litestar", "uvicorn", "msgspec", "numpy", "PIL", "av", "openai", "opperai", "httpx"} == set()
"""


PROGRAM_FIXTURE = """

@pytest.fixture(scope="session")
def opperlite_program():
    return {program!r}
"""


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings =\n    error\n    ignore::DeprecationWarning\n")
    for number, text in enumerate(tests):
        (folder / f"test_sample_{number}.py").write_text(text)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPPER", "OPENAI_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "opperlite.pytest_plugin"],
        cwd=folder,
        env=own
        | {
            "XDG_CACHE_HOME": str(CACHE),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_pytest_finds_the_fixtures() -> None:
    assert PROJECT["entry-points"]["pytest11"] == {"opperlite": "opperlite.pytest_plugin"}


def test_a_sample_project_runs_against_a_server_of_its_own(tmp_path: Path) -> None:
    done = run(tmp_path, SAMPLE + (PROGRAM_FIXTURE.format(program=PROGRAM) if BUILT else ""))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_the_plugin_costs_nothing_while_it_is_not_used(tmp_path: Path) -> None:
    done = run(tmp_path, UNUSED)
    assert done.returncode == 0, done.stdout + done.stderr
