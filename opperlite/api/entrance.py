"""The outermost layer: a request id on every reply, the guard of the Host, and the access log."""

from __future__ import annotations

import logging
import secrets
import time

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from opperlite.api.addresses import Addresses
from opperlite.api.replies import error_reply
from opperlite.domain.errors import Forbidden

access = logging.getLogger("opperlite.access")


class Entrance:
    """Wraps the application; costs a few microseconds a request."""

    def __init__(self, application: ASGIApp, addresses: Addresses, *, access_log: bool) -> None:
        self._application = application
        self._addresses = addresses
        self._logs = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._application(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(8)}"
        scope.setdefault("state", {})["request_id"] = request_id
        tag = (b"x-request-id", request_id.encode())
        began, status = time.perf_counter(), 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], tag]
            await send(message)

        if self._addresses.known(scope):
            await self._application(scope, receive, tagged)
        else:
            error = Forbidden("This Host is not answered here; allow it with --allow-host")
            await error_reply(error)(scope, receive, tagged)
        if self._logs and access.isEnabledFor(logging.INFO):
            _log(scope, request_id, status, time.perf_counter() - began)


def _log(scope: HTTPScope, request_id: str, status: int, seconds: float) -> None:
    """One line a request; the query is left out, since signatures are in it."""
    client = scope.get("client")
    access.info(
        "%s %s %d",
        scope["method"],
        scope["path"],
        status,
        extra={"ms": round(seconds * 1000, 1), "client": client[0] if client else "", "request_id": request_id},
    )
