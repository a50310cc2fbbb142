"""`/v3/functions/{name}/call` and `/v3/call`, by which Opper's own clients ask for media.

What a call is for is told by the members of its output schema, else by its model's type, else by the function's name.
Calls for text are refused: this server makes media.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from opperlite.api.calls import Call, naming
from opperlite.api.function_media import MAKERS, MEMBERS, Kind, Order
from opperlite.api.replies import Reply, event
from opperlite.api.schemas import FunctionCall, FunctionMeta, FunctionReply, NamedCall, PendingOperation
from opperlite.domain.errors import ModelNotFound, NotSupported, OpperliteError, ValidationFailed

# The default names in Opper's packages.
NAMES: dict[str, Kind] = {"image-gen": "image", "video-gen": "video", "tts": "tts", "stt": "stt"}
_SCHEMA: dict[str, Kind] = {"image": "image", "video": "video", "audio": "tts"}
_TEXT = (
    "This server makes media: images, videos, speech and transcriptions. This call asks for something else, such as "
    "text; name a media model, or an output_schema with image, video, audio, or text for an input with audio"
)


# ---------------------------------------------------------------------------------------------- handlers


async def run(call: Call) -> Reply:
    """Run a function that makes media: the result, or for videos the operation to wait for."""
    return await _answered(call, lambda wire: call.path("name"))


async def run_named(call: Call) -> Reply:
    """Run a function that makes media, named in the body."""
    return await _answered(call, lambda wire: wire.name or "")


async def stream(call: Call) -> Reply:
    """Run a function that makes media, with the result as server-sent events."""

    async def answer() -> Reply:
        made, _ = await _made(call, await call.json(FunctionCall), call.path("name"))
        text = (made.data or {}).get("text")
        delta = text if isinstance(text, str) else msgspec.json.encode(made.data).decode()
        contents = [event({"type": "content", "delta": delta})] if made.data is not None else []
        return call.made_events([*contents, event({"type": "done"}), event(made, "complete"), b"data: [DONE]\n\n"])

    return await call.once(call.body_fingerprint, answer)


async def _answered(call: Call, name: Callable[[NamedCall], str]) -> Reply:
    async def answer() -> Reply:
        wire = await call.json(NamedCall)
        made, status = await _made(call, wire, name(wire))
        return call.made(made, status)

    return await call.once(call.body_fingerprint, answer)


async def _made(call: Call, wire: FunctionCall, name: str) -> tuple[FunctionReply, int]:
    began = time.perf_counter()
    order = _understood(call, wire, name)
    with naming(MEMBERS[order.kind]):
        done = await call.while_connected(MAKERS[order.kind](call, order))
    took = round((time.perf_counter() - began) * 1000)
    pending: list[PendingOperation] | UnsetType = UNSET
    if done.job is not None:
        url = f"{call.base}/v3/artifacts/{done.job.id}/status"
        pending = [PendingOperation(done.job.id, url, order.kind)]
    meta = FunctionMeta(
        function_name=name,
        execution_ms=took,
        tts_calls=int(order.kind == "tts"),
        image_gen_calls=int(order.kind == "image"),
        generation_ms=took if done.job is None else UNSET,
        cost=UNSET if done.cost is None else done.cost,
        models_used=[order.model.id],
        model_warnings=[warning.message for warning in done.warnings] or UNSET,
        status="pending" if done.job else UNSET,
        pending_operations=pending,
    )
    return FunctionReply(done.data, meta), 202 if done.job else 200


# ---------------------------------------------------------------------------------------- what it is for


def _understood(call: Call, wire: FunctionCall, name: str) -> Order:
    """What a call is for and by which model; raises NotSupported, ModelNotFound, ValidationFailed."""
    catalog = call.services.catalog
    wanted = list(_named(wire.model))
    kind = _schema_kind(wire)
    if kind is None and not (wire.output_schema or {}).get("properties"):
        kind = _model_kind(call, wanted) if wanted else NAMES.get(name)
    if kind is None:
        raise NotSupported(_TEXT, field="output_schema")
    if not wanted:
        model = catalog.default(kind)
        return Order(name, kind, wire.input, model, model.id, {})
    refusal: OpperliteError | None = None
    for asked, options in wanted:  # a list is a chain of fallbacks: the first that there is
        try:
            return Order(name, kind, wire.input, catalog.find(asked, kind), asked, options)
        except (ModelNotFound, ValidationFailed) as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _schema_kind(wire: FunctionCall) -> Kind | None:
    properties = (wire.output_schema or {}).get("properties")
    members = properties if isinstance(properties, dict) else {}
    found = next((kind for member, kind in _SCHEMA.items() if member in members), None)
    if found is None and "text" in members and isinstance(wire.input, dict) and "audio" in wire.input:
        return "stt"
    return found


def _model_kind(call: Call, wanted: list[tuple[str, dict[str, Any]]]) -> Kind | None:
    for asked, _ in wanted:
        try:
            return call.services.catalog.find(asked).type
        except ModelNotFound:
            continue
    return None


def _named(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names of a model specification with their options: a name, an object with one, or a list of either."""
    for one in model if isinstance(model, list) else [model] if model is not None else []:
        if isinstance(one, str) and one:
            yield one, {}
        elif isinstance(one, dict) and isinstance(one.get("name"), str):
            options = one.get("options")
            yield one["name"], options if isinstance(options, dict) else {}
        else:
            raise ValidationFailed("model must be a name, an object with a name, or a list of either", field="model")
