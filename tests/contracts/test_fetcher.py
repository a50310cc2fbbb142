"""The conformance suite of Fetcher: what it reads, and above all what it refuses to touch."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters import fetch_http
from opperlite.adapters.fetch_http import HttpFetcher, is_public
from opperlite.domain.errors import PayloadTooLarge, SourceUnusable
from opperlite.domain.ports import Fetcher

Answer = Callable[[str, dict[str, str], asyncio.StreamWriter], "asyncio.Future[None] | None"]
LIMIT = 100_000


class Site:
    """A small HTTP server on loopback: raw replies by path; it notes every request."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self.connections = 0
        self.stall = asyncio.Event()
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def page(self, path: str, body: bytes, status: str = "200 OK", **headers: str) -> str:
        lines = [f"HTTP/1.1 {status}", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
        if "Transfer" not in "".join(headers):
            lines.append(f"Content-Length: {len(body)}")
        self.pages[path] = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        return self.url(path)

    def redirect(self, path: str, target: str, status: str = "302 Found") -> str:
        return self.page(path, b"elsewhere", status, Location=target)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1]
            self.asked.append(path)
            self.hosts += [line[6:] for line in head.split("\r\n") if line.lower().startswith("host: ")]
            reply = self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            writer.write(reply)
            await writer.drain()
            if path == "/stall":
                await self.stall.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(host: str = "127.0.0.1") -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, host, 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        site.stall.set()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with served() as opened:
        yield opened


IMPLEMENTATIONS: dict[str, Callable[..., Fetcher]] = {
    "http": lambda timeout=5.0, allowed=("127.0.0.0/8",): HttpFetcher(timeout=timeout, redirects=3, allowed=allowed)
}


@pytest.fixture(params=IMPLEMENTATIONS)
def fetcher_of(request: pytest.FixtureRequest) -> Callable[..., Fetcher]:
    return IMPLEMENTATIONS[request.param]


async def fetched(fetcher: Fetcher, url: str, limit: int = LIMIT) -> bytes:
    got = bytearray()

    async def sink(piece: bytes) -> None:
        got.extend(piece)

    await fetcher.fetch(url, sink, limit)
    return bytes(got)


async def refused(fetcher: Fetcher, url: str) -> SourceUnusable:
    with pytest.raises(SourceUnusable) as caught:
        await fetched(fetcher, url)
    return caught.value


# ------------------------------------------------------------------------------------------- what it reads


