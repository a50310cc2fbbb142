"""Requests that no client library would send, over plain sockets: each refused or answered sanely, the server alive."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.e2e.processes import wait_until
from tests.e2e.server import Server

AUTH = "Authorization: Bearer hostile\r\n"
HOST = "Host: 127.0.0.1\r\n"
CLOSE = "Connection: close\r\n"
REFUSED = (400, 401, 403, 404, 405, 411, 413, 414, 415, 431, 501, 505)


def answers(server: Server, data: bytes, cut: bool = False, patience: float = 5.0) -> list[int]:
    """The statuses of all replies until the server closes; with `cut` the client says that nothing more comes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience) as connection:
        received = b""
        try:
            connection.sendall(data)
            if cut:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert b"root:" not in received
    return [int(status) for status in re.findall(rb"(?:^|\n|[}\]])HTTP/1\.[01] (\d{3})", received)]


def get(target: str, extra: str = "", version: str = "HTTP/1.1", method: str = "GET") -> bytes:
    return f"{method} {target} {version}\r\n{HOST}{AUTH}{CLOSE}{extra}\r\n".encode("latin-1")


PATHS = [
    "/../../etc/passwd",
    "/docs/../../../etc/passwd",
    "/docs/%2e%2e/%2e%2e/etc/passwd",
    "/docs/..%2f..%2fetc%2fpasswd",
    "/docs/%252e%252e%252fetc%252fpasswd",
    "/docs/..%5c..%5cetc%5cpasswd",
    "/docs/swagger-ui.css%00.png",
    "/docs/%00",
    "/docs//etc/passwd",
    "//etc/passwd",
    "///v3//files",
    "/v3/files/..",
    "/v3/files/%2e%2e",
    "/v3/files/../../secret",
    "/v3/files/%2e%2e%2f%2e%2e%2fsecret",
    "/_opperlite/files/../../secret?exp=9999999999&sig=x",
    "/_opperlite/files/%2e%2e%2fsecret?exp=9999999999&sig=x",
    "/_opperlite/files/..%c0%af..%c0%afsecret",
    "/v3/files/%ff%fe",
    "/v3/files/%",
    "/v3/files/%zz",
    "/v3/files/file_\u00e9",
    "/v3/files/" + "a" * 30_000,
    "/v3/files?" + "limit=1&" * 5_000,
    "/v3/artifacts/../files/x/status",
    "/;/v3/files",
    "/v3/files;a=b/x",
    "/v3/files/x\\..\\..",
    "/\x7f",
    "/%0d%0aSet-Cookie:%20a=b",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40].encode("unicode_escape").decode())
def test_paths_lead_nowhere(shared: Server, path: str) -> None:
    for method in ("GET", "DELETE"):
        for status in answers(shared, get(path, method=method)):
            assert status in REFUSED or (status == 200 and path.partition("?")[0].replace("//", "/").endswith("/files"))
    alive(shared)


def alive(server: Server) -> None:
    assert server.get("/health").json() == {"status": "ok"}
    lying = {path.name for path in Path(server.folder).iterdir()}
    assert lying <= {"data", "config", "server.log"}
    assert wait_until(lambda: not list((server.data / "staging").iterdir())), "something stays in the staging folder"


FORM = (
    '--b\r\nContent-Disposition: form-data; name="file"; filename="../../x.png"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n'
)
KIND = "Content-Type: multipart/form-data; boundary=b\r\n"
JSON = "Content-Type: application/json\r\n"


def post(headers: str, body: str = "", target: str = "/v3/images") -> bytes:
    return f"POST {target} HTTP/1.1\r\n{HOST}{AUTH}{CLOSE}{headers}\r\n{body}".encode("latin-1")


