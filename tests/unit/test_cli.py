"""The commands, run as a person or a script runs them."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from opperlite import __version__
from opperlite.cli import EXIT_CODES, cli
from opperlite.config import SETTINGS, Setting
from opperlite.values import Listing, Switch

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command in this process with an empty configuration and its own data folder."""
    environment: Mapping[str, str | None] = {
        **{name: None for name in os.environ if name.startswith("OPPERLITE_")},
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "OPPERLITE_DATA": str(tmp_path / "data"),
    }
    return lambda *words, **more: CliRunner(env=environment).invoke(cli, [str(word) for word in words], **more)


def every_command(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


# ----------------------------------------------------------------------------------------------- the help


@pytest.mark.parametrize("path", [(), *every_command()], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], run: Run) -> None:
    for flag in ("--help", "-h"):
        result = run(*path, flag)
        assert result.exit_code == 0
        assert result.output.startswith("Usage: ")
    first = result.output.split("\n\n")[1].strip()
    assert first.endswith(".")
    assert re.search(r"\w\.\.\.$", result.output, re.MULTILINE) is None  # a summary that was cut


def test_the_help_has_examples_that_parse_and_the_exit_codes(run: Run) -> None:
    for path in ((), ("serve",)):
        text = run(*path, "--help").output
        examples = re.findall(r"^  +(?:OPPERLITE_\w+=\S+ )?opperlite (.+?)(?:   .*)?$", text, re.MULTILINE)
        assert len(examples) >= 4
        for example in examples:
            words = example.split()
            name, command, rest = cli.resolve_command(click.Context(cli), words)
            if isinstance(command, click.Group):
                name, command, rest = command.resolve_command(click.Context(command), rest)
            assert command is not None
            command.make_context(name, rest)
    for code, meaning in EXIT_CODES.items():
        assert f"  {code:<4} {meaning}" in run("--help").output


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_a_flag_of_serve(setting: Setting, run: Run) -> None:
    text = " ".join(run("serve", "--help", terminal_width=1000).output.split())
    assert setting.flag in text
    assert setting.help in text
    assert f"[default: {setting.shown_default}" in text
    assert ("; repeatable]" in text[text.index(setting.help) :][: len(setting.help) + 60]) == isinstance(
        setting.kind, Listing
    )
    if isinstance(setting.kind, Switch):
        assert f"--no-{setting.flag[2:]}" in text


def test_the_flags_stand_in_the_order_of_the_table(run: Run) -> None:
    text = run("serve", "--help").output
    places = [re.search(rf"^  {setting.flag}\b", text, re.MULTILINE) for setting in SETTINGS]
    starts = [place.start() for place in places if place is not None]
    assert len(starts) == len(SETTINGS)
    assert starts == sorted(starts)


# ---------------------------------------------------------------------------------------------- the errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "99999"], "--port: found '99999'; allowed: a whole number from 0 to 65535."),
        (["--port", "x"], "--port: found 'x'"),
        (["--auth", "none"], "'none' is not one of 'open', 'keys'"),
        (["--max-file-size", "1PB"], "--max-file-size: found '1PB'"),
        (["--allow-source", "10.0.0.0/8", "--allow-source", "a b"], "--allow-source: found 'a b'"),
        (["--host", "0.0.0.0"], "--open-to-network"),
        (["--config", "missing.toml"], "--config: there is no file"),
        (["--prot", "1"], "--port"),
        (["extra"], "extra"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_of_serve_ends_with_2_before_anything_starts(words: list[str], message: str, run: Run) -> None:
    result = run("serve", "--port", "0", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_wrong_variable_is_named(run: Run) -> None:
    result = run("serve", env={"OPPERLITE_PORT": "abc", "OPPERLITE_PROT": "1"})
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Warning: OPPERLITE_PROT names no setting and is ignored. Did you mean OPPERLITE_PORT?",
        "Error: OPPERLITE_PORT: found 'abc'; allowed: a whole number from 0 to 65535.",
    ]


def test_a_user_without_a_home_is_told_what_to_name(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless(*words: str, **options: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_data_dir", homeless)
    monkeypatch.setattr("platformdirs.user_config_dir", homeless)
    ran = run("keys", "list", env={"OPPERLITE_DATA": None})
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "name a folder with --data or OPPERLITE_DATA" in ran.stderr
    assert run("keys", "list", "--data", tmp_path / "data").exit_code == 0


def test_the_variable_of_the_launcher_is_no_mistake(run: Run) -> None:
    assert run("models", "--json", env={"OPPERLITE_CACHE": "/var/cache/opperlite"}).stderr == ""


def test_a_taken_port_ends_with_4(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        result = run("serve", "--port", port)
    assert result.exit_code == 4
    assert result.stderr.startswith(f"Error: Port {port} on 127.0.0.1 is taken. ")
    assert "is free: opperlite serve --port" in result.stderr


# -------------------------------------------------------------------------------------------------- models


def test_models_are_listed_by_type(run: Run) -> None:
    everything = json.loads(run("models", "--json").output)
    assert {row["type"] for row in everything} == {"image", "video", "tts", "stt"}
    for kind in ("image", "video", "tts", "stt"):
        assert json.loads(run("models", "--type", kind, "--json").output) == [
            row for row in everything if row["type"] == kind
        ]


def test_the_table_of_models_has_a_line_for_each(run: Run) -> None:
    rows = json.loads(run("models", "--json").output)
    head, *lines = run("models").output.splitlines()
    assert head.split() == ["ID", "TYPE", "CAPABILITIES", "ENGINE", "RETIRED", "AT", "SUCCESSOR"]
    assert [line.split()[0] for line in lines] == [row["id"] for row in rows]


def test_a_wrong_catalog_ends_with_2_and_its_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.toml").write_text("nonsense = 1\n")
    for folder, place in ((tmp_path / "missing", "missing"), (tmp_path / "models", "own.toml")):
        result = run("models", "--catalog", folder)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert place in result.stderr


# ------------------------------------------------------------------------------------- version, completion


def test_the_version_alone_is_one_line(run: Run) -> None:
    assert run("--version").output == f"opperlite {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_program(shell: str, run: Run) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_OPPERLITE_COMPLETE" in result.output


def test_completion_offers_commands_flags_and_words() -> None:
    def offered(line: str) -> set[str]:
        words = line.split(" ")
        environment = {
            **os.environ,
            "_OPPERLITE_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "opperlite"], env=environment, capture_output=True, text=True, check=True
        )
        return {row.partition(",")[2] for row in done.stdout.splitlines()}

    assert {"serve", "keys", "models", "version"} <= offered("opperlite ")
    assert "--max-file-size" in offered("opperlite serve --max")
    assert offered("opperlite serve --auth ") == {"open", "keys"}
