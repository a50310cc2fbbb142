"""Reading media from http and https URLs without becoming a door to the machine's own network.

Each hop's host is resolved once, every address it has is judged, and the connection goes to that very address, so that
a name cannot mean one thing when it is checked and another when it is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from opperlite.domain.errors import PayloadTooLarge, SourceUnusable

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
# Not of the open internet either, though not every Python's `is_global` says so.
_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # RFC 6890; a cloud's metadata live at 192.0.0.192
        "192.88.99.0/24",  # RFC 7526
        "168.63.129.16/32",  # a cloud's host, as its machines see it
        "64:ff9b:1::/48",  # RFC 8215
        "3fff::/20",  # RFC 9637
        "5f00::/16",  # RFC 9602
        "fec0::/10",  # withdrawn by RFC 3879; networks may still use it inside
    )
)
_SHOWN = 200  # characters of a URL in messages
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped, 6to4 or NAT64 form; any other address as it is."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, also after what it embeds is unwrapped."""
    inner = embedded(address)
    if any(inner.version == network.version and inner in network for network in _LOCAL):
        return False
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


class Place(Struct, frozen=True):
    """Where a URL points: `authority` is the Host header's value, `host` in its ASCII form."""

    scheme: str
    host: str
    port: int | None
    authority: str
    rest: str


def place_of(url: str) -> Place:
    """Take an http(s) URL apart; raises SourceUnusable for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError as error:
        raise SourceUnusable(f"{url[:_SHOWN]!r} is no URL: {error}", url=url[:_SHOWN]) from None
    if parts.scheme not in ("http", "https") or not host:
        raise SourceUnusable(f"Only http and https URLs can be fetched, not {url[:_SHOWN]!r}", url=url[:_SHOWN])
    name = f"[{host}]" if ":" in host else host
    authority = name if port is None else f"{name}:{port}"
    rest = parts._replace(scheme="", netloc="", fragment="").geturl()
    return Place(parts.scheme, host, port, authority, rest)


class HttpFetcher:
    """`ports.Fetcher` over httpx. `allowed` holds CIDRs and host names that may be private."""

    def __init__(self, *, timeout: float, redirects: int, allowed: Sequence[str] = ()) -> None:
        self._timeout = timeout
        self._redirects = redirects
        self._networks = [network for entry in allowed if (network := _network(entry)) is not None]
        self._hosts = {entry.lower() for entry in allowed if _network(entry) is None}

    async def fetch(self, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._follow(url, sink, limit)
        except TimeoutError:
            shown = url[:_SHOWN]
            raise SourceUnusable(
                f"{shown} did not answer within {self._timeout:g} s", url=shown, unreachable=True
            ) from None

    async def _follow(self, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
        place_of(url)
        trust = await asyncio.to_thread(_trust)
        import httpx

        async with httpx.AsyncClient(trust_env=False, verify=trust, timeout=self._timeout) as client:
            for _ in range(self._redirects + 1):
                try:
                    following = await self._hop(client, url, sink, limit)
                except httpx.HTTPError as error:
                    shown, cause = url[:_SHOWN], str(error) or type(error).__name__
                    raise SourceUnusable(f"{shown} cannot be read: {cause}", url=shown, unreachable=True) from None
                except httpx.InvalidURL as error:
                    raise SourceUnusable(f"{url[:_SHOWN]!r} is no URL: {error}", url=url[:_SHOWN]) from None
                if following is None:
                    return
                url = following
        raise SourceUnusable(f"More than {self._redirects} redirects; the last led to {url[:_SHOWN]}", url=url[:_SHOWN])

    async def _hop(
        self, client: httpx.AsyncClient, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int
    ) -> str | None:
        place = place_of(url)
        address = await self._resolve(place.host, place.port or (443 if place.scheme == "https" else 80), url[:_SHOWN])
        target = f"[{address}]" if address.version == 6 else str(address)
        if place.port is not None:
            target += f":{place.port}"
        request = client.build_request(
            "GET",
            f"{place.scheme}://{target}{place.rest}",
            headers={"Host": place.authority, "Accept": "*/*"},
            extensions={"sni_hostname": place.host},
        )
        response = await client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return _joined(url, response.headers["location"])
            if response.status_code != 200:
                shown, status = url[:_SHOWN], response.status_code
                raise SourceUnusable(f"{shown} answered {status}", url=shown, status=status)
            await _pour(response, sink, limit)
        finally:
            await response.aclose()
        return None

    async def _resolve(self, host: str, port: int, url: str) -> Address:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise SourceUnusable(f"{host[:_SHOWN]} cannot be resolved: {error}", url=url, unreachable=True) from None
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            if not self._may(host, address):
                raise SourceUnusable(
                    f"{host} is {address}, which is not a public address; "
                    f"start the server with --allow-source {host} to allow it",
                    url=url,
                )
        return addresses[0]

    def _may(self, host: str, address: Address) -> bool:
        if host.lower() in self._hosts or is_public(address):
            return True
        inner = embedded(address)
        return any(inner.version == network.version and inner in network for network in self._networks)


async def _pour(response: httpx.Response, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
    declared = response.headers.get("content-length", "")
    read = int(declared) if declared.isdecimal() else 0
    if read <= limit:
        read = 0
        async for piece in response.aiter_bytes(1 << 16):
            read += len(piece)
            if read > limit:
                break
            await sink(piece)
    if read > limit:
        raise PayloadTooLarge(f"The source is larger than the {limit:,} bytes allowed", limit=limit)


@cache
def _trust() -> ssl.SSLContext:
    """The roots for https. Importing httpx and reading them takes 0.1 s, which the event loop must not wait."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise SourceUnusable(f"{url[:_SHOWN]} redirects to what is no URL: {error}", url=url[:_SHOWN]) from None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
