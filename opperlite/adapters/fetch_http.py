"""Reading media from http and https URLs without becoming a door to the machine's own network.

Each hop's host is resolved once, every address it has is judged, and the connection goes to that very address, so that
a name cannot mean one thing when it is checked and another when it is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from opperlite.domain.errors import PayloadTooLarge, SourceUnusable

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215
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
    if address in _NAT64_LOCAL:
        return False
    inner = embedded(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


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
            raise SourceUnusable(f"{url} did not answer within {self._timeout:g} s", url=url) from None

    async def _follow(self, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
        import httpx

        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._timeout) as client:
            for _ in range(self._redirects + 1):
                try:
                    following = await self._hop(client, url, sink, limit)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise SourceUnusable(
                        f"{url} cannot be read: {error or type(error).__name__}", url=url, unreachable=True
                    ) from None
                if following is None:
                    return
                url = following
        raise SourceUnusable(f"More than {self._redirects} redirects; the last led to {url}", url=url)

    async def _hop(
        self, client: httpx.AsyncClient, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int
    ) -> str | None:
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host:
            raise SourceUnusable(f"Only http and https URLs can be fetched, not {url[:200]!r}", url=url[:200])
        address = await self._resolve(host, parts.port or (443 if parts.scheme == "https" else 80), url)
        place = f"[{address}]" if address.version == 6 else str(address)
        target = parts._replace(netloc=place + (f":{parts.port}" if parts.port else ""), fragment="").geturl()
        authority = parts.netloc.rpartition("@")[2]
        request = client.build_request(
            "GET", target, headers={"Host": authority, "Accept": "*/*"}, extensions={"sni_hostname": host}
        )
        response = await client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return urljoin(url, response.headers["location"])
            if response.status_code != 200:
                raise SourceUnusable(f"{url} answered {response.status_code}", url=url, status=response.status_code)
            await _pour(response, sink, limit)
        finally:
            await response.aclose()
        return None

    async def _resolve(self, host: str, port: int, url: str) -> Address:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceUnusable(f"{host} cannot be resolved: {error}", url=url, unreachable=True) from None
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


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
