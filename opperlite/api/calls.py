"""One request on its way: who asks, what it says, and the services that answer."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Struct

from opperlite.api.addresses import Addresses
from opperlite.api.metrics import Metrics
from opperlite.api.replies import Events, Reply, json_reply, replayed
from opperlite.domain.errors import (
    Cancelled,
    ClientTooSlow,
    IdempotencyMismatch,
    InvalidJSON,
    OpperliteError,
    PayloadTooLarge,
    UnsupportedContentType,
    ValidationFailed,
)
from opperlite.domain.ids import repeatable
from opperlite.domain.services import Services
from opperlite.domain.types import Project

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

_PLACE = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_NAMED = re.compile(r"(?:field|parameter) `([^`]*)`")
ENGINE_HEADER = "X-Opperlite-Engine"
_MAX_KEY = 255
ENCODED_SLASH = "%2F"  # what a decoded path has in the place of a slash that is part of a segment
_LARGEST = 2**63 - 1
_PATIENCE = 30.0  # seconds that a body may pause
_MAX_DEPTH = 64
_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "maxItems", "enum", "type")


class Call:
    """A request with the caller's project (None where no key is needed and none was sent)."""

    __slots__ = ("_addresses", "_body", "_max_json", "_project", "metrics", "request", "services")

    def __init__(
        self,
        request: Request[Any, Any, Any],
        services: Services,
        project: Project | None,
        addresses: Addresses,
        max_json: int,
        metrics: Metrics,
    ) -> None:
        self.metrics = metrics
        self.request = request
        self.services = services
        self._project = project
        self._addresses = addresses
        self._max_json = max_json
        self._body: bytes | None = None

    @property
    def project(self) -> Project:
        """The caller's project; only on routes that need a key."""
        assert self._project is not None
        return self._project

    @property
    def base(self) -> str:
        """The base URL of links in the reply."""
        return self._addresses.base(self.request.scope)

    def path(self, name: str) -> str:
        """A parameter of the path; a slash that was sent encoded is part of it."""
        return str(self.request.path_params[name]).replace(ENCODED_SLASH, "/")

    def number(self, name: str, default: int, least: int, most: int | None = None) -> int:
        """An integer of the query; below `least` or not an integer is refused, above `most` it is `most`."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"[+-]?\d{1,4000}", text, re.ASCII) or int(text) < least:
            raise ValidationFailed(
                f"{name} must be an integer of at least {least}, not {text[:40]!r}",
                field=name,
                allowed={"min": least} if most is None else {"min": least, "max": most},
            )
        return min(int(text), _LARGEST if most is None else most)

    def text(self, name: str) -> str | None:
        """A string of the query, None when absent or empty."""
        return self.request.query_params.get(name) or None

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """One of a few words of the query, None when absent; raises ValidationFailed for any other."""
        value = self.request.query_params.get(name)
        words = [word for word in allowed if word]
        if value is not None and value not in words:
            raise ValidationFailed(
                f"{name} is one of {', '.join(words)}, not {value[:40]!r}", field=name, allowed=words
            )
        return value

    # ---------------------------------------------------------------------------------------- the body

    async def body(self) -> bytes:
        """The raw JSON body, read once; raises UnsupportedContentType or PayloadTooLarge."""
        if self._body is None:
            self._body = await self._read()
        return self._body

    async def _read(self) -> bytes:
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise UnsupportedContentType(
                f"This route takes application/json, not {kind[:80] or 'a body without a Content-Type'}",
                field="Content-Type",
                allowed=["application/json"],
            )
        declared = self.request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_json:
            raise self._too_large()
        body = bytearray()
        async for chunk in received(self.request):
            body += chunk
            if len(body) > self._max_json:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"A JSON body may have at most {self._max_json:,} bytes",
            field="body",
            allowed={"max_bytes": self._max_json},
        )

    async def json(self, kind: type[S]) -> S:
        """The body as a wire struct; raises InvalidJSON or ValidationFailed with the field and what it allows."""
        return decode(await self.body(), kind)

    def made(self, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A struct that tells of a generation; the reply names the engine that made it, or will."""
        return json_reply(value, status, {ENGINE_HEADER: self.services.engine, **(headers or {})})

    def made_events(self, events: Sequence[bytes], headers: Mapping[str, str] | None = None) -> Reply:
        """The same, told as server-sent events."""
        return Events(events, {ENGINE_HEADER: self.services.engine, **(headers or {})})

    def made_bytes(self, data: bytes, media_type: str) -> Reply:
        """The bytes that were made."""
        return Reply(200, data, media_type, {ENGINE_HEADER: self.services.engine})

    # ------------------------------------------------------------------------------------- idempotency

    async def once(self, fingerprint: Callable[[], Awaitable[bytes]], run: Callable[[], Awaitable[Reply]]) -> Reply:
        """Run, or replay the reply to the same Idempotency-Key; with one, `fingerprint` is asked before `run`.

        What `run` makes has ids that derive from the key's claim and the fingerprint: whatever an attempt left that
        broke off after it had made something, by a crash too, is found by the next one and not made twice.
        """
        key = self.request.headers.get("idempotency-key")
        if key is None or self._project is None:
            return await run()
        if not key or len(key) > _MAX_KEY:
            raise ValidationFailed(
                f"An Idempotency-Key has 1 to {_MAX_KEY} characters", field="Idempotency-Key", allowed={"max": _MAX_KEY}
            )
        store, now = self.services.store, self.services.clock.now()
        claim = await store.claim_reply(self.project.id, key, now, now - self.services.policy.reply_ttl)
        self.request.scope["state"]["again"] = claim.again
        if claim.reply is not None:
            if claim.fingerprint != await fingerprint():
                raise IdempotencyMismatch()
            return replayed(claim.reply)
        kept = False
        try:
            asked = await fingerprint()
            with repeatable(claim.token + asked):
                reply = await run()
            if reply.status < 300:
                await asyncio.shield(store.save_reply(self.project.id, key, asked, reply.kept()))
                kept = True
            return reply
        finally:
            if not kept:
                await asyncio.shield(store.release_claim(self.project.id, key))

    async def body_fingerprint(self) -> bytes:
        """What makes two JSON requests the same: the route and the exact body."""
        return hashlib.sha256(await self.path_fingerprint() + await self.body()).digest()

    async def path_fingerprint(self) -> bytes:
        """What makes two requests without a body the same: the route."""
        return hashlib.sha256(self.request.scope["path"].encode()).digest()

    # ---------------------------------------------------------------------------------------- patience

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work unless the client goes away, which stops it; raises Cancelled then."""
        task = asyncio.ensure_future(work)
        gone = asyncio.create_task(self._gone())
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Cancelled("The client closed the connection")
            return task.result()
        finally:
            gone.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


async def received(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """The body as it comes in, in pieces that are not empty; raises Cancelled when the client goes away.

    Raises UnsupportedContentType for a body that is compressed.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedContentType(
            f"A body is taken as it is, not coded as {coding[:40]!r}", field="Content-Encoding", allowed=["identity"]
        )
    more = True
    while more:
        try:
            async with asyncio.timeout(_PATIENCE):
                message: Any = await request.receive()
        except TimeoutError:
            raise ClientTooSlow(f"No byte of the body came for {_PATIENCE:g} s") from None
        if message["type"] == "http.disconnect":
            raise Cancelled("The client closed the connection")
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


