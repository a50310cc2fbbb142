"""What is imported before the first request: the start of the program is as long as these take.

Whatever draws, encodes, speaks, listens, fetches or describes the API is imported when that is first asked for.
"""

import json
import subprocess
import sys
from pathlib import Path

BEFORE_THE_FIRST_REQUEST = {
    "aiofiles",
    "aiosqlite",
    "click",
    "filetype",
    "httptools",
    "msgspec",
    "multipart",
    "platformdirs",
    "typing_extensions",
    "uvicorn",
    "uvloop",
    # Litestar and what it imports itself, without its plug-ins for pydantic and attrs.
    "litestar",
    "annotated_types",
    "anyio",
    "multidict",
    "sniffio",
    "yaml",
}
BEFORE_A_COMMAND = {"click"}

ROOT = Path(__file__).parents[2]
OWN = {"opperlite", *sys.stdlib_module_names, "cython_runtime"}

SERVE = """
import json, os, sys
from opperlite import serving
from opperlite.cli import main

def ready(banner):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)

serving._show = ready
sys.argv = ["opperlite", "serve", "--port", "0", "--data", sys.argv[1]]
main()
"""
FRAMEWORK = "import json, sys; import litestar; print(json.dumps(sorted(sys.modules)))"
VERSION = """
import json, sys
from opperlite.cli import cli

cli(["--version"], standalone_mode=False)
print(json.dumps(sorted(sys.modules)))
"""


def imported(code: str, *words: str) -> set[str]:
    """The top-level names of the third-party modules that a program has imported."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    names = {name.partition(".")[0] for name in json.loads(ran.stdout.splitlines()[-1])}
    return {name for name in names - OWN - at_every_start() if not name.startswith(("_cython_", "__"))}


def at_every_start() -> set[str]:
    """What this Python imports by itself: the hooks of installed packages."""
    code = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(ran.stdout)}


def test_only_these_are_imported_before_the_first_request(tmp_path: Path) -> None:
    others = imported(SERVE, str(tmp_path / "data")) - BEFORE_THE_FIRST_REQUEST
    assert not others, f"import {', '.join(sorted(others))} where it is used"


def test_a_command_that_needs_nothing_imports_next_to_nothing() -> None:
    assert imported(VERSION) - {"msgspec", "typing_extensions"} <= BEFORE_A_COMMAND
