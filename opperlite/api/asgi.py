"""What is read of an HTTP request's scope itself, without parsing more of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, cast

from litestar.types import HTTPScope, Scope

Message = MutableMapping[str, Any]  # of a reply, as the server takes it


def method_of(scope: Scope) -> str:
    """The request's method; only HTTP comes this far."""
    return cast(HTTPScope, scope)["method"]


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of that name in lower case, None without one."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None
