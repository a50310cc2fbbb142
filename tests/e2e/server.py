"""A server as a real process: started in a folder of its own, asked over HTTP, stopped or killed, started again.

With `OPPERLITE_TEST_PROGRAM` it is that program, as a build made it, in an emptied environment.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

BUILT = os.environ.get("OPPERLITE_TEST_PROGRAM")
PROGRAM = [str(Path(BUILT).absolute())] if BUILT else [sys.executable, "-m", "opperlite"]
CACHE = Path(__file__).parents[2] / "build" / "test-cache"  # where a one-file program unpacks itself
PATIENCE = 60.0


def environment(folder: Path) -> dict[str, str]:
    """The surroundings of every command: no setting of the machine's user, all state inside `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPPERLITE_")}
    own = {} if BUILT else kept
    places = {"XDG_CONFIG_HOME": "config", "OPPERLITE_DATA": "data"}
    return own | {"OPPERLITE_CACHE": str(CACHE)} | {name: str(folder / place) for name, place in places.items()}


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the program to its end."""
    return subprocess.run(
        [*PROGRAM, *words], env=environment(folder), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


class Server:
    """A server process, ready to be asked, and what its banner told.

    `url` has no slash at its end. Requests go over one kept session and carry `key` unless another is given. `env` is
    the whole environment of the process in place of the usual one, `user` the id of whom it runs as.
    """

    def __init__(
        self,
        folder: Path,
        *flags: str,
        key: str = "demo",
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.key = key
        self._log = folder / "server.log"
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy or .netrc of the machine's user has no say
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", "--port", "0", *flags],
                env=environment(folder) if env is None else env,
                cwd="/" if BUILT else None,
                user=user,
                group=user,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self.banner = self._read_banner()
            self.url = self.told("URL")
            self.port = int(self.url.rpartition(":")[2])
        except BaseException:  # such as Ctrl-C: nobody else knows of the process yet
            self.close()
            raise

    def _read_banner(self) -> str:
        lines = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                return "".join(lines)
        raise AssertionError(f"the server ended with {self.process.wait()} before it was ready:\n{self.log}")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything written to standard error in this folder, by earlier servers too."""
        return self._log.read_text("utf-8", "replace")

    def told(self, name: str) -> str:
        """A line of the banner."""
        found = re.search(rf"^  {name} +(.*)$", self.banner, re.MULTILINE)
        assert found is not None, f"the banner has no {name}: {self.banner!r}"
        return found[1]

    # ------------------------------------------------------------------------------------------ asking

    def request(self, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
        """Ask for a path of this server, or for a whole URL."""
        url = path if path.startswith("http") else self.url + path
        headers = {"Authorization": f"Bearer {key or self.key}"} | options.pop("headers", {})
        return self.session.request(method, url, headers=headers, timeout=options.pop("timeout", PATIENCE), **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", path, json=body, **options)

    def upload(self, data: bytes, filename: str, **fields: str) -> requests.Response:
        return self.request("POST", "/v3/files", files={"file": (filename, data)}, data=fields)

    def download(self, url: str) -> bytes:
        """The bytes behind a signed link, read without a key."""
        reply = self.session.get(url, timeout=PATIENCE)
        assert reply.status_code == 200, (reply.status_code, reply.text[:500])
        return reply.content

    def submit(self, body: Any) -> dict[str, Any]:
        """Have a video made; the reply with its id and status_url."""
        reply = self.post("/v3/videos", body)
        assert reply.status_code == 202, (reply.status_code, reply.text[:1000])
        return dict(reply.json())

    def ended_job(self, status_url: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Poll a job until it is completed or failed; its last status."""
        limit = time.monotonic() + patience
        while (status := self.get(status_url).json())["status"] == "processing":
            assert time.monotonic() < limit, f"not ended after {patience} s: {status}"
            time.sleep(0.1)
        return dict(status)

    # ------------------------------------------------------------------------------------------ ending

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and wait; the exit code and what has been written to standard error."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        return code, self.log

    def kill(self) -> None:
        """End the process without a word (SIGKILL)."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.session.close()


@contextlib.contextmanager
def serving(folder: Path, *flags: str, key: str = "demo", **surroundings: Any) -> Iterator[Server]:
    """A server in `folder`, killed at the end if it still runs; `surroundings` are `env` and `user`."""
    server = Server(folder, *flags, key=key, **surroundings)
    try:
        yield server
    finally:
        server.close()
