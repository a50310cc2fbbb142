"""nginx: one process that serves a folder by sendfile, and takes files by WebDAV's PUT under /put/."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.peers.installation import program
from tests.benchmarks.peers.process import Peer, free_port, running

_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {own}/nginx.pid;
error_log {own}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  types {{ application/json json; }}
  default_type {default_type};
  client_max_body_size 0;
  client_body_buffer_size 64k;
  client_body_temp_path {own}/body;
  proxy_temp_path {own}/proxy;
  fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi;
  scgi_temp_path {own}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location / {{ try_files $uri $uri/index.json =404; }}
    location /put/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


@contextlib.contextmanager
def serving(folder: Path, root: Path, default_type: str = "application/octet-stream") -> Iterator[Peer | None]:
    """An nginx whose own files are in `folder` and which serves `root`; None where it is not installed."""
    path = program("nginx")
    if path is None:
        yield None
        return
    own, port = folder / "nginx", free_port()
    own.mkdir()
    conf = own / "nginx.conf"
    conf.write_text(_CONF.format(own=own, root=root, port=port, default_type=default_type))
    words = [path, "-e", str(own / "nginx.log"), "-p", str(own), "-c", str(conf)]
    with running("nginx", words, port, folder / "nginx.out") as peer:
        yield peer
