"""Health, the API's own description, and the page that shows it."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from opperlite import __version__
from opperlite.api.calls import Call
from opperlite.api.replies import Reply, json_reply
from opperlite.api.schemas import Health, Ready
from opperlite.domain.errors import NotFound

_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>opperlite API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "/v3/openapi.json", dom_id: "#api", deepLinking: true, persistAuthorization: true,
  docExpansion: "list", defaultModelsExpandDepth: 0, validatorUrl: null });
</script>
</body>
</html>
"""


async def health(call: Call) -> Reply:
    """The server answers."""
    return json_reply(Health())


async def ready(call: Call) -> Reply:
    """The server can work: its database answers and it is not stopping."""
    await call.services.check()
    return json_reply(Ready())


async def metrics(call: Call) -> Reply:
    """Counters in Prometheus' text format; from this machine freely, from others with a key."""
    shown = await asyncio.to_thread(call.metrics.render, call.services)
    return Reply(200, shown, "text/plain; version=0.0.4; charset=utf-8")


@cache
def description() -> dict[str, object]:
    """The OpenAPI document, made once."""
    from opperlite.api.openapi import document
    from opperlite.api.routes import ROUTES

    return document(ROUTES, __version__)


@cache
def _as_json() -> bytes:
    return msgspec.json.format(msgspec.json.encode(description()), indent=2)


@cache
def _as_yaml() -> bytes:
    return msgspec.yaml.encode(description())


async def openapi_json(call: Call) -> Reply:
    """This API's description, OpenAPI 3.1."""
    return Reply(200, _as_json(), "application/json")


async def openapi_yaml(call: Call) -> Reply:
    """This API's description as YAML."""
    return Reply(200, _as_yaml(), "application/yaml")


async def docs(call: Call) -> Reply:
    """A page to read and try the API; it needs no internet."""
    return Reply(200, _PAGE.encode(), "text/html; charset=utf-8")


async def docs_asset(call: Call) -> Reply:
    """A file of the documentation page."""
    name = call.path("asset")
    if name not in _ASSETS:
        raise NotFound()
    return Reply(200, _asset(name), _ASSETS[name], {"Cache-Control": "no-cache"})


def _asset(name: str) -> bytes:
    package = find_spec("swagger_ui")  # found, not imported: only its files are wanted
    assert package is not None
    assert package.submodule_search_locations is not None
    return (Path(package.submodule_search_locations[0]) / "static" / name).read_bytes()
