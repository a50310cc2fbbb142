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
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opperlite.api.access import AccessLog
from opperlite.api.addresses import Addresses, is_local
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
    application = Litestar(
        route_handlers=[_handler(route, services, addresses, settings.max_json_size, metrics) for route in ROUTES],
        lifespan=[_lifespan(services)],
        exception_handlers={HTTPException: _refused, Exception: _crashed},
        cors_config=_cors(settings),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    told = application if not settings.cors_origin or "*" in settings.cors_origin else _varying(application)
    return Entrance(told, addresses, _access_log(settings), metrics)


def _varying(application: ASGIApp) -> ASGIApp:
    """Tell caches of every reply that it depends on the Origin, also where none was sent or it was not allowed.

    Otherwise a browser that has shown a picture gives a script the same reply, without the permission to read it.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start" and not any(name == b"vary" for name, _ in message["headers"]):
                message["headers"] = [*message["headers"], (b"vary", b"Origin")]
            await send(message)

        await application(scope, receive, tell)

    return answer


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


def _handler(
    route: Route, services: Services, addresses: Addresses, max_json: int, metrics: Metrics
) -> HTTPRouteHandler:
    async def answer(request: Request[Any, Any, Any]) -> ASGIApp:
        request.scope["state"]["route"] = route.path
        try:
            project = await _caller(request, services, route.key)
            call = Call(request, services, project, addresses.base(request.scope), max_json, metrics)
            return await route.handler(call)
        except errors.OpperliteError as error:
            return _told(request, error)

    methods: list[Any] = [route.method, "HEAD"] if route.head else [route.method]
    # The status is the reply's own; this one only keeps Litestar from assuming that DELETE has no body.
    return HTTPRouteHandler(route.path, http_method=methods, status_code=200)(answer)


async def _caller(request: Request[Any, Any, Any], services: Services, key: Key) -> Project | None:
    """Who asks; raises Unauthorized."""
    if key == "none" or (key == "elsewhere" and is_local(request.scope)):
        return None
    header = request.headers.get("authorization")
    if header is None and key == "optional":
        return None
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer":
        raise errors.Unauthorized()
    return await services.projects.authenticate(token.strip())


def _told(request: Request[Any, Any, Any], error: errors.OpperliteError) -> ASGIApp:
    if isinstance(error, errors.ProviderFailed | errors.StorageFailed):
        log.error("%s %s: %s\n%s", request.method, request.url.path, error.message, error.details.get("trace") or "")
    return error_reply(error, request.scope["path"])


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar itself refuses: unknown routes and methods."""
    if error.status_code == 404:
        return _response(request, errors.NotFound(f"No route {request.scope['path'][:200]!r}; GET /docs lists them"))
    if error.status_code == 405:
        allow = ", ".join(methods_of(request.scope["path"]))
        return _response(
            request, errors.MethodNotAllowed(f"{request.method} is not taken here; {allow} is"), {"Allow": allow}
        )
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
    return Response(
        reply.body,
        status_code=reply.status,
        media_type=reply.media_type,
        headers={**(reply.headers or {}), **(headers or {})},
    )
