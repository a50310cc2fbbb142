"""The outermost layer: a request id on every reply, the guard of the Host, and the access log."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from itertools import count
from urllib.parse import unquote

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opperlite.api.access import AccessLog
from opperlite.api.addresses import Addresses
from opperlite.api.asgi import header_of, method_of
from opperlite.api.calls import ENCODED_SLASH
from opperlite.api.metrics import Metrics
from opperlite.api.replies import Reply, error_reply
from opperlite.api.routes import methods_of
from opperlite.domain.errors import Forbidden


class Entrance:
    """Wraps the application; costs a few microseconds a request."""

    def __init__(
        self,
        application: ASGIApp,
        addresses: Addresses,
        log: AccessLog | None,
        metrics: Metrics,
        cors: CORSConfig | None = None,
    ) -> None:
        self._application = application
        self._addresses = addresses
        self._log = log
        self._metrics = metrics
        self._cors = cors
        self._run = secrets.token_hex(5)  # ids are unique over restarts, and cost no entropy each
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._application(scope, receive, send)
            return
        _keep_slashes(scope)
        request_id = f"req_{self._run}{next(self._numbers):08x}"
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began, status = time.perf_counter(), 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*self._varying(message["headers"]), (b"x-request-id", request_id.encode())]
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._answer(scope, receive, tagged)
        finally:
            self._metrics.in_flight -= 1
        took = time.perf_counter() - began
        method = method_of(scope)
        self._metrics.count(method, state.get("route", ""), status, took)
        if self._log is not None:
            client = scope["client"][0] if scope["client"] else ""
            self._log.add(method, scope["path"], status, took, client, request_id)

    async def _answer(self, scope: Scope, receive: Receive, tagged: Send) -> None:
        if not self._addresses.known(scope):
            error = Forbidden("This Host is not answered here; allow it with --allow-host")
            await error_reply(error, scope["path"])(scope, receive, tagged)
        elif method_of(scope) == "OPTIONS" and (reply := self._options(scope)) is not None:
            await reply(scope, receive, tagged)
        else:
            await self._application(scope, receive, tagged)

    def _options(self, scope: Scope) -> Reply | None:
        """What a path takes; None for an unknown one, and for a browser's question that Litestar answers."""
        origin = header_of(scope, b"origin")
        if self._cors is not None and origin and header_of(scope, b"access-control-request-method"):
            if self._cors.is_origin_allowed(origin):
                return None
            return error_reply(Forbidden("This Origin may not read the replies; allow it with --cors-origin"))
        taken = methods_of(scope["path"])
        return Reply(204, headers={"Allow": ", ".join(taken)}) if len(taken) > 1 else None

    def _varying(self, headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
        """The headers, which tell caches that the reply depends on the Origin, also where none was sent or allowed.

        Otherwise a browser that has shown a picture gives a script the same reply, without the permission to read it.
        """
        if self._cors is None or self._cors.is_allow_all_origins or any(name == b"vary" for name, _ in headers):
            return headers
        return [*headers, (b"vary", b"Origin")]


def _keep_slashes(scope: Scope) -> None:
    """Leave encoded slashes encoded in the path: they are part of a name (RFC 3986, 2.2)."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2" not in raw or b"%2f" not in raw.lower():
        return
    segments = raw.partition(b"?")[0].decode("latin-1").split("/")
    scope["path"] = "/".join(unquote(segment).replace("/", ENCODED_SLASH) for segment in segments)
