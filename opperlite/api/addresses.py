"""Which host a request is for: the base of links, and the guard against names that are not ours."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from litestar.types import Scope

from opperlite.api.asgi import header_of

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_AUTHORITY = re.compile(r"[A-Za-z0-9._~\-:\[\]]*")  # it becomes the beginning of links
_REMEMBERED = 1000


class Addresses:
    """The server's names. While it listens on loopback, a `Host` that is no loopback name is refused: a web page
    could otherwise reach it through a name of its own that resolves here (DNS rebinding)."""

    def __init__(
        self, host: str, public_url: str | None, trusted: Sequence[str] = (), allowed: Sequence[str] = ()
    ) -> None:
        self._public = public_url.rstrip("/") if public_url else None
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self._hosts = {name.lower() for name in allowed} | _LOOPBACK
        if public_url:
            self._hosts.add((urlsplit(public_url).hostname or "").lower())
        self._guarded = is_loopback(host)
        self._known: set[str] = set()  # Host headers that were found good

    def base(self, scope: Scope) -> str:
        """The base URL of links in the reply: the public URL, or the host by which the client came."""
        if self._public is not None:
            return self._public
        scheme, host = str(scope["scheme"]), header_of(scope, b"host") or ""
        if self._trusted and self._is_trusted(scope):
            scheme = _first(header_of(scope, b"x-forwarded-proto") or "") or scheme
            host = _first(header_of(scope, b"x-forwarded-host") or "") or host
        if not host:
            server = scope.get("server") or ("127.0.0.1", None)
            host = f"{server[0]}:{server[1]}" if server[1] else server[0]
        return f"{scheme}://{host}"

    def known(self, scope: Scope) -> bool:
        """Whether the request's Host may be answered."""
        host = header_of(scope, b"host") or ""
        if host in self._known:
            return True
        if not _AUTHORITY.fullmatch(host):
            return False
        name = host_name(host)
        known = not self._guarded or not host or name in self._hosts or _is_loopback_address(name)
        if known and len(self._known) < _REMEMBERED:
            self._known.add(host)
        return known

    def _is_trusted(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(
            address.version == network.version and address in network for network in self._trusted
        )


def host_name(authority: str) -> str:
    """The name in a Host header, without its port, in lower case."""
    name, colon, port = authority.rpartition(":")
    return (name if colon and port.isdecimal() else authority).lower()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine alone."""
    return host.lower() == "localhost" or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local(scope: Scope) -> bool:
    """Whether a request came from this machine itself."""
    client = scope.get("client")
    return client is not None and _is_loopback_address(client[0])


def _first(value: str) -> str:
    return value.partition(",")[0].strip()
