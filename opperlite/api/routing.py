"""What a route is: one operation with its path, its handler, its key, its structs and its errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from litestar.types import ASGIApp
from msgspec import Struct

from opperlite.api.calls import Call
from opperlite.domain import errors

Key = Literal["required", "optional", "none", "elsewhere"]


class Query(Struct, frozen=True):
    """A query parameter: its JSON schema and what it means."""

    name: str
    schema: dict[str, Any]
    description: str


class Route(Struct, frozen=True):
    """One operation.

    `request` is a wire struct for JSON, or the schema of a multipart form; `reply` a wire struct, the media types of
    other bodies joined by ", ", or None for none. `key` "elsewhere" asks for one unless the request comes from this
    machine. `own` marks what is an addition of this server, `streams` what may also answer server-sent events.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Callable[[Call], Awaitable[ASGIApp]]
    tag: str
    reply: type[Struct] | str | None = None
    status: int = 200
    key: Key = "required"
    request: type[Struct] | dict[str, Any] | None = None
    query: tuple[Query, ...] = ()
    errors: tuple[type[errors.OpperliteError], ...] = ()
    example: dict[str, Any] | None = None
    also: dict[int, type[Struct]] = {}
    own: bool = False
    head: bool = False
    streams: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it answers."""
        return (self.method, "HEAD") if self.head else (self.method,)


BODY = (errors.InvalidJSON, errors.ValidationFailed, errors.UnsupportedContentType, errors.PayloadTooLarge)
ONCE = (errors.IdempotencyInProgress, errors.IdempotencyMismatch)
MAKE = (
    *BODY,
    *ONCE,
    errors.ModelNotFound,
    errors.ProviderRefused,
    errors.FileNotFound,
    errors.SourceUnusable,
    errors.UnsupportedMedia,
    errors.ProviderFailed,
    errors.StorageFailed,
)


def number(name: str, description: str, least: int, default: int, most: int | None = None) -> Query:
    schema: dict[str, Any] = {"type": "integer", "minimum": least, "default": default}
    if most is not None:
        description += f" Above {most} it is taken as {most}."
    return Query(name, schema, description)


def word(name: str, description: str, allowed: tuple[str, ...] = ()) -> Query:
    schema: dict[str, Any] = {"type": "string"}
    if allowed:
        schema |= {"enum": list(allowed), "default": allowed[0]}
    return Query(name, schema, description)
