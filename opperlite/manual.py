"""`opperlite man`: the manual page, made of the commands themselves, in the macros of man(7)."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import click

from opperlite import __version__

_BLOCK = "\b"  # click's mark of a paragraph whose lines stay as they are
_TITLE = "EXAMPLES"


@click.command("man")
@click.pass_context
def man(ctx: click.Context) -> None:
    """Print the manual page.

    \b
    opperlite man > ~/.local/share/man/man1/opperlite.1
    """
    from opperlite.cli import EXIT_CODES

    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    click.echo(page(root.command, EXIT_CODES), nl=False)


def page(program: click.Group, exit_codes: Mapping[int, str]) -> str:
    """The whole page as roff. It depends on the program's version alone, not on the day or the machine."""
    lines = [
        f'.TH OPPERLITE 1 "" "opperlite {__version__}" "User Commands"',
        ".SH NAME",
        f"opperlite \\- {_escaped(_summary(program))}",
        ".SH SYNOPSIS",
        ".B opperlite",
        "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(program.help),
        ".SH COMMANDS",
        *_commands(program, click.Context(program, info_name="opperlite", **program.context_settings)),
        ".SH ENVIRONMENT",
        *_definitions(_VARIABLES),
        ".SH FILES",
        *_definitions(_FILES),
        ".SH EXIT STATUS",
        *_definitions((str(code), sentence(meaning)) for code, meaning in exit_codes.items()),
        f".SH {_TITLE}",
        *_example_lines(program.epilog or ""),
    ]
    return "\n".join(lines) + "\n"


def exit_codes_table_markdown(exit_codes: Mapping[int, str]) -> str:
    """The README's table of exit codes."""
    rows = [f"| {code} | {sentence(meaning)} |" for code, meaning in exit_codes.items()]
    return "\n".join(["| Code | Meaning |", "|---|---|", *rows])


def sentence(meaning: str) -> str:
    """A meaning from a table as a sentence."""
    return f"{meaning[:1].upper()}{meaning[1:]}."


_VARIABLES = (
    (
        "OPPERLITE_…",
        "Each flag of `opperlite serve` is also a variable: OPPERLITE_MAX_FILE_SIZE=1GiB is --max-file-size 1GiB. "
        "A flag wins over the variable, the variable over the file, the file over the default.",
    ),
    ("OPPERLITE_CONFIG", "The TOML file with settings, as --config names it."),
    ("OPPERLITE_CACHE", "Where the one-file program unpacks itself at its first start."),
    ("TMPDIR", "Where `opperlite selftest` works."),
)
_FILES = (
    ("opperlite.toml", "Settings, in the user's configuration folder: ~/.config/opperlite on Linux."),
    ("the data folder", "The database, the media and the signing secret: ~/.local/share/opperlite on Linux."),
)


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield f".SS {_escaped(inner.command_path)}"
            yield from _paragraphs(command.help)
            yield from _commands(command, inner)
        elif not command.hidden:
            yield from _command(command, inner)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {_escaped(' '.join([context.command_path, *command.collect_usage_pieces(context)]))}"
    yield from _paragraphs(command.help)
    records = [parameter.get_help_record(context) for parameter in command.params]
    yield from _definitions(record for record in records if record is not None and record[1])
    if command.epilog:
        yield from (".PP", *_paragraphs(command.epilog))


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(limit=10_000).rstrip(".")


def _definitions(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in entries:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", _line(" ".join(meaning.split())))


def _paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a help text, with .PP between them; those that click leaves as they are, also here."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        if paragraph.startswith(_BLOCK):
            lines += [".PP", ".nf", *map(_line, paragraph.splitlines()[1:]), ".fi"]
        elif paragraph.strip():
            lines += [".PP", _line(" ".join(paragraph.split()))]
    return lines[1:]


def _example_lines(epilog: str) -> Iterator[str]:
    """The examples of the epilog; its other parts have sections of their own."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(epilog)):
        lines = paragraph.splitlines()
        if len(lines) > 1 and lines[1].upper().startswith(_TITLE):
            yield from (".nf", *(_line(line.strip()) for line in lines[2:]), ".fi")


def _line(text: str) -> str:
    """A line of text: what stands between backquotes is bold, and no line begins with what would be a request."""
    escaped = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _escaped(text))
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\&...").replace("'", "\\(aq")
