"""The outermost layer: a request id on every reply, the guard of the Host, and the access log."""

from __future__ import annotations

import secrets
import time
from itertools import count
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opperlite.api.access import AccessLog
from opperlite.api.addresses import Addresses
from opperlite.api.calls import ENCODED_SLASH
from opperlite.api.metrics import Metrics
from opperlite.api.replies import Reply, error_reply, method_of
from opperlite.api.routes import methods_of
from opperlite.domain.errors import Forbidden


class Entrance:
    """Wraps the application; costs a few microseconds a request."""

    def __init__(self, application: ASGIApp, addresses: Addresses, log: AccessLog | None, metrics: Metrics) -> None:
        self._application = application
        self._addresses = addresses
        self._log = log
        self._metrics = metrics
        self._run = secrets.token_hex(5)  # ids are unique over restarts, and cost no entropy each
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._application(scope, receive, send)
            return
        _keep_slashes(scope)
        request_id = f"req_{self._run}{next(self._numbers):08x}"
        scope.setdefault("state", {})["request_id"] = request_id
        tag = (b"x-request-id", request_id.encode())
        began, status = time.perf_counter(), 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], tag]
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._answer(scope, receive, tagged)
        finally:
            self._metrics.in_flight -= 1
        took = time.perf_counter() - began
        self._metrics.count(method_of(scope), scope["state"].get("route", ""), status, took)
        if self._log is not None:
            client = scope["client"][0] if scope["client"] else ""
            self._log.add(method_of(scope), scope["path"], status, took, client, request_id)

    async def _answer(self, scope: Scope, receive: Receive, tagged: Send) -> None:
        if not self._addresses.known(scope):
            error = Forbidden("This Host is not answered here; allow it with --allow-host")
            await error_reply(error, scope["path"])(scope, receive, tagged)
        elif method_of(scope) == "OPTIONS" and not _is_preflight(scope) and len(taken := methods_of(scope["path"])) > 1:
            await Reply(204, headers={"Allow": ", ".join(taken)})(scope, receive, tagged)
        else:
            await self._application(scope, receive, tagged)


def _keep_slashes(scope: Scope) -> None:
    """Leave encoded slashes encoded in the path: they are part of a name (RFC 3986, 2.2)."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return
    segments = raw.partition(b"?")[0].decode("latin-1").split("/")
    scope["path"] = "/".join(unquote(segment).replace("/", ENCODED_SLASH) for segment in segments)


def _is_preflight(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])
