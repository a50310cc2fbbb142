"""The OpenAPI 3.1 document, from the route table and the very structs that decode requests and encode replies."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from opperlite.api.errors import STATUS, ErrorEnvelope
from opperlite.api.openai import errors as openai
from opperlite.domain.errors import OpperliteError, PayloadTooLarge, Unauthorized, ValidationFailed

if TYPE_CHECKING:
    from opperlite.api.routing import Route

_REF = "#/components/schemas/{name}"
_INTRO = (
    "Opper's media API on your own machine: files, images, videos and audio; and under `/v1` the same in the form that "
    "OpenAI's clients speak. Errors come as `{error: {code, message, details}}`, under `/v1` as `{error: {message, "
    "type, param, code}}`. Routes and members marked as additions are this server's own."
)
_OWN = "An addition of this server."
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Sent again with the same request within 24 hours, the first reply is replayed.",
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The description of all routes."""
    components = _components(routes)
    anywhere = _anywhere(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        item = paths.setdefault(_plain(route.path), {})
        item[route.method.lower()] = _operation(route, anywhere)
        if route.head:
            item["head"] = _operation(route, anywhere) | {"operationId": _name(route) + "_head"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "opperlite", "version": version, "description": _INTRO},
        "servers": [{"url": "/"}],
        "security": [{"BearerAuth": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"BearerAuth": {"type": "http", "scheme": "bearer"}},
        },
    }


def _components(routes: Sequence[Route]) -> dict[str, Any]:
    structs: dict[type[Struct], None] = {ErrorEnvelope: None, openai.OpenAIErrorEnvelope: None}
    for route in routes:
        for kind in (route.request, route.reply, *route.also.values()):
            if isinstance(kind, type):
                structs[kind] = None
    _, components = msgspec.json.schema_components(list(structs), ref_template=_REF)
    return dict(sorted(components.items()))


def _anywhere(routes: Sequence[Route]) -> Sequence[type[OpperliteError]]:
    """The errors that no route declares as its own: any of them may answer so."""
    declared = {error for route in routes for errors in _by_status(route).values() for error in errors}
    return [error for error in STATUS if error not in declared]


def _operation(route: Route, anywhere: Sequence[type[OpperliteError]]) -> dict[str, Any]:
    text = inspect.getdoc(route.handler)
    assert text is not None, f"{_name(route)} has no docstring, which is its description"
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "tags": [route.tag],
        "summary": text.splitlines()[0].rstrip("."),
        "description": f"{text} {_OWN}" if route.own else text,
        "responses": _responses(route) | {"default": _failure(anywhere, route.path)},
    }
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if route.method == "POST":
        parameters.append(_IDEMPOTENCY)
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        operation["requestBody"] = _request(route)
    if route.key != "required":
        operation["security"] = [] if route.key == "none" else [{}, {"BearerAuth": []}]
    return operation


def _request(route: Route) -> dict[str, Any]:
    if isinstance(route.request, dict):
        return {"required": True, "content": {"multipart/form-data": {"schema": route.request}}}
    assert route.request is not None
    media: dict[str, Any] = {"schema": _reference(route.request)}
    if route.example is not None:
        media["example"] = route.example
    return {"required": True, "content": {"application/json": media}}


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(route.status): _success(route.reply)}
    for status, kind in route.also.items():
        responses[str(status)] = _success(kind)
    if route.head:
        responses["206"] = _success(route.reply) | {"description": "The asked range"}
        responses["304"] = {"description": "Unchanged since the given ETag"}
    if route.streams:
        responses[str(route.status)]["content"]["text/event-stream"] = {}
    for status, errors in _by_status(route).items():
        responses[str(status)] = _failure(errors, route.path)
    return responses


def _success(kind: type[Struct] | str | None) -> dict[str, Any]:
    if kind is None:
        return {"description": "Done"}
    if isinstance(kind, str):
        return {"description": "The bytes", "content": {one: {} for one in kind.split(", ")}}
    return {
        "description": (inspect.getdoc(kind) or "").splitlines()[0],
        "content": {"application/json": {"schema": _reference(kind)}},
    }


def _by_status(route: Route) -> dict[int, list[type[OpperliteError]]]:
    declared: Iterable[type[OpperliteError]] = route.errors
    if route.key != "none":
        declared = (Unauthorized, *declared)
    if route.method == "POST":
        declared = (*declared, ValidationFailed, PayloadTooLarge)
    grouped: dict[int, list[type[OpperliteError]]] = {}
    for error in dict.fromkeys(declared):
        grouped.setdefault(_status(error, route.path), []).append(error)
    return dict(sorted(grouped.items()))


def _status(error: type[OpperliteError], path: str) -> int:
    return openai.STATUSES.get(error, STATUS[error]) if openai.speaks_openai(path) else STATUS[error]


def _failure(errors: Sequence[type[OpperliteError]], path: str) -> dict[str, Any]:
    meanings = {error.code: _meaning(error) for error in errors}
    envelope: type[Struct] = ErrorEnvelope
    examples: dict[str, Any] = {
        code: {"value": {"error": {"code": code, "message": meaning}}} for code, meaning in meanings.items()
    }
    if openai.speaks_openai(path):
        envelope = openai.OpenAIErrorEnvelope
        examples = {
            error.code: {"value": msgspec.to_builtins(openai.OpenAIErrorEnvelope(openai.problem_of(error(""))))}
            for error in errors
        }
    return {
        "description": "; ".join(f"`{code}`: {meaning}" for code, meaning in meanings.items()),
        "content": {"application/json": {"schema": _reference(envelope), "examples": examples}},
    }


def _meaning(error: type[OpperliteError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0]


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+):", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "in": "query", "required": False, "schema": one.schema, "description": one.description}
        for one in route.query
    ]


def _reference(kind: type[Struct]) -> dict[str, Any]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _plain(path: str) -> str:
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)


def _name(route: Route) -> str:
    words = re.findall(r"\w+", _plain(route.path).replace("_opperlite", "own"))
    return "_".join([route.method.lower(), *words]).replace("v3_", "")
