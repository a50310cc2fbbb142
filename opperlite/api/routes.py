"""The route table: every path with its handler, its key, its structs and its errors; OpenAPI is made of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from litestar.types import ASGIApp
from msgspec import Struct

from opperlite.api import audio, files, images, models, schemas, system, videos
from opperlite.api.calls import Call
from opperlite.domain import errors

Key = Literal["required", "optional", "none", "elsewhere"]


class Query(Struct, frozen=True):
    """A query parameter: its JSON schema and what it means."""

    name: str
    schema: dict[str, Any]
    description: str


class Route(Struct, frozen=True):
    """One operation.

    `request` is a wire struct for JSON, or the schema of a multipart form; `reply` a wire struct, a media type for
    other bodies, or None for none. `key` "elsewhere" asks for one unless the request comes from this machine. `own`
    marks what is an addition of this server.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Callable[[Call], Awaitable[ASGIApp]]
    tag: str
    reply: type[Struct] | str | None = None
    status: int = 200
    key: Key = "required"
    request: type[Struct] | dict[str, Any] | None = None
    query: tuple[Query, ...] = ()
    errors: tuple[type[errors.OpperliteError], ...] = ()
    example: dict[str, Any] | None = None
    also: dict[int, type[Struct]] = {}
    own: bool = False
    head: bool = False


_BODY = (errors.InvalidJSON, errors.ValidationFailed, errors.UnsupportedContentType, errors.PayloadTooLarge)
_ONCE = (errors.IdempotencyInProgress, errors.IdempotencyMismatch)
_MAKE = (
    *_BODY,
    *_ONCE,
    errors.ModelNotFound,
    errors.ProviderRefused,
    errors.FileNotFound,
    errors.SourceUnusable,
    errors.UnsupportedMedia,
    errors.ProviderFailed,
    errors.StorageFailed,
)

UPLOAD_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "The bytes; their type is judged by themselves, not by the part's header.",
        },
        "filename": {"type": "string", "maxLength": 255, "description": "A name; the part's own by default."},
        "purpose": {
            "type": "string",
            "enum": ["reference_media", "ocr_input"],
            "default": "reference_media",
            "description": "reference_media takes images, video and audio; ocr_input takes PDF and images.",
        },
        "ttl_seconds": {
            "type": "integer",
            "minimum": 1,
            "description": "A shorter life than the default; a longer one is cut to the default.",
        },
    },
}


def _number(name: str, description: str, least: int, default: int, most: int | None = None) -> Query:
    schema: dict[str, Any] = {"type": "integer", "minimum": least, "default": default}
    if most is not None:
        description += f" Above {most} it is taken as {most}."
    return Query(name, schema, description)


def _word(name: str, description: str, allowed: tuple[str, ...] = ()) -> Query:
    schema: dict[str, Any] = {"type": "string"}
    if allowed:
        schema |= {"enum": list(allowed), "default": allowed[0]}
    return Query(name, schema, description)


_OFFSET = _number("offset", "How many to skip.", 0, 0)
_FILE_PAGE = (_number("limit", "How many at most.", 1, files.DEFAULT_LIMIT, files.MAX_LIMIT), _OFFSET)
_MODEL_FILTERS = (
    _word("type", "Only models of this type; an unknown one gives an empty list."),
    _word("provider", "Only models of this provider."),
    _word("q", "Only models whose names or descriptions have these words."),
    _word("capability", "Only models with all of these capabilities, joined by comma."),
    _word("deprecated", '"true" lists retired models too.'),
    _word("sort", "Sort key.", ("id", "type", "provider")),
    _word("order", "Sort order.", ("asc", "desc")),
    _number("limit", "How many at most.", 1, models.DEFAULT_LIMIT, models.MAX_LIMIT),
    _OFFSET,
)
_ARTIFACT_PAGE = (
    Query("status", {"type": "string", "enum": ["processing", "completed", "failed"]}, "Only jobs that stand so."),
    Query("type", {"type": "string", "enum": ["image", "video"]}, "Only jobs that make this."),
    Query("before", {"type": "string"}, "Only jobs older than the one with this id."),
    _number("limit", "How many at most.", 1, videos.DEFAULT_LIMIT, videos.MAX_LIMIT),
)
_LINK = (
    Query("exp", {"type": "integer"}, "When the link ends, in Unix seconds."),
    Query("sig", {"type": "string"}, "The signature over file, end and disposition."),
    _word("disposition", "How a browser should treat the bytes.", ("inline", "attachment")),
)


