"""ASGI as far as this server needs it: the shapes of its messages, and a request that is read only where asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def method_of(scope: Scope) -> str:
    """The request's method."""
    return str(scope["method"])


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of that name in lower case, None without one."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


class Request:
    """One HTTP request: its scope, the parameters of its path, its body to come."""

    __slots__ = ("_headers", "_query", "path_params", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, path_params: Mapping[str, str]) -> None:
        self.scope = scope
        self.receive = receive
        self.path_params = path_params
        self._headers: dict[str, str] | None = None
        self._query: dict[str, str] | None = None

    @property
    def path(self) -> str:
        """The path, decoded."""
        return str(self.scope["path"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by name in lower case, the first of each."""
        if self._headers is None:
            self._headers = {}
            for name, value in self.scope["headers"]:
                self._headers.setdefault(str(name, "latin-1"), str(value, "latin-1"))
        return self._headers

    @property
    def query_params(self) -> Mapping[str, str]:
        """The query's members by name, the first of each."""
        if self._query is None:
            self._query = {}
            text = str(self.scope["query_string"], "latin-1")
            for name, value in parse_qsl(text, keep_blank_values=True):
                self._query.setdefault(name, value)
        return self._query