def decode(body: bytes, kind: type[S]) -> S:
    """JSON bytes as a wire struct; raises InvalidJSON or ValidationFailed."""
    try:
        value = _parsed(body, kind)
    except msgspec.ValidationError as error:
        _parsed(body, msgspec.Raw)  # a wrong member is told before what follows it is read
        raise validation(error, kind) from None
    check_bounds(getattr(value, "parameters", None), "parameters")
    return value


def _parsed(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJSON(f"The request body is not valid JSON: {error}", field="body") from None
    except RecursionError:
        raise InvalidJSON("The request body is nested too deeply", field="body") from None


def check_bounds(value: object, place: str, depth: int = 0) -> None:
    """Refuse what no provider takes and no work order can carry: integers over 64 bits, nesting without end."""
    if depth > _MAX_DEPTH:
        raise ValidationFailed(
            f"parameters may be nested {_MAX_DEPTH} deep", field="parameters", allowed={"depth": _MAX_DEPTH}
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValidationFailed(f"{place} is an integer of more than 64 bits", field=place)
    if isinstance(value, dict):
        for name, member in value.items():
            check_bounds(member, f"{place}.{name}", depth + 1)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            check_bounds(member, f"{place}[{index}]", depth + 1)


def validation(error: msgspec.ValidationError, kind: type[Struct]) -> ValidationFailed:
    """The decoder's message with its field and what that field allows."""
    text = str(error)
    place = _PLACE.search(text)
    path = place.group(1) if place else ""
    message = text[: place.start()] if place else text
    missing = _NAMED.search(message)
    field = ".".join(part for part in (path, missing.group(1) if missing else "") if part)
    return ValidationFailed(message, field=field or "body", allowed=_allowed(kind, field))


def _allowed(kind: type[Struct], field: str) -> dict[str, Any] | None:
    """What the schema says of a top-level field."""
    _, components = msgspec.json.schema_components([kind], ref_template="{name}")
    schema = components[kind.__name__].get("properties", {}).get(field.partition("[")[0].partition(".")[0])
    if schema is None:
        return None
    found: dict[str, Any] = {}
    for part in (schema, *schema.get("anyOf", ())):
        if part.get("type") != "null":
            found.update({name: part[name] for name in _LIMITS if name in part})
    return found or None


@contextmanager
def naming(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors from inside name fields as this request calls them; `names` maps the common names."""
    try:
        yield
    except OpperliteError as error:
        name, bracket, rest = str(error.details.get("field", "")).partition("[")
        if name in names:
            error.details["field"] = f"{names[name]}{bracket}{rest}"
        raise


Handler = Callable[[Call], Awaitable[Any]]
