"""aimock: answers for media APIs from fixtures in memory (npm, @copilotkit/aimock)."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.peers.installation import Installation, program
from tests.benchmarks.peers.process import Peer, free_port, running

PACKAGE = "@copilotkit/aimock"
JOB = "video_1"
# One video that goes on for ever: every POST makes it anew, every GET tells that it is processed.
_FIXTURES = {"fixtures": [{"match": {"endpoint": "video"}, "response": {"video": {"id": JOB, "status": "processing"}}}]}


def command(installation: Installation, folder: Path, port: int) -> Sequence[str] | None:
    """What starts it, without the log of requests that would slow it down; None where it is not installed."""
    package, node = installation.node_package(PACKAGE), program("node")
    if package is None or node is None:
        return None
    fixtures = folder / "aimock.json"
    fixtures.write_text(json.dumps(_FIXTURES))
    return [node, str(package / "dist" / "cli.js"), "-p", str(port), "-f", str(fixtures), "--log-level", "silent"]


@contextlib.contextmanager
def serving(installation: Installation, folder: Path) -> Iterator[Peer | None]:
    port = free_port()
    words = command(installation, folder, port)
    if words is None:
        yield None
        return
    with running("aimock", words, port, folder / "aimock.log") as peer:
        yield peer
