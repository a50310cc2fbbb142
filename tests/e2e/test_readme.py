"""The README's session, run as it is printed: the answers have the members, types and words that it shows."""

import json
import re
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.server import PATIENCE, serving

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ID = re.compile(r"\b[a-z]+_[0-9a-f]{32}\b")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\d{4}-\d\d-\d\d")
MEASURED = {"bytes", "created", "duration", "start", "end", "seconds", "cost"}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl"
)


def session() -> list[tuple[str, str]]:
    """The section's code blocks as (language, text)."""
    section = README[README.index("## Five calls") : README.index("## Keys, and other machines")]
    return re.findall(r"```(sh|json)\n(.*?)\n```", section, re.DOTALL)


def learn(shown: Any, real: Any, ids: dict[str, str]) -> None:
    """Note which id of the answer stands for which one that the README shows."""
    ids.update(zip(ID.findall(json.dumps(shown)), ID.findall(json.dumps(real)), strict=False))


def translated(text: str, ids: dict[str, str]) -> str:
    return ID.sub(lambda match: ids.get(match[0], match[0]), text)


def same(shown: Any, real: Any, name: str = "") -> None:
    """Like, apart from ids, times, signatures and what was measured."""
    assert type(shown) is type(real), name
    if isinstance(shown, dict):
        assert list(shown) == list(real), name
        for member in shown:
            same(shown[member], real[member], member)
    elif isinstance(shown, list):
        assert len(shown) == len(real), name
        for one, other in zip(shown, real, strict=True):
            same(one, other, name)
    elif name == "b64_json":
        assert real.startswith(shown.removesuffix("…"))
    elif isinstance(shown, str):
        assert alike(shown) == alike(real), name
    elif name not in MEASURED:
        assert shown == real, name


def alike(text: str) -> str:
    for pattern, word in ((ID, "ID"), (MOMENT, "MOMENT"), (re.compile(r":\d+/"), ":PORT/"), (re.compile(r"\?.*"), "?")):
        text = pattern.sub(word, text)
    return text


def test_the_session_of_the_readme_answers_as_it_is_printed(tmp_path: Path) -> None:
    Image.effect_mandelbrot((640, 480), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(tmp_path / "cat.jpg")
    (_, variables), *blocks = session()
    ids: dict[str, str] = {}
    answers = 0
    with serving(tmp_path) as server:
        variables = re.sub(r"http://[\d.:]+", server.url, variables)
        for (language, command), (_, answer) in pairwise(blocks):
            if language != "sh":
                continue
            shown = json.loads(answer)
            real = ask(f"{variables}\n{translated(command, ids)}", tmp_path, shown.get("status"))
            learn(shown, real, ids)
            same(shown, real)
            answers += 1
        assert server.end()[0] == 0
    assert answers == 6


def ask(script: str, folder: Path, status: str | None) -> Any:
    """The answer of a command; one that polls is repeated until the job has ended, if the README shows its end."""
    limit = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, timeout=PATIENCE, check=True)
        answer = json.loads(done.stdout)
        if status is None or answer.get("status") != "processing" or time.monotonic() > limit:
            return answer
        time.sleep(0.2)
