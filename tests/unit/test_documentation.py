"""The documents tell what the program does: settings, errors, the two lines, the lock."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from opperlite.api.errors import STATUS
from opperlite.config import Settings, settings_table_markdown
from opperlite.domain.errors import OpperliteError, all_errors

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def between(text: str, mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", text, re.DOTALL)
    assert found is not None, f"README.md has no part marked {mark!r}"
    return found[1].strip()


def test_the_settings_table_is_the_one_in_force() -> None:
    assert between(README, "settings") == settings_table_markdown().strip()


def errors_table() -> str:
    rows = ["| Code | Status | Meaning |", "|---|---|---|"]
    rows += [f"| `{error.code}` | {STATUS[error]} | {meaning(error)} |" for error in told_errors()]
    return "\n".join(rows)


def told_errors() -> list[type[OpperliteError]]:
    return sorted(all_errors(), key=lambda error: (STATUS[error], error.code))


def meaning(error: type[OpperliteError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0]


def test_the_errors_table_is_the_one_in_force() -> None:
    assert between(README, "errors") == errors_table()


def shell_lines() -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]


def test_two_lines_start_the_server_and_run_the_tests() -> None:
    start, test = shell_lines()[:2]
    assert start == "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/opperlite serve"
    assert test == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest"


@pytest.mark.skipif(sys.platform == "win32", reason="the README shows the quoting of POSIX shells")
def test_the_shown_banner_is_the_printed_one() -> None:
    from opperlite.serving import banner

    settings = Settings(data=Path("/home/you/.local/share/opperlite"))
    assert f"```text\n{banner(settings, 8080, None)}\n```" in README


def test_the_checks_have_the_test_line_of_the_readme() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if line.strip()]
    assert shell_lines()[1] in commands
    assert "set -euo pipefail" in commands


def test_every_command_is_explained() -> None:
    from opperlite.cli import cli

    for name, command in cli.commands.items():
        if not command.hidden:
            assert f"`opperlite {name}" in README


def test_no_link_inside_the_project_is_broken() -> None:
    for document in (*ROOT.glob("*.md"), *ROOT.glob("packaging/*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_variables_for_tests_are_those_that_are_told() -> None:
    used = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"OPPERLITE_TEST_[A-Z_]*[A-Z]", path.read_text("utf-8"))
    }
    assert used == set(re.findall(r"^\| `(OPPERLITE_TEST_[A-Z_]+)` \|", README, re.MULTILINE))


# ----------------------------------------------------------------------------------------------- the lock


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_covers_the_dependencies_with_hashes_and_names_no_index() -> None:
    lock = (ROOT / "packaging" / "requirements.lock").read_text("utf-8")
    entries = re.findall(r"^([\w.-]+)==([\w.]+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.M)
    pinned = re.findall(r"^[\w.-]+==", lock, re.MULTILINE)
    needed = {canonical(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in PROJECT["dependencies"]}

    assert len(entries) == len(pinned)
    assert needed <= {canonical(name) for name, _, _ in entries}
    assert "://" not in lock
    assert "--index-url" not in lock


def test_the_lock_is_above_the_lower_bounds() -> None:
    def parts(version: str) -> tuple[int, ...]:
        return tuple(int(number) for number in re.findall(r"\d+", version))

    lock = (ROOT / "packaging" / "requirements.lock").read_text("utf-8")
    versions = [(canonical(name), parts(version)) for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.M)]
    for line in PROJECT["dependencies"]:
        name, _, bound = re.match(r"([\w.-]+)(>=([\d.]+))?", line).groups()  # type: ignore[union-attr]
        assert bound is not None, f"{line} has no lower bound"
        for locked, version in versions:
            assert locked != canonical(name) or version >= parts(bound)