UNENDED = ("TLS", "no HTTP", "HTTP/0.9", "a huge chunk size", "a chunk that is longer than it says")
SMUGGLED = "GET /v3/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CASES: dict[str, tuple[bytes, tuple[tuple[int, ...], ...]]] = {
    # what is sent; what may be answered, reply by reply
    "an absolute URI": (get("http://127.0.0.1/health"), ((200,), (404,), (400,), (403,))),
    "an absolute URI of another host": (get("http://evil.example/v3/files"), ((200,), (404,), (400,), (403,))),
    "an authority alone": (get("evil.example:443", method="CONNECT"), ((400,), (404,), (405,))),
    "an asterisk": (get("*", method="OPTIONS"), ((404,), (400,), (405,), (204,))),
    "no path": (get("", method="GET"), ((400,), ())),
    "a foreign Host": (b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", ((403,),)),
    "a Host that only begins well": (
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: close\r\n\r\n",
        ((403,),),
    ),
    "a Host with a user": (
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\nConnection: close\r\n\r\n",
        ((403,), (400,)),
    ),
    "two Hosts": (
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        ((400,), (403,)),
    ),
    "HTTP/1.1 without Host": (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", ((400,),)),
    "HTTP/1.0 without Host": (b"GET /health HTTP/1.0\r\n\r\n", ((200,),)),
    "HTTP/0.9": (b"GET /health\r\n\r\n", ((200,), (400,), ())),
    "HTTP/9.9": (get("/health", version="HTTP/9.9"), ((400,), (505,))),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ((400,), (404, 400), (403,), (404,), (405,))),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + bytes(100), ((400,), ())),
    "no HTTP": (b"\0\xff" * 100, ((400,), ())),
    "an unknown method": (get("/v3/files", method="PROPFIND"), ((405,), (400,), (404,))),
    "a method that is no token": (get("/v3/files", method="G\x01T"), ((400,), ())),
    "a very long method": (get("/v3/files", method="A" * 100_000), ((400,), ())),
    "a very long path": (get("/" + "a" * 200_000), ((400,), (414,), (431,), ())),
    "very long headers": (get("/health", "X: " + "a" * 200_000 + "\r\n"), ((400,), (431,), ())),
    "very many headers": (get("/health", "X: y\r\n" * 50_000), ((400,), (431,), ())),
    "a line break in a header": (get("/health", "X: a\rY: b\r\n"), ((400,),)),
    "a folded header": (get("/health", "X: a\r\n b\r\n"), ((400,), (200,))),
    "a NUL in a header": (get("/health", "X: a\0b\r\n"), ((400,),)),
    "a space before the colon": (get("/health", "Host : evil\r\n"), ((400,),)),
    "a header without a colon": (get("/health", "nonsense\r\n"), ((400,),)),
    "two different lengths": (post(JSON + "Content-Length: 2\r\nContent-Length: 50\r\n", "{}"), ((400,),)),
    "a negative length": (post(JSON + "Content-Length: -2\r\n", "{}"), ((400,),)),
    "a length with a sign": (post(JSON + "Content-Length: +2\r\n", "{}"), ((400,),)),
    "a length beyond 64 bits": (post(JSON + "Content-Length: 99999999999999999999\r\n", "{}"), ((400,), (413,))),
    "a length of a petabyte": (post(JSON + "Content-Length: 1000000000000000\r\n", "{}"), ((413,),)),
    "an upload of a petabyte": (
        post(KIND + "Content-Length: 1000000000000000\r\n", FORM, "/v3/files"),
        ((413,),),
    ),
    "a length and chunks": (
        post(JSON + f"Content-Length: {len(SMUGGLED) + 5}\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ((400,),),
    ),
    "chunks of two codings": (post(JSON + "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), ((400,), (501,))),
    "chunks of a hidden coding": (
        post(JSON + "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ((400,), (501,)),
    ),
    "a bad chunk size": (post(JSON + "Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"), ((400,), ())),
    "a huge chunk size": (post(JSON + "Transfer-Encoding: chunked\r\n", "f" * 20 + "\r\n{}"), ((400,), ())),
    "a negative chunk size": (post(JSON + "Transfer-Encoding: chunked\r\n", "-1\r\n{}"), ((400,), ())),
    "a chunk that is longer than it says": (
        post(JSON + "Transfer-Encoding: chunked\r\n", "1\r\n{}}}}\r\n0\r\n\r\n"),
        ((400,), ()),
    ),
    "good chunks of bad JSON": (post(JSON + "Transfer-Encoding: chunked\r\n", "1\r\n{\r\n0\r\n\r\n"), ((400,),)),
    "a body that is cut short": (post(JSON + "Content-Length: 100\r\n", "{"), ((), (400,), (409,))),
    "an upload that is cut short": (
        post(KIND + "Content-Length: 5000\r\n", FORM[:60], "/v3/files"),
        ((), (400,), (409,)),
    ),
    "a name that climbs": (post(KIND + f"Content-Length: {len(FORM)}\r\n", FORM, "/v3/files"), ((400,),)),
    "a body with GET": (get("/health", "Content-Length: 5\r\n") + b"hello", ((200,),)),
    "an unknown expectation": (post(JSON + "Expect: magic\r\nContent-Length: 2\r\n", "{}"), ((400,), (417,))),
    "an upgrade": (get("/health", "Upgrade: websocket\r\nConnection: upgrade\r\n"), ((200,), (400,))),
    "an upgrade to HTTP/2": (get("/health", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), ((200,), (400,))),
    "a key that is no text": (
        b"GET /v3/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \xff\xfe\x80\r\nConnection: close\r\n\r\n",
        ((200,), (401,), (400,)),
    ),
    "two keys": (get("/v3/files", "Authorization: Bearer other\r\n"), ((200,), (400,), (401,))),
}


@pytest.mark.parametrize("name", CASES)
def test_broken_requests(shared: Server, name: str) -> None:
    sent, allowed = CASES[name]
    found = tuple(answers(shared, sent, "cut short" in name or name in UNENDED))
    assert found in allowed, found
    alive(shared)


def test_pipelined_requests_are_answered_in_their_order(shared: Server) -> None:
    several = [
        f"GET {path} HTTP/1.1\r\n{HOST}{AUTH}\r\n" for path in ("/health", "/nowhere", "/v3/files", "/v3/files/x")
    ]
    last = f"GET /health HTTP/1.1\r\n{HOST}{CLOSE}\r\n"
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        connection.sendall("".join([*several, last]).encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"200", b"404", b"200", b"404", b"200"]


def test_a_body_waits_for_100_continue(shared: Server) -> None:
    head = post(JSON + "Expect: 100-continue\r\nContent-Length: 2\r\n")
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        connection.sendall(head)
        first = connection.recv(65536)
        assert first.startswith(b"HTTP/1.1 100"), first
        connection.sendall(b"{}")
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert b"HTTP/1.1 400" in received


def test_nothing_of_it_shows_in_the_log_as_a_crash(shared: Server) -> None:
    for sent, _ in CASES.values():
        answers(shared, sent, cut=True)
    assert "Traceback" not in shared.log
