"""The manual page: everything that the commands say of themselves, as roff that man understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from opperlite import __version__
from opperlite.cli import EXIT_CODES, cli
from opperlite.config import SETTINGS
from opperlite.manual import exit_codes_table_markdown, page

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
MACROS = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".nf", ".fi"}


@pytest.fixture(scope="module")
def roff() -> str:
    result = CliRunner().invoke(cli, ["man"])
    assert result.exit_code == 0
    assert result.output == page(cli, EXIT_CODES)
    return result.output


def plain(roff: str) -> str:
    """The text without fonts and escapes."""
    text = re.sub(r"\\f[BIR]", "", roff).replace("\\&", "").replace("\\-", "-").replace("\\(aq", "'")
    return text.replace("\\e", "\\")


def leaves(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def test_it_has_only_macros_that_it_means(roff: str) -> None:
    assert {line.split(" ")[0] for line in roff.splitlines() if line.startswith((".", "'"))} <= MACROS
    assert set(re.findall(r"\\(.)", roff)) <= set("f&-(e")
    assert roff.startswith(f'.TH OPPERLITE 1 "" "opperlite {__version__}" "User Commands"\n.SH NAME\n')
    assert roff.count("\n.nf\n") == roff.count("\n.fi\n")


def test_it_has_every_command_with_its_flags_and_words(roff: str) -> None:
    parts = re.split(r"^\.SS ", plain(roff), flags=re.MULTILINE)[1:]
    for path, command in leaves(cli, ("opperlite",)):
        name = re.escape(" ".join(path))
        [part] = [one for one in parts if re.match(rf"{name}( \[| [A-Z]|\n)", one)]
        for parameter in command.params:
            for flag in (*parameter.opts, *parameter.secondary_opts):
                assert flag in part or isinstance(parameter, click.Argument), (path, flag)
    hidden = [name for name, command in cli.commands.items() if command.hidden]
    assert hidden
    assert not any(part.startswith(f"opperlite {name}") for part in parts for name in hidden)


def test_it_has_every_setting_and_exit_code(roff: str) -> None:
    text = plain(roff)
    for setting in SETTINGS:
        assert setting.help.replace("`", "") in text
    for code, meaning in EXIT_CODES.items():
        assert f"\n{code}\n{meaning[0].upper()}{meaning[1:]}.\n" in text


def test_the_readme_has_the_exit_codes(roff: str) -> None:
    assert f"<!-- exit-codes -->\n{exit_codes_table_markdown(EXIT_CODES)}\n<!-- /exit-codes -->" in README


def test_lines_that_look_like_requests_stay_text() -> None:
    @click.group(epilog="\b\nExamples:\n  tool .hidden")
    def tool() -> None:
        """A tool."""

    @tool.command()
    def do() -> None:
        """.start here, with a \\ and `code-words`

        \b
        'quoted'
        .dotted
        """

    text = page(tool, {0: "fine"})
    assert "\n\\&.start here, with a \\e and \\fBcode\\-words\\fR\n" in text
    assert "\n.nf\n\\(aqquoted\\(aq\n\\&.dotted\n.fi\n" in text


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_nothing_wrong(roff: str) -> None:
    ran = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning"], input=roff, capture_output=True, text=True, check=False
    )
    complaints = [line for line in (ran.stdout + ran.stderr).splitlines() if "missing date" not in line]
    assert complaints == []  # the page has no date, so that the same version makes the same page on any day
