"""`/v1/files`: the project's files under UUIDs."""

from __future__ import annotations

from contextlib import AsyncExitStack

from opperlite.api.calls import Call
from opperlite.api.downloads import Download
from opperlite.api.openai.schemas import FileDeleted, FileObject, FileObjectList
from opperlite.api.replies import Reply, json_reply
from opperlite.api.uploads import Form
from opperlite.domain import types
from opperlite.domain.errors import NotFound, ValidationFailed
from opperlite.domain.files import Stored
from opperlite.domain.ids import id_of, uuid_of

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
EXPIRY = (3600, 2_592_000)  # seconds that expires_after may give: one hour to 30 days (FileCreateParams)
ORDERS = ("desc", "asc")
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"


async def upload(call: Call) -> Reply:
    """Store a file of any bytes, for a purpose in free text."""
    async with AsyncExitStack() as stack:
        form = Form(call.request, call.services.files, call.project, ("file",), counted=True)

        async def run() -> Reply:
            await form.read(stack)
            return json_reply(object_of(await _finish(form)))

        async def fingerprint() -> bytes:
            await form.read(stack)
            return await call.path_fingerprint() + await form.fingerprint()

        return await call.once(fingerprint, run)


async def _finish(form: Form) -> Stored:
    texts, part = form.texts, form.file
    purpose = texts.get("purpose", "").strip()
    if not purpose:
        raise ValidationFailed("Missing required parameter: 'purpose'", field="purpose")
    return await part.incoming.finish(part.filename or "upload", purpose, _life(texts), gated=False)


def _life(texts: dict[str, str]) -> int | None:
    """The seconds that the file may live; raises ValidationFailed."""
    anchor, seconds = texts.get(_ANCHOR), texts.get(_SECONDS)
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise ValidationFailed(f"{_ANCHOR} must be created_at", field=_ANCHOR, allowed=["created_at"])
    least, most = EXPIRY
    if seconds is None or not seconds.isascii() or not seconds.isdecimal() or not least <= int(seconds[:18]) <= most:
        raise ValidationFailed(
            f"{_SECONDS} must be an integer from {least} to {most}", field=_SECONDS, allowed={"min": least, "max": most}
        )
    return int(seconds)


async def list_files(call: Call) -> Reply:
    """The project's files, newest first unless `order` is asc."""
    limit, offset = call.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT), call.number("offset", 0, 0)
    after = call.text("after")
    try:
        page = await call.services.files.list(
            call.project,
            limit + 1,
            offset,
            purpose=call.text("purpose"),
            after=None if after is None else _id(after),
            oldest_first=call.choice("order", ORDERS) == "asc",
        )
    except NotFound:
        raise ValidationFailed(f"after names no file of this project: {after!r:.80}", field="after") from None
    data = [object_of(Stored(file)) for file in page.files[:limit]]
    return json_reply(
        FileObjectList(
            data=data,
            total=page.total,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(page.files) > limit,
        )
    )


async def get_file(call: Call) -> Reply:
    """A file's metadata."""
    return json_reply(object_of(Stored(await _file(call))))


async def get_content(call: Call) -> Download:
    """The file's bytes: whole, or one range."""
    return Download(call.services.files, await _file(call), "attachment")


async def delete_file(call: Call) -> Reply:
    """Delete a file softly: it is gone at once, and its bytes are swept within a minute."""
    await call.services.files.end(call.project, _id(call.path("file_id")))
    return json_reply(FileDeleted(call.path("file_id")))


async def _file(call: Call) -> types.File:
    return await call.services.files.get(call.project, _id(call.path("file_id")))


def _id(uuid: str) -> str:
    """Our id for a UUID; raises NotFound for what is none."""
    found = id_of("file", uuid)
    if found is None:
        raise NotFound(f"No file {uuid[:64]!r} in this project; ids here are UUIDs")
    return found


def object_of(stored: Stored) -> FileObject:
    """A file for the wire."""
    file = stored.file
    return FileObject(
        id=uuid_of(file.id),
        bytes=file.bytes,
        created_at=int(file.created_at),
        expires_at=int(file.expires_at),
        filename=file.filename,
        purpose=file.purpose,
        status="processed" if stored.kept else "error",
        status_details="; ".join(warning.message for warning in stored.warnings) or None,
    )
