"""What a running server tells of itself in its data folder, for the commands that look for it."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAME = "server.json"
_PATIENCE = 0.5  # seconds for a connection within this machine


@contextlib.contextmanager
def told(folder: Path, url: str, host: str, port: int) -> Iterator[None]:
    """Tell the server's URL and address while in the context; where that cannot be written, nobody hears of it."""
    record = folder / _NAME
    with contextlib.suppress(OSError):
        record.write_text(json.dumps({"url": url, "host": host, "port": port}), "utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            record.unlink()


def found(folder: Path) -> str | None:
    """The URL of the server that runs on the folder now; what a killed one left does not count."""
    record = _record(folder)
    return None if record is None else str(record["url"])


def found_here(folder: Path) -> str | None:
    """The URL by which this machine reaches the server that runs on the folder now, whatever its public one is."""
    record = _record(folder)
    if record is None:
        return None
    host = str(record["host"])
    return f"http://{f'[{host}]' if ':' in host else host}:{record['port']}"


def _record(folder: Path) -> dict[str, Any] | None:
    """What the server told, if it still listens."""
    try:
        record: dict[str, Any] = json.loads((folder / _NAME).read_text("utf-8"))
        with socket.create_connection((record["host"], record["port"]), _PATIENCE):
            return {name: record[name] for name in ("url", "host", "port")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
