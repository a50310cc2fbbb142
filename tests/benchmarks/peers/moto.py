"""moto server: AWS in memory; its S3 answers what people store files in (PyPI, moto[server])."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import Peer, free_port, running

_PUBLIC = {"x-amz-acl": "public-read", "Content-Type": "audio/wav"}  # else a request would have to be signed


@contextlib.contextmanager
def serving(installation: Installation, folder: Path) -> Iterator[Peer | None]:
    script, port = installation.script("moto_server"), free_port()
    if script is None:
        yield None
        return
    words = [str(script), "-H", "127.0.0.1", "-p", str(port)]
    with running("moto", words, port, folder / "moto.log") as peer:
        yield peer


def filled(peer: Peer, bodies: list[bytes]) -> str:
    """The address of a bucket with an object for each body, named 0.wav and so on."""
    bucket = f"{peer.url}/bucket"
    requests.put(bucket, headers=_PUBLIC, timeout=30).raise_for_status()
    for step, body in enumerate(bodies):
        requests.put(f"{bucket}/{step}.wav", body, headers=_PUBLIC, timeout=30).raise_for_status()
    return bucket
