"""The routes of `/v1`: their paths, structs and errors, as part of the route table."""

from __future__ import annotations

from typing import Any

from opperlite.api.openai import audio, files, images, models, schemas, videos
from opperlite.api.routing import BODY, MAKE, ONCE, Query, Route, number, word
from opperlite.domain import errors

_TAG = "OpenAI-compatible"
_BYTES = {"type": "string", "contentMediaType": "application/octet-stream"}
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


def _form(required: tuple[str, ...], **members: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": members}


UPLOAD_FORM = _form(
    ("file", "purpose"),
    file=_BYTES,
    purpose={"type": "string", "maxLength": 256, "description": "What the file is for, in free text."},
    **{
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": files.EXPIRY[0], "maximum": files.EXPIRY[1]},
    },
)
_TRANSLATION = {
    "file": _BYTES,
    "model": _TEXT,
    "prompt": _TEXT,
    "response_format": {"type": "string", "enum": ["json", "text", "srt", "verbose_json", "vtt"]},
    "temperature": {"type": "number"},
}
_TRANSCRIPTION = {
    **_TRANSLATION,
    "response_format": {"type": "string", "enum": ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]},
    "language": _TEXT,
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["word", "segment"]}},
    "chunking_strategy": _TEXT,
    "include[]": _TEXTS,
    "known_speaker_names[]": _TEXTS,
    "known_speaker_references[]": _TEXTS,
    "stream": {"type": "boolean"},
}
_CURSOR = (
    Query("after", {"type": "string"}, "Only what comes behind the one with this id."),
    word("order", "By the time of making.", ("desc", "asc")),
)
_MAKE = (*MAKE, errors.NotSupported)
_FOUND = (errors.NotFound,)

OPENAI_ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/files",
        files.upload,
        _TAG,
        schemas.FileObject,
        request=UPLOAD_FORM,
        errors=(*BODY, *ONCE, errors.QuotaExceeded, errors.StorageFailed),
    ),
    Route(
        "GET",
        "/v1/files",
        files.list_files,
        _TAG,
        schemas.FileObjectList,
        query=(
            Query("purpose", {"type": "string"}, "Only files with exactly this purpose."),
            number("limit", "How many at most.", 1, files.DEFAULT_LIMIT, files.MAX_LIMIT),
            number("offset", "How many to skip.", 0, 0),
            *_CURSOR,
        ),
        errors=(errors.ValidationFailed,),
    ),
    Route("GET", "/v1/files/{file_id:str}", files.get_file, _TAG, schemas.FileObject, errors=_FOUND),
    Route("DELETE", "/v1/files/{file_id:str}", files.delete_file, _TAG, schemas.FileDeleted, errors=_FOUND),
    Route(
        "GET",
        "/v1/files/{file_id:str}/content",
        files.get_content,
        _TAG,
        "*/*",
        errors=(errors.NotFound, errors.RangeNotSatisfiable),
        head=True,
    ),
    Route(
        "POST",
        "/v1/images/generations",
        images.generate,
        _TAG,
        schemas.ImagesResponse,
        request=schemas.GenerateImages,
        streams=True,
        errors=_MAKE,
        example={"model": "gpt-image-2", "prompt": "a lighthouse at dawn", "size": "1024x1024"},
    ),
    Route(
        "POST",
        "/v1/images/edits",
        images.edit,
        _TAG,
        schemas.ImagesResponse,
        request=schemas.EditImages,
        streams=True,
        errors=_MAKE,
        example={"model": "gpt-image-2", "prompt": "in winter", "images": [{"image_url": "https://example.com/a.png"}]},
    ),
    Route("POST", "/v1/images/variations", images.vary, _TAG, "application/json", errors=(errors.NotSupported,)),
    Route(
        "POST",
        "/v1/audio/speech",
        audio.speak,
        _TAG,
        "audio/mpeg, audio/wav, audio/opus, audio/aac, audio/flac, audio/pcm",
        request=schemas.CreateSpeech,
        streams=True,
        errors=_MAKE,
        example={"model": "tts-1", "input": "Hello from opperlite.", "voice": "alloy"},
    ),
    Route(
        "POST",
        "/v1/audio/transcriptions",
        audio.transcribe,
        _TAG,
        "application/json, text/plain",
        request=_form(("file", "model"), **_TRANSCRIPTION),
        streams=True,
        errors=_MAKE,
    ),
    Route(
        "POST",
        "/v1/audio/translations",
        audio.translate,
        _TAG,
        "application/json, text/plain",
        request=_form(("file", "model"), **_TRANSLATION),
        errors=_MAKE,
    ),
    Route(
        "POST",
        "/v1/videos",
        videos.create,
        _TAG,
        schemas.Video,
        request=schemas.CreateVideo,
        errors=(*_MAKE, errors.TooManyRequests),
        example={"model": "sora-2", "prompt": "a kite over dunes", "seconds": "4", "size": "1280x720"},
    ),
    Route(
        "GET",
        "/v1/videos",
        videos.list_videos,
        _TAG,
        schemas.VideoList,
        query=(number("limit", "How many at most.", 1, videos.DEFAULT_LIMIT, videos.MAX_LIMIT), *_CURSOR),
        errors=(errors.ValidationFailed,),
    ),
    Route(
        "POST",
        "/v1/videos/edits",
        videos.edit,
        _TAG,
        schemas.Video,
        request=schemas.EditVideo,
        errors=(*_MAKE, errors.NotFound, errors.TooManyRequests),
    ),
    Route(
        "POST",
        "/v1/videos/extensions",
        videos.extend,
        _TAG,
        schemas.Video,
        request=schemas.ExtendVideo,
        errors=(*_MAKE, errors.NotFound, errors.TooManyRequests),
    ),
    Route(
        "POST", "/v1/videos/characters", videos.no_characters, _TAG, "application/json", errors=(errors.NotSupported,)
    ),
    Route(
        "GET",
        "/v1/videos/characters/{character_id:str}",
        videos.no_characters,
        _TAG,
        "application/json",
        errors=(errors.NotSupported,),
    ),
    Route("GET", "/v1/videos/{video_id:str}", videos.get_video, _TAG, schemas.Video, errors=_FOUND),
    Route("DELETE", "/v1/videos/{video_id:str}", videos.delete_video, _TAG, schemas.VideoDeleted, errors=_FOUND),
    Route(
        "GET",
        "/v1/videos/{video_id:str}/content",
        videos.get_content,
        _TAG,
        "*/*",
        query=(word("variant", "What of it.", tuple(videos.VARIANTS)),),
        errors=(errors.NotFound, errors.ValidationFailed, errors.RangeNotSatisfiable, errors.NotSupported),
    ),
    Route(
        "POST",
        "/v1/videos/{video_id:str}/remix",
        videos.remix,
        _TAG,
        schemas.Video,
        request=schemas.RemixVideo,
        errors=(*_MAKE, errors.NotFound, errors.TooManyRequests),
    ),
    Route("GET", "/v1/models", models.list_models, _TAG, schemas.ModelObjectList),
    Route(
        "GET",
        "/v1/models/{model:path}",
        models.get_model,
        _TAG,
        schemas.ModelObject,
        errors=(errors.ModelNotFound,),
    ),
)
