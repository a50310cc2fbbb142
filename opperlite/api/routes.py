"""The route table: every path with its handler, its key, its structs and its errors; OpenAPI is made of it."""

from __future__ import annotations

import re
from typing import Any

from opperlite.api import audio, files, functions, images, models, schemas, system, videos
from opperlite.api.openai.table import OPENAI_ROUTES
from opperlite.api.routing import MAKE, ONCE, Query, Route, number, word
from opperlite.domain import errors

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


_OFFSET = number("offset", "How many to skip.", 0, 0)
_FILE_PAGE = (number("limit", "How many at most.", 1, files.DEFAULT_LIMIT, files.MAX_LIMIT), _OFFSET)
_MODEL_FILTERS = (
    word("type", "Only models of this type; an unknown one gives an empty list."),
    word("provider", "Only models of this provider."),
    word("q", "Only models whose names or descriptions have these words."),
    word("capability", "Only models with all of these capabilities, joined by comma."),
    word("deprecated", '"true" lists retired models too.'),
    word("sort", "Sort key.", ("id", "type", "provider")),
    word("order", "Sort order.", ("asc", "desc")),
    number("limit", "How many at most.", 1, models.DEFAULT_LIMIT, models.MAX_LIMIT),
    _OFFSET,
)
_ARTIFACT_PAGE = (
    Query("status", {"type": "string", "enum": ["processing", "completed", "failed"]}, "Only jobs that stand so."),
    Query("type", {"type": "string", "enum": ["image", "video"]}, "Only jobs that make this."),
    Query("before", {"type": "string"}, "Only jobs older than the one with this id."),
    number("limit", "How many at most.", 1, videos.DEFAULT_LIMIT, videos.MAX_LIMIT),
)
_LINK = (
    Query("exp", {"type": "integer"}, "When the link ends, in Unix seconds."),
    Query("sig", {"type": "string"}, "The signature over file, end and disposition."),
    word("disposition", "How a browser should treat the bytes.", ("inline", "attachment")),
)


_CALL = {
    "input": {"text": "Hello from Opper."},
    "output_schema": {"type": "object", "properties": {"audio": {"type": "string"}}},
}


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
            *ONCE,
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
        errors=(*MAKE, errors.TooManyRequests),
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
        errors=(*MAKE, errors.TooManyRequests),
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
        errors=MAKE,
        example={"model": "openai/tts-1", "input": "Hello from Opper.", "voice": "alloy"},
    ),
    Route(
        "POST",
        "/v3/audio/transcriptions",
        audio.transcribe,
        "Audio",
        schemas.TranscriptionReply,
        request=schemas.TranscriptionRequest,
        streams=True,
        errors=(*MAKE, errors.NotSupported),
        example={"model": "openai/whisper-1", "audio": "file_9f86d081884c7d659a2feaa0c55ad015"},
    ),
    _models("/v3/audio/models", "tts", "stt"),
    _models("/v3/models", "image", "video", "tts", "stt"),
    Route(
        "POST",
        "/v3/functions/{name:str}/call",
        functions.run,
        "Functions",
        schemas.FunctionReply,
        request=schemas.FunctionCall,
        errors=(*MAKE, errors.NotSupported, errors.TooManyRequests),
        also={202: schemas.FunctionReply},
        example=_CALL,
    ),
    Route(
        "POST",
        "/v3/functions/{name:str}/stream",
        functions.stream,
        "Functions",
        "text/event-stream",
        request=schemas.FunctionCall,
        errors=(*MAKE, errors.NotSupported, errors.TooManyRequests),
        example=_CALL,
    ),
    Route(
        "POST",
        "/v3/call",
        functions.run_named,
        "Functions",
        schemas.FunctionReply,
        request=schemas.NamedCall,
        errors=(*MAKE, errors.NotSupported, errors.TooManyRequests),
        also={202: schemas.FunctionReply},
        example={"name": "draw", "model": "openai/gpt-image-2", "input": "a lighthouse at dawn"},
    ),
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
        "text/css, text/javascript, image/png",
        key="none",
        own=True,
        errors=(errors.NotFound,),
    ),
    Route(
        "GET",
        "/_opperlite/files/{file_id:str}",
        files.download,
        "Files",
        "*/*",
        key="none",
        query=_LINK,
        errors=(errors.LinkInvalid, errors.NotFound, errors.RangeNotSatisfiable, errors.StorageFailed),
        own=True,
        head=True,
    ),
    *OPENAI_ROUTES,
)


def methods_of(path: str) -> list[str]:
    """The methods that a path takes, for the Allow header; OPTIONS alone for an unknown one."""
    path = path.rstrip("/") or "/"
    taken = {"OPTIONS"}
    for route in ROUTES:
        if re.fullmatch(re.sub(r"{\w+:path}", ".+", re.sub(r"{\w+:str}", "[^/]+", route.path)), path):
            taken.update(route.methods)
    return sorted(taken)
