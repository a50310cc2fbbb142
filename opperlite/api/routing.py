"""What a route is: one operation with its path, its handler, its key, its structs and its errors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from opperlite.api.asgi import ASGIApp
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


class _Place:
    """A place in the tree of paths: what is answered here, and where the next segment leads."""

    __slots__ = ("following", "parameter", "rest", "routes")

    def __init__(self) -> None:
        self.routes: dict[str, tuple[Route, tuple[str, ...]]] = {}
        self.following: dict[str, _Place] = {}
        self.parameter: _Place | None = None
        self.rest = False


class Routing:
    """Finds routes by path. A plain segment goes before a parameter; empty segments do not count."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Place()
        for route in routes:
            place = self._root
            for segment in _segments(route.path):
                if not segment.startswith("{"):
                    place = place.following.setdefault(segment, _Place())
                    continue
                place.parameter = place.parameter or _Place()
                place = place.parameter
                place.rest = segment.endswith(":path}")
            names = tuple(re.findall(r"{(\w+):", route.path))
            for method in (route.method, "HEAD") if route.head else (route.method,):
                place.routes[method] = route, names

    def find(self, path: str) -> tuple[Mapping[str, tuple[Route, tuple[str, ...]]], list[str]]:
        """By method the routes of a path, each with its parameters' names, and these parameters' values."""
        place = self._root
        values: list[str] = []
        segments = _segments(path)
        for number, segment in enumerate(segments):
            following = place.following.get(segment)
            if following is None:
                following = place.parameter
                if following is None:
                    return {}, []
                if following.rest:
                    return following.routes, [*values, "/".join(segments[number:])]
                values.append(segment)
            place = following
        return place.routes, values

    def methods(self, path: str) -> list[str]:
        """The methods that a path takes, for the Allow header; OPTIONS alone for an unknown one."""
        return sorted({"OPTIONS", *self.find(path)[0]})


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


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
