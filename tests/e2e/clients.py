"""Two ways to ask the same things: Python's requests, and the curl program."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import requests

from tests.e2e.server import PATIENCE

CURL = shutil.which("curl")


class Answer(NamedTuple):
    """A reply: its status, its headers in lower case, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self, status: int = 200) -> Any:
        """The body as JSON, after a look at the status."""
        assert self.status == status, (self.status, self.body[:1000])
        return json.loads(self.body)


class Client(Protocol):
    """Sends one command line of curl, by whatever means."""

    def run(self, words: list[str], folder: Path) -> Answer:
        """Run `curl <words>` in `folder`; files are named relative to it."""


class ByCurl:
    """The program itself."""

    def run(self, words: list[str], folder: Path) -> Answer:
        assert CURL is not None
        heads = folder / "reply-heads"
        command = [CURL, "--noproxy", "*", "--max-time", str(PATIENCE), "-D", str(heads), *words]
        ran = subprocess.run(command, cwd=folder, capture_output=True, check=True)
        head = (
            heads.read_bytes().decode("latin-1").rstrip("\r\n").split("\r\n\r\n")[-1].split("\r\n")
        )  # after any 100 Continue
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        return Answer(int(head[0].split()[1]), headers, ran.stdout)


class ByRequests:
    """The same line read by us and sent by requests: the options that the guides use, and no others."""

    def run(self, words: list[str], folder: Path) -> Answer:
        method, url, headers, form, data, target = "GET", "", {}, {}, None, None
        rest = iter(words)
        for word in rest:
            if word == "-s":
                continue
            if word == "-sI":
                method = "HEAD"
            elif word in ("-X", "-sX"):
                method = next(rest)
            elif word == "-H":
                name, _, value = next(rest).partition(":")
                headers[name] = value.strip()
            elif word == "-d":
                data = next(rest).encode()
            elif word == "-F":
                name, _, value = next(rest).partition("=")
                given = folder / value[1:]
                form[name] = (given.name, given.read_bytes()) if value.startswith("@") else (None, value)
            elif word == "-o":
                target = folder / next(rest)
            else:
                assert re.match(r"https?://", word), f"not an option that is read here: {word}"
                url = word
        with requests.Session() as session:
            session.trust_env = False
            reply = session.request(method, url, headers=headers, files=form or None, data=data, timeout=PATIENCE)
        if target is not None:
            target.write_bytes(reply.content)
        return Answer(
            reply.status_code,
            {name.lower(): value for name, value in reply.headers.items()},
            b"" if target else reply.content,
        )


def words(line: str) -> list[str]:
    """A command line as written in a shell, its first word `curl` taken away."""
    first, *rest = shlex.split(line.replace("\\\n", " "), comments=True)
    assert first == "curl"
    return rest
