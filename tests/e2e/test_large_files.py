"""A large file goes in and out without being held in memory."""

import hashlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.e2e import multipart
from tests.e2e.media import large_wave, sine_wave
from tests.e2e.processes import children, resident
from tests.e2e.server import Server, serving

# OPPERLITE_TEST_LARGE_FILE is the size in MiB
SIZE = int(os.environ.get("OPPERLITE_TEST_LARGE_FILE", "2048")) << 20
ALLOWED = 32 << 20
_PIECE = 1 << 20


class Watch(threading.Thread):
    """The most memory that a process has held since the watch began."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._ended = threading.Event()
        self.first = self.most = resident(pid)

    def run(self) -> None:
        while not self._ended.wait(0.01):
            self.most = max(self.most, resident(self._pid))

    def end(self) -> int:
        """Bytes held above what was held at first."""
        self._ended.set()
        self.join()
        return self.most - self.first


@contextmanager
def watched(server: Server) -> Iterator[Watch]:
    watch = Watch(server.pid)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


def test_two_gigabytes_are_uploaded_and_downloaded_in_constant_memory(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-file-size", "3GiB") as server:
        small = server.upload(sine_wave(), "small.wav").json()["id"]
        server.download(server.get(f"/v3/files/{small}/content").json()["url"])

        with watched(server) as uploading:
            file_id, sent = upload(server)
        assert server.get(f"/v3/files/{file_id}").json()["bytes"] == SIZE
        url = server.get(f"/v3/files/{file_id}/content").json()["url"]
        with watched(server) as downloading:
            received = download(url)

        assert received == sent
        grown = {"upload": uploading.end(), "download": downloading.most - uploading.first}
        assert all(held <= ALLOWED for held in grown.values()), {k: f"{v / 2**20:.1f} MiB" for k, v in grown.items()}
        assert not children(server.pid)  # nothing was handed to another process
        assert server.request("DELETE", f"/v3/files/{file_id}").status_code == 204
        assert not [name for _, _, names in os.walk(server.data / "staging") for name in names]


def upload(server: Server) -> tuple[str, str]:
    """Send a WAV file that is made on the way; its id and sha256."""
    head, tail = multipart.part("large.wav")
    digest = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(multipart.request(server.port, server.key, len(head) + SIZE + len(tail)) + head)
        for piece in large_wave(SIZE):
            digest.update(piece)
            connection.sendall(piece)
        connection.sendall(tail)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 200"), reply
    return json.loads(reply.partition(b"\r\n\r\n")[2])["id"], digest.hexdigest()


def download(url: str) -> str:
    """Read a link to its end; the sha256 of what came."""
    host, _, path = url.removeprefix("http://").partition("/")
    digest = hashlib.sha256()
    with closing(http.client.HTTPConnection(host, timeout=120)) as connection:
        connection.request("GET", f"/{path}")
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("Content-Length")) == (200, str(SIZE))
        buffer = bytearray(_PIECE)
        while count := reply.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
    return digest.hexdigest()
