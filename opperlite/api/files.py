"""`/v3/files`: upload, list, metadata, link, delete; and the signed links themselves."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack

from opperlite.api.calls import Call
from opperlite.api.downloads import Download
from opperlite.api.replies import Reply, json_reply
from opperlite.api.schemas import FileLink, FileList, PageMeta, file_of
from opperlite.api.uploads import Form
from opperlite.domain.errors import ValidationFailed
from opperlite.domain.files import Stored

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")


async def upload(call: Call) -> Reply:
    """Store a file. Its type is judged by its bytes, and it expires by itself."""
    async with AsyncExitStack() as stack:
        form = Form(call.request, call.services.files, call.project, ("file",), counted=True)

        async def run() -> Reply:
            await form.read(stack)
            stored = await _finish(form)
            return json_reply(file_of(stored.file, stored.warnings, kept=stored.kept))

        async def fingerprint() -> bytes:
            await form.read(stack)
            return await form.fingerprint()

        return await call.once(fingerprint, run)


async def _finish(form: Form) -> Stored:
    part, texts = form.file, form.texts
    return await part.incoming.finish(
        texts.get("filename") or part.filename or "upload",
        texts.get("purpose") or None,
        _seconds(texts.get("ttl_seconds")),
    )


def _seconds(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    raise ValidationFailed(
        f"ttl_seconds must be an integer of at least 1, not {text[:40]!r}", field="ttl_seconds", allowed={"min": 1}
    )


async def list_files(call: Call) -> Reply:
    """The project's files, newest first."""
    limit = call.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = call.number("offset", 0, 0)
    page = await call.services.files.list(call.project, limit, offset)
    return json_reply(FileList([file_of(file) for file in page.files], PageMeta(limit, offset, page.total)))


async def get_file(call: Call) -> Reply:
    """A file's metadata."""
    return json_reply(file_of(await call.services.files.get(call.project, call.path("file_id"))))


async def get_content(call: Call) -> Reply:
    """A signed URL for the file's bytes; this route does not answer the bytes themselves."""
    file = await call.services.files.get(call.project, call.path("file_id"))
    return json_reply(FileLink(call.services.files.link(call.base, file.id), file.bytes, file.mime_type))


async def delete_file(call: Call) -> Reply:
    """Delete a file and, unless another file has the same, its bytes. Links to it stop working."""
    await call.services.files.delete(call.project, call.path("file_id"))
    return Reply(204)


async def download(call: Call) -> Download:
    """The bytes behind a signed link: whole, or one range."""
    query = call.request.scope["query_string"].decode("latin-1")
    file, disposition = await call.services.files.linked(call.path("file_id"), query)
    return Download(call.services.files, file, disposition)
