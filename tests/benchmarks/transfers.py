"""Bytes per second: an upload beside copying the same file, downloads beside nginx."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.load import WRK, Call, drained, load
from tests.benchmarks.rows import Aim, Row, ratio
from tests.e2e import multipart
from tests.e2e.media import large_wave
from tests.e2e.processes import processor_seconds, wait_until
from tests.e2e.server import Server, serving

GROUP = "bytes"
MB = 1_000_000
_UPLOAD, _LARGE, _SMALL = 512 * MB, 64 * MB, 30_000
_UPLOAD_ROUNDS, _DOWNLOAD_ROUNDS = 5, 7
_NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")

_NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def rows(folder: Path) -> Iterator[Row]:
    with serving(folder, "--max-file-size", "1GiB") as server:
        yield from _uploads(server, folder)
        yield from _downloads(server, folder)


# ------------------------------------------------------------------------------------------------ upload


def _uploads(server: Server, folder: Path) -> Iterator[Row]:
    source = folder / "source.wav"
    _write(source, _UPLOAD)
    before = processor_seconds(server.pid)
    ours, copied = _in_turns(
        lambda: _after_sync(lambda: _upload(server, source)),
        lambda: _after_sync(lambda: _copy(source, folder / "copy.wav")),
        _UPLOAD_ROUNDS,
    )
    speeds = [tuple(_UPLOAD / MB / seconds for seconds in samples) for samples in (ours, copied)]
    note = f"{(processor_seconds(server.pid) - before) / _UPLOAD_ROUNDS:.2f} s of the server's processor each"
    yield Row(GROUP, "upload of 512 MB", "MB/s", speeds[0], note=note)
    yield Row(GROUP, "cp and sync of the same file", "MB/s", speeds[1])
    yield ratio(GROUP, "upload / cp and sync", *speeds, Aim(">=", 0.6))


def _write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.writelines(large_wave(size))


def _after_sync(measure: Callable[[], float]) -> float:
    os.sync()  # what earlier work left unwritten is not on this one's bill
    return measure()


def _upload(server: Server, source: Path) -> float:
    """Seconds from the first byte to the reply, sent by sendfile so that the client costs little."""
    head, tail = multipart.part("source.wav")
    request = multipart.request(server.port, server.key, len(head) + source.stat().st_size + len(tail))
    with socket.create_connection(("127.0.0.1", server.port)) as connection, source.open("rb") as file:
        began = time.perf_counter()
        connection.sendall(request + head)
        connection.sendfile(file)
        connection.sendall(tail)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
        took = time.perf_counter() - began
    assert reply.startswith(b"HTTP/1.1 200"), reply[:500]
    file_id = json.loads(reply.partition(b"\r\n\r\n")[2])["id"]
    assert server.request("DELETE", f"/v3/files/{file_id}").status_code == 204
    return took


def _copy(source: Path, target: Path) -> float:
    began = time.perf_counter()
    if shutil.which("cp"):
        subprocess.run(["cp", str(source), str(target)], check=True)
    else:
        shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    target.unlink()
    return took


# --------------------------------------------------------------------------------------------- downloads


def _downloads(server: Server, folder: Path) -> Iterator[Row]:
    root = folder / "root"
    root.mkdir()
    links = {}
    for name, size in (("large.wav", _LARGE), ("small.wav", _SMALL)):
        _write(root / name, size)
        file_id = server.upload((root / name).read_bytes(), name).json()["id"]
        links[name] = server.get(f"/v3/files/{file_id}/content").json()["url"]
    with _nginx(folder, root) as base:
        for title, name, measure, aim in (
            ("download of 64 MB", "large.wav", _one_connection, Aim(">=", 1)),
            ("download of 30 kB, 32 connections", "small.wav", _many_connections, None),
        ):
            yield from _beside_nginx(title, measure, links[name], base and f"{base}/{name}", aim)


def _beside_nginx(
    title: str, measure: Callable[[str], float], ours: str, theirs: str | None, aim: Aim | None
) -> Iterator[Row]:
    if theirs is None:
        samples = tuple(measure(ours) for _ in range(_DOWNLOAD_ROUNDS))
        yield Row(GROUP, title, "MB/s", samples, note="nginx is not installed")
        return
    mine, nginx = _in_turns(lambda: measure(ours), lambda: measure(theirs), _DOWNLOAD_ROUNDS)
    yield Row(GROUP, title, "MB/s", mine)
    yield Row(GROUP, "  by nginx, one process, sendfile", "MB/s", nginx)
    yield ratio(GROUP, "  opperlite / nginx", mine, nginx, aim)


def _one_connection(url: str) -> float:
    """MB/s of whole replies on one kept connection, read and thrown away; the first one only warms up."""
    where = urlsplit(url)
    request = f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
    assert where.hostname is not None
    with socket.create_connection((where.hostname, where.port or 80)) as connection:
        drained(connection, request)
        began = time.perf_counter()
        total = sum(drained(connection, request) for _ in range(8))
        return total / MB / (time.perf_counter() - began)


def _many_connections(url: str) -> float:
    return load(Call(url), 1).rate * _SMALL / MB


@contextlib.contextmanager
def _nginx(folder: Path, root: Path) -> Iterator[str | None]:
    """The address of an nginx of our own that serves `root`, None where it is not installed."""
    if _NGINX is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    own = folder / "nginx"
    own.mkdir()
    (own / "nginx.conf").write_text(_NGINX_CONF.format(folder=own, root=root, port=port))
    words = [_NGINX, "-e", str(own / "nginx.log"), "-p", str(own), "-c", str(own / "nginx.conf")]
    process = subprocess.Popen(words)
    try:
        assert wait_until(lambda: _open(port), patience=5), "nginx does not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _in_turns(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both measured alternately, so that a change of the machine's mood meets both."""
    pairs: Sequence[tuple[float, float]] = [(first(), second()) for _ in range(rounds)]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def client() -> str:
    return "raw sockets; 30 kB by " + ("wrk" if WRK else "the own client")
