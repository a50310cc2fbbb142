"""The ASGI application: Litestar with the route table, the error envelope everywhere, and the way in."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ASGIApp, Scope

from opperlite.api.access import AccessLog
from opperlite.api.addresses import Addresses, is_local
from opperlite.api.asgi import header_of
from opperlite.api.calls import Call
from opperlite.api.entrance import Entrance
from opperlite.api.metrics import Metrics
from opperlite.api.replies import error_reply
from opperlite.api.routes import ROUTES, methods_of
from opperlite.api.routing import Key, Route
from opperlite.config import Settings
from opperlite.domain import errors
from opperlite.domain.services import Services
from opperlite.domain.types import Project

log = logging.getLogger("opperlite.api")

_EXPOSED = (
    "X-Request-Id",
    "Retry-After",
    "X-Should-Retry",
    "X-Opperlite-Engine",
    "X-Opperlite-Recognizer",
    "OpenAI-Poll-After-Ms",
    "Idempotency-Replayed",
    "ETag",
    "Content-Range",
    "Content-Disposition",
)


def create_app(services: Services, settings: Settings) -> ASGIApp:
    """The application over opened services; it starts and stops them with the server."""
    addresses = Addresses(settings.host, settings.public_url, settings.trusted_proxy, settings.allow_host)
    metrics = Metrics()
    cors = _cors(settings)
    answering = Answering(services, addresses, settings.max_json_size, metrics)
    application = _Application(
        route_handlers=[answering.handler(route) for route in ROUTES],
        lifespan=[_lifespan(services)],
        exception_handlers={HTTPException: _refused, Exception: _crashed},
        cors_config=cors,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    return Entrance(application, addresses, _access_log(settings), metrics, cors)


class _Application(Litestar):
    """Litestar without its plug-ins for pydantic and attrs: they are imported wherever those are installed."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def _access_log(settings: Settings) -> AccessLog | None:
    if not settings.access_log or not logging.getLogger("opperlite.access").isEnabledFor(logging.INFO):
        return None

    def write(lines: str) -> None:
        with suppress(OSError, ValueError):  # nobody has to read it
            sys.stderr.write(lines)
            sys.stderr.flush()

    return AccessLog(write, settings.log_format)


def _lifespan(services: Services) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def run(_: Litestar) -> AsyncIterator[None]:
        await services.start()
        try:
            yield
        finally:
            await services.stop()

    return run


def _cors(settings: Settings) -> CORSConfig | None:
    if not settings.cors_origin:
        return None
    return CORSConfig(
        allow_origins=list(settings.cors_origin), allow_headers=["*"], expose_headers=list(_EXPOSED), max_age=600
    )


class Answering:
    """Answers requests by the rows of the route table; errors of the domain become replies."""

    def __init__(self, services: Services, addresses: Addresses, max_json: int, metrics: Metrics) -> None:
        self._services = services
        self._addresses = addresses
        self._max_json = max_json
        self._metrics = metrics

    def handler(self, route: Route) -> HTTPRouteHandler:
        """The handler of one row."""

        async def answer(request: Request[Any, Any, Any]) -> ASGIApp:
            scope = request.scope
            scope["state"]["route"] = route.path
            try:
                project = await self._caller(scope, route.key)
                call = Call(request, self._services, project, self._addresses, self._max_json, self._metrics)
                return await route.handler(call)
            except errors.OpperliteError as error:
                if isinstance(error, errors.ProviderFailed | errors.StorageFailed):
                    trace = error.details.get("trace") or ""
                    log.error("%s %s: %s\n%s", request.method, scope["path"], error.message, trace)
                return error_reply(error, scope["path"])

        methods: list[Any] = list(route.methods)
        # The status is the reply's own; this one only keeps Litestar from assuming that DELETE has no body.
        return HTTPRouteHandler(route.path, http_method=methods, status_code=200)(answer)

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


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar itself refuses: unknown routes and methods."""
    path = request.scope["path"]
    if error.status_code == 404:
        return _response(request, errors.NotFound(f"No route {path[:200]!r}; GET /docs lists them"))
    if error.status_code == 405:
        allow = ", ".join(methods_of(path))
        refusal = errors.MethodNotAllowed(f"{request.method[:20]} is not taken here; {allow} is")
        return _response(request, refusal, {"Allow": allow})
    if error.status_code < 500:
        return _response(request, errors.ValidationFailed(error.detail))
    return _crashed(request, error)


def _crashed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A defect of ours: logged with its traceback, answered without."""
    request_id = request.scope.get("state", {}).get("request_id")
    log.error("request %s crashed", request_id, exc_info=error)
    return _response(request, errors.InternalError(request_id=request_id))


def _response(
    request: Request[Any, Any, Any], error: errors.OpperliteError, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    reply = error_reply(error, request.scope["path"])
    told = {**(reply.headers or {}), **(headers or {})}
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type, headers=told)
