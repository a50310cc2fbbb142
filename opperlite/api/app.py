"""The ASGI application: the route table behind the way in, and the services' life with the server's."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress

from opperlite.api.access import AccessLog
from opperlite.api.addresses import Addresses, is_local
from opperlite.api.asgi import ASGIApp, Receive, Request, Scope, Send, header_of, method_of
from opperlite.api.calls import Call
from opperlite.api.cors import Cors
from opperlite.api.entrance import Entrance
from opperlite.api.metrics import Metrics
from opperlite.api.replies import error_reply
from opperlite.api.routes import ROUTING
from opperlite.api.routing import Key
from opperlite.config import Settings
from opperlite.domain import errors
from opperlite.domain.services import Services
from opperlite.domain.types import Project

log = logging.getLogger("opperlite.api")


def create_app(services: Services, settings: Settings) -> ASGIApp:
    """The application over opened services; it starts and stops them with the server."""
    addresses = Addresses(settings.host, settings.public_url, settings.trusted_proxy, settings.allow_host)
    metrics = Metrics()
    application = Application(services, addresses, settings.max_json_size, metrics)
    cors = Cors(settings.cors_origin) if settings.cors_origin else None
    return Entrance(application, addresses, _access_log(settings), metrics, cors)


def _access_log(settings: Settings) -> AccessLog | None:
    if not settings.access_log or not logging.getLogger("opperlite.access").isEnabledFor(logging.INFO):
        return None

    def write(lines: str) -> None:
        with suppress(OSError, ValueError):  # nobody has to read it
            sys.stderr.write(lines)
            sys.stderr.flush()

    return AccessLog(write, settings.log_format)


class Application:
    """Answers requests by the route table; errors of the domain become replies."""

    def __init__(self, services: Services, addresses: Addresses, max_json: int, metrics: Metrics) -> None:
        self._services = services
        self._addresses = addresses
        self._max_json = max_json
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            reply = await self._answer(scope, receive)
        except errors.OpperliteError as error:
            if isinstance(error, errors.ProviderFailed | errors.StorageFailed):
                trace = error.details.get("trace") or ""
                log.error("%s %s: %s\n%s", method_of(scope), scope["path"], error.message, trace)
            reply = error_reply(error, scope["path"])
        await reply(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        taken, values = ROUTING.find(scope["path"])
        if not taken:
            raise errors.NotFound(f"No route {scope['path'][:200]!r}; GET /docs lists them")
        found = taken.get(scope["method"])
        if found is None:
            return self._refused(scope)
        route, names = found
        scope["state"]["route"] = route.path
        project = await self._caller(scope, route.key)
        request = Request(scope, receive, dict(zip(names, values, strict=True)))
        return await route.handler(
            Call(request, self._services, project, self._addresses, self._max_json, self._metrics)
        )

    def _refused(self, scope: Scope) -> ASGIApp:
        allow = ", ".join(ROUTING.methods(scope["path"]))
        reply = error_reply(
            errors.MethodNotAllowed(f"{method_of(scope)[:20]} is not taken here; {allow} is"), scope["path"]
        )
        reply.headers = {**(reply.headers or {}), "Allow": allow}
        return reply

    async def _caller(self, scope: Scope, key: Key) -> Project | None:
        """Who asks; raises Unauthorized."""
        if key == "none" or (key == "elsewhere" and is_local(scope)):
            return None
        header = header_of(scope, b"authorization")
        if header is None and key == "optional":
            return None
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer":
            raise errors.Unauthorized()
        return await self._services.projects.authenticate(token.strip())

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start the services with the server and stop them with it."""
        await receive()
        stage = "startup"
        try:
            await self._services.start()
            try:
                await send({"type": "lifespan.startup.complete"})
                stage = "shutdown"
                await receive()
            finally:
                await self._services.stop()
        except Exception:
            await send({"type": f"lifespan.{stage}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})