def _models(path: str, *scope: str) -> Route:
    return Route(
        "GET",
        path,
        models.lister(scope),
        "Models",
        schemas.ModelList,
        key="optional",
        query=_MODEL_FILTERS,
        errors=(errors.ValidationFailed,),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v3/files",
        files.upload,
        "Files",
        schemas.File,
        request=UPLOAD_FORM,
        errors=(
            errors.ValidationFailed,
            errors.UnsupportedMedia,
            errors.UnsupportedContentType,
            errors.PayloadTooLarge,
            errors.QuotaExceeded,
            errors.StorageFailed,
            *_ONCE,
        ),
    ),
    Route(
        "GET",
        "/v3/files",
        files.list_files,
        "Files",
        schemas.FileList,
        query=_FILE_PAGE,
        errors=(errors.ValidationFailed,),
    ),
    Route("GET", "/v3/files/{file_id:str}", files.get_file, "Files", schemas.File, errors=(errors.NotFound,)),
    Route(
        "GET",
        "/v3/files/{file_id:str}/content",
        files.get_content,
        "Files",
        schemas.FileLink,
        errors=(errors.NotFound,),
    ),
    Route("DELETE", "/v3/files/{file_id:str}", files.delete_file, "Files", status=204, errors=(errors.NotFound,)),
    Route(
        "POST",
        "/v3/images",
        images.create,
        "Images",
        schemas.ImageReply,
        request=schemas.ImageRequest,
        errors=(*_MAKE, errors.TooManyRequests),
        also={202: schemas.Accepted},
        example={
            "model": "openai/gpt-image-1",
            "prompt": "a wide-angle photo of a hot air balloon over green hills at dawn",
            "size": "1024x1024",
        },
    ),
    _models("/v3/images/models", "image"),
    Route(
        "POST",
        "/v3/videos",
        videos.create,
        "Videos",
        schemas.Accepted,
        status=202,
        request=schemas.VideoRequest,
        errors=(*_MAKE, errors.TooManyRequests),
        example={
            "model": "openai/sora-2",
            "prompt": "a hot air balloon drifting over green hills at dawn",
            "parameters": {"seconds": "4", "size": "1280x720"},
        },
    ),
    _models("/v3/videos/models", "video"),
    Route(
        "GET",
        "/v3/artifacts",
        videos.list_artifacts,
        "Videos",
        schemas.ArtifactList,
        query=_ARTIFACT_PAGE,
        errors=(errors.ValidationFailed,),
        own=True,
    ),
    Route(
        "GET",
        "/v3/artifacts/{artifact_id:str}/status",
        videos.status,
        "Videos",
        schemas.ArtifactStatus,
        errors=(errors.NotFound,),
    ),
    Route(
        "POST",
        "/v3/artifacts/{artifact_id:str}/cancel",
        videos.cancel,
        "Videos",
        schemas.ArtifactStatus,
        errors=(errors.NotFound,),
        own=True,
    ),
    Route(
        "POST",
        "/v3/audio/speech",
        audio.speak,
        "Audio",
        schemas.SpeechReply,
        request=schemas.SpeechRequest,
        errors=_MAKE,
        example={"model": "openai/tts-1", "input": "Hello from Opper.", "voice": "alloy"},
    ),
    Route(
        "POST",
        "/v3/audio/transcriptions",
        audio.transcribe,
        "Audio",
        schemas.TranscriptionReply,
        request=schemas.TranscriptionRequest,
        errors=(*_MAKE, errors.NotSupported),
        example={"model": "openai/whisper-1", "audio": "file_9f86d081884c7d659a2feaa0c55ad015"},
    ),
    _models("/v3/audio/models", "tts", "stt"),
    _models("/v3/models", "image", "video", "tts", "stt"),
    Route("GET", "/health", system.health, "System", schemas.Health, key="none"),
    Route(
        "GET",
        "/ready",
        system.ready,
        "System",
        schemas.Ready,
        key="none",
        own=True,
        errors=(errors.Unavailable, errors.StorageFailed),
    ),
    Route(
        "GET",
        "/metrics",
        system.metrics,
        "System",
        "text/plain",
        key="elsewhere",
        own=True,
    ),
    Route("GET", "/v3/openapi.json", system.openapi_json, "System", "application/json", key="none"),
    Route("GET", "/v3/openapi.yaml", system.openapi_yaml, "System", "application/yaml", key="none"),
    Route("GET", "/docs", system.docs, "System", "text/html", key="none", own=True),
    Route(
        "GET",
        "/docs/{asset:str}",
        system.docs_asset,
        "System",
        "application/octet-stream",
        key="none",
        own=True,
        errors=(errors.NotFound,),
    ),
    Route(
        "GET",
        "/_opperlite/files/{file_id:str}",
        files.download,
        "Files",
        "application/octet-stream",
        key="none",
        query=_LINK,
        errors=(errors.LinkInvalid, errors.NotFound, errors.RangeNotSatisfiable),
        own=True,
        head=True,
    ),
)


def methods_of(path: str) -> list[str]:
    """The methods that a path takes, for the Allow header."""
    taken = {"OPTIONS"}
    for route in ROUTES:
        if re.fullmatch(re.sub(r"{\w+:str}", "[^/]+", route.path), path.rstrip("/") or "/"):
            taken |= {route.method, "HEAD"} if route.head else {route.method}
    return sorted(taken)
