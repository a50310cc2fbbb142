"""The `openai` package for Node against a real process, where Node and a package registry can be reached."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import Server

SCRIPT = Path(__file__).parent / "node" / "sdk.mjs"
NODE, NPM = shutil.which("node"), shutil.which("npm")
STEPS = ["files", "paging", "streamed upload", "images", "audio", "videos", "models", "errors"]


# Version 7 asks for Node 22 and runs on 20 too.
@pytest.fixture(scope="module", params=["openai@6", "openai@7"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newest release of a version of the `openai` package; skips where it cannot be had."""
    if NODE is None or NPM is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    package = str(request.param)
    install = [NPM, "install", "--silent", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", folder, package]
    try:
        subprocess.run(install, cwd=folder, capture_output=True, timeout=60, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install {package}: {(error.stderr or b'').decode(errors='replace')[-300:]}")
    return folder


def test_every_media_call_of_the_node_package(shared: Server, key: str, project: Path) -> None:
    assert NODE is not None
    address = {"OPENAI_BASE_URL": f"{shared.url}/v1", "OPENAI_API_KEY": key}
    ran = subprocess.run(
        [NODE, SCRIPT], env=os.environ | address, cwd=project, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.stdout.splitlines() == STEPS, ran.stderr