async def test_a_body_is_read_whole(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    data = bytes(range(256)) * 300
    assert await fetched(fetcher_of(), site.page("/a.png?x=1&y=%20", data)) == data
    assert site.asked == ["/a.png?x=1&y=%20"]
    assert site.hosts == [f"127.0.0.1:{site.port}"]


async def test_a_chunked_body_is_read(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    site.page("/chunked", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    site.pages["/chunked"] = site.pages["/chunked"].replace(b"Transfer_Encoding", b"Transfer-Encoding")
    assert await fetched(fetcher_of(), site.url("/chunked")) == b"hello world"


async def test_a_fragment_and_a_login_are_not_sent(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    site.page("/a", b"x")
    assert await fetched(fetcher_of(), site.url("/a#part", "user:word@127.0.0.1")) == b"x"
    assert (site.asked, site.hosts) == (["/a"], [f"127.0.0.1:{site.port}"])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(fetcher_of: Callable[..., Fetcher], site: Site, status: str) -> None:
    site.page("/end", b"end")
    site.redirect("/one", site.url("/two"), status)
    assert await fetched(fetcher_of(), site.redirect("/two", "end", status)) == b"end"
    assert await fetched(fetcher_of(), site.url("/one")) == b"end"


async def test_three_redirects_and_no_more(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    site.page("/0", b"end")
    for number in range(1, 6):
        site.redirect(f"/{number}", f"/{number - 1}")
    assert await fetched(fetcher_of(), site.url("/3")) == b"end"
    site.asked.clear()
    assert "3 redirects" in (await refused(fetcher_of(), site.url("/4"))).message
    assert site.asked == ["/4", "/3", "/2", "/1"]


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://[::1]/", "file:///etc/passwd", "ftp://127.0.0.1/", "http://[", "http://a:b/"]
)
async def test_redirects_lead_nowhere_that_is_refused(
    fetcher_of: Callable[..., Fetcher], site: Site, target: str
) -> None:
    await refused(fetcher_of(), site.redirect("/out", target))
    assert site.asked == ["/out"]


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "304 Not Modified", "404 Not Found", "500 Oh"])
async def test_only_200_will_do(fetcher_of: Callable[..., Fetcher], site: Site, status: str) -> None:
    url = site.page("/x", b"" if status[:3] in ("204", "304") else b"body", status)
    assert (await refused(fetcher_of(), url)).details["status"] == int(status[:3])


async def test_a_redirect_to_nowhere_is_an_answer(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    assert (await refused(fetcher_of(), site.page("/x", b"", "302 Found"))).details["status"] == 302


# ------------------------------------------------------------------------------------------------ limits


async def test_the_limit_is_inclusive(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    assert len(await fetched(fetcher_of(), site.page("/fits", b"x" * 1000), 1000)) == 1000
    with pytest.raises(PayloadTooLarge):
        await fetched(fetcher_of(), site.page("/over", b"x" * 1001), 1000)


async def test_reading_stops_at_the_limit_though_no_length_was_told(
    fetcher_of: Callable[..., Fetcher], site: Site
) -> None:
    site.pages["/endless"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 500_000
    got = bytearray()

    async def sink(piece: bytes) -> None:
        got.extend(piece)

    with pytest.raises(PayloadTooLarge):
        await fetcher_of().fetch(site.url("/endless"), sink, 1000)
    assert len(got) <= 1000


async def test_the_limit_counts_what_comes_out_of_a_compressed_body(
    fetcher_of: Callable[..., Fetcher], site: Site
) -> None:
    url = site.page("/bomb", gzip.compress(b"\0" * 5_000_000), **{"Content-Encoding": "gzip"})
    with pytest.raises(PayloadTooLarge):
        await fetched(fetcher_of(), url, 10_000)


async def test_silence_ends_at_the_time_limit(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    site.pages["/stall"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    error = await refused(fetcher_of(timeout=0.3), site.url("/stall"))
    assert "0.3 s" in error.message
    assert error.details["unreachable"]


@pytest.mark.parametrize(
    "reply",
    [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", b"HTTP/1.1 abc\r\n\r\n"],
)
async def test_a_broken_reply_is_no_source(fetcher_of: Callable[..., Fetcher], site: Site, reply: bytes) -> None:
    site.pages["/x"] = reply
    assert (await refused(fetcher_of(), site.url("/x"))).details["unreachable"]


async def test_a_closed_port_is_no_source(fetcher_of: Callable[..., Fetcher]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await refused(fetcher_of(), f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert error.details["unreachable"]


async def test_a_sink_that_fails_is_heard(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    async def sink(piece: bytes) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        await fetcher_of().fetch(site.page("/x", b"body"), sink, LIMIT)


# ------------------------------------------------------------------------------- what it never touches

# Every way of writing an address of this machine or its networks, with {port} of a server that listens there.
PRIVATE = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0X7F.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://00000177.1:{port}/",
    "http://017700000001:{port}/",
    "http://2130706433:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://LocalHost.:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://127.0.0.1:{port}\t/",
    "HTTP://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000::0001]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:a00:1::1]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd12:3456:789a::1]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://[100::1]:{port}/",
    "http://10.0.0.1:{port}/",
    "http://10.255.255.255:{port}/",
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.168.0.1:{port}/",
    "http://192.168.255.255:{port}/",
    "http://100.64.0.1:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[::ffff:169.254.169.254]:{port}/latest/meta-data/",
    "http://2852039166:{port}/latest/meta-data/",
    "http://0xa9fea9fe:{port}/",
    "http://192.0.0.192:{port}/opc/v2/",
    "http://168.63.129.16:{port}/",
    "http://192.0.2.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://198.51.100.1:{port}/",
    "http://203.0.113.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
]
OTHER_SCHEMES = [
    "file:///etc/passwd",
    "ftp://example.com/a",
    "gopher://127.0.0.1:70/_",
    "dict://127.0.0.1:11211/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "unix:/var/run/docker.sock",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "//127.0.0.1/",
    "http://",
    "http:///path",
    "http://[",
    "http://[::1",
    "http://[::1]x/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:port/",
    "http://a\0b/",
    "http://.../",
    "http://" + "a" * 300 + "/",
    "",
]


def test_there_are_enough_forms() -> None:
    assert len(set(PRIVATE)) >= 60


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that somebody tried to connect to."""
    tried: list[object] = []

    async def connect_tcp(*args: object, **kwargs: object) -> object:
        tried.append(args[1:])
        raise AssertionError(f"a connection to {args[1:]} was made")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect_tcp)
    monkeypatch.setattr("httpcore._backends.auto.AutoBackend.connect_tcp", connect_tcp)
    return tried


@pytest.mark.parametrize("form", PRIVATE)
async def test_no_private_address_is_touched(
    fetcher_of: Callable[..., Fetcher], site: Site, connections: list[object], form: str
) -> None:
    await refused(fetcher_of(allowed=()), form.format(port=site.port))
    assert (site.connections, connections) == (0, [])


@pytest.mark.parametrize("form", OTHER_SCHEMES)
async def test_nothing_but_web_addresses_is_touched(
    fetcher_of: Callable[..., Fetcher], connections: list[object], form: str
) -> None:
    error = await refused(fetcher_of(allowed=()), form)
    assert len(error.message) < 700
    assert connections == []


async def test_the_watch_on_connections_sees_them(
    fetcher_of: Callable[..., Fetcher], site: Site, connections: list[object]
) -> None:
    with pytest.raises(AssertionError, match="was made"):
        await fetched(fetcher_of(), site.url("/"))
    assert connections


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make every name mean these addresses, one list after the other; the names that were asked for."""
    asked: list[str] = []
    waiting = list(answers)

    async def getaddrinfo(self: object, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("asyncio.BaseEventLoop.getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_that_means_a_private_address_is_refused(
    fetcher_of: Callable[..., Fetcher], connections: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for answers in (["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"]):
        with monkeypatch.context() as patch:
            resolving(patch, answers)
            assert "not a public address" in (await refused(fetcher_of(allowed=()), "http://a.test/")).message
    assert connections == []


async def test_a_name_cannot_mean_another_address_when_it_is_used(
    fetcher_of: Callable[..., Fetcher], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is resolved once, and the connection goes to the address that was judged."""
    site.page("/", b"x")
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    assert await fetched(fetcher_of(), site.url("/", "rebind.test")) == b"x"
    assert asked == ["rebind.test"]
    assert site.hosts == [f"rebind.test:{site.port}"]


async def test_names_beyond_ascii_are_asked_for_by_their_ascii_form(
    fetcher_of: Callable[..., Fetcher], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/%C3%A9", b"x")
    asked = resolving(monkeypatch, ["127.0.0.1"])
    assert await fetched(fetcher_of(), site.url("/é", "bücher.test")) == b"x"
    assert (asked, site.hosts) == (["xn--bcher-kva.test"], [f"xn--bcher-kva.test:{site.port}"])


async def test_a_private_host_is_read_where_it_was_allowed(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    site.page("/", b"x")
    for allowed in (("127.0.0.1",), ("127.0.0.0/8",), ("localhost", "::1/128")):
        assert await fetched(fetcher_of(allowed=allowed), site.url("/", "localhost")) == b"x"
    await refused(fetcher_of(allowed=("10.0.0.0/8", "other.test")), site.url("/", "localhost"))


async def test_the_roots_are_read_once(fetcher_of: Callable[..., Fetcher], site: Site) -> None:
    url = site.page("/", b"x")
    for _ in range(3):
        await fetched(fetcher_of(), url)
    assert fetch_http._trust.cache_info().misses <= 1


# ----------------------------------------------------------------------------------------------- is_public


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
        "172.32.0.1",
        "192.0.1.1",
    ],
)
def test_the_open_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


PRIVATE_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
PRIVATE_V6 = [
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "2001:db8::/32",
    "100::/64",
    "64:ff9b:1::/48",
    "3fff::/20",
    "5f00::/16",
]


def addresses(networks: list[str]) -> st.SearchStrategy[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return st.one_of([st.ip_addresses(network=network) for network in networks])


@given(addresses(PRIVATE_V4 + PRIVATE_V6))
def test_no_address_of_a_private_network_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert not is_public(address)


@given(addresses(PRIVATE_V4))
def test_no_private_address_is_public_in_another_dress(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for dressed in (
        0xFFFF << 32 | number,  # ::ffff:a.b.c.d
        number,  # ::a.b.c.d
        0xFFFF << 48 | number,  # ::ffff:0:a.b.c.d
        0x64FF9B << 96 | number,  # 64:ff9b::a.b.c.d
        0x2002 << 112 | number << 80,  # 6to4
        0x20010000 << 96 | number,  # Teredo
    ):
        assert not is_public(ipaddress.IPv6Address(dressed))
