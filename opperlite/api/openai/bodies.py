"""Requests of `/v1`: the same members whether they come as JSON or as a form, and the media that comes with them."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from opperlite.api.calls import Call, check_bounds, validation
from opperlite.api.uploads import Form
from opperlite.domain.errors import InvalidJSON, UnsupportedContentType, ValidationFailed
from opperlite.domain.ids import id_of
from opperlite.domain.sources import parse
from opperlite.domain.types import Source

S = TypeVar("S", bound=Struct)

_LONGEST_FIELD = 4 << 20  # samples of known speakers come as data-URIs
_MOST_PARTS = 64
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_FORM = "multipart/form-data"
_JSON = "application/json"


class Body:
    """One request body. `names` are the fields that may be files; without any, only JSON is taken."""

    def __init__(self, call: Call, stack: AsyncExitStack, names: tuple[str, ...] = (), *, json: bool = True) -> None:
        self._call = call
        self._stack = stack
        self._json = json
        self._form: Form | None = None
        self.members: dict[str, Any] = {}
        self.files: dict[str, list[Source]] = {}
        kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if names and (kind == _FORM or not json):
            both = tuple(name + brackets for name in names for brackets in ("", "[]"))
            self._form = Form(
                call.request,
                call.services.files,
                call.project,
                both,
                longest_field=_LONGEST_FIELD,
                most_parts=_MOST_PARTS,
            )
        elif names and kind != _JSON:
            raise UnsupportedContentType(
                f"This route takes {_FORM} or {_JSON}, not {kind[:80] or 'a body without a Content-Type'}",
                field="Content-Type",
                allowed=[_FORM, _JSON],
            )

    async def read(self, kind: type[S]) -> S:
        """The members as a wire struct; raises what a body may break."""
        if self._form is None:
            members = _decoded(await self._call.body())
        else:
            await self._form.read(self._stack)
            members = nested(self._form.fields)
            for part in self._form.files:
                name = part.name.removesuffix("[]")
                if not part.incoming.bytes:
                    raise ValidationFailed(f"The file {name} is empty", field=name)
                self.files.setdefault(name, []).append(Source("blob", await part.incoming.lend(), name))
        self.members = {name: value for name, value in members.items() if value is not None}
        for name, value in self.members.items():
            check_bounds(value, name)
        try:
            return msgspec.convert(self.members, kind, strict=self._form is None)
        except msgspec.ValidationError as error:
            raise validation(error, kind) from None

    async def fingerprint(self) -> bytes:
        """What makes two requests the same."""
        if self._form is None:
            return await self._call.body_fingerprint()
        await self._form.read(self._stack)
        return await self._call.path_fingerprint() + await self._form.fingerprint()

    def rest(self, kind: type[Struct]) -> dict[str, Any]:
        """The members that the wire struct does not know; the model's own rules judge them."""
        return {name: value for name, value in self.members.items() if name not in kind.__struct_fields__}


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        members = msgspec.json.decode(body)
    except msgspec.ValidationError as error:  # good JSON with a number beyond all that numbers can be
        raise ValidationFailed(str(error).partition(" - at ")[0], field="body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJSON(f"The request body is not valid JSON: {error}", field="body") from None
    if not isinstance(members, dict):
        raise ValidationFailed("The request body must be a JSON object", field="body")
    return members


def nested(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """Form fields as members: `a[b]` is a member of an object, `a[]` and a repeated `a` are a list's."""
    members: dict[str, Any] = {}
    for name, value in fields:
        top, keys = name.partition("[")[0], _BRACKETS.findall(name)
        if not keys:
            members[top] = value
        elif keys[0] == "":
            members[top] = [*_known(members.get(top), list), value]
        else:
            place, path = members, [top, *keys]
            for key in path[:-1]:
                place = place.setdefault(key, {}) if isinstance(place.get(key, {}), dict) else {}
            place[path[-1]] = value
    return members


def _known(value: Any, kind: type[Any]) -> Any:
    return value if isinstance(value, kind) else kind()


def reference(value: Any, field: str) -> Source:
    """A media source as these APIs write it: a URL or data-URI, a file's id, or an object with one of the two.

    Raises ValidationFailed.
    """
    if isinstance(value, dict):
        given = [name for name in ("file_id", "image_url", "url") if isinstance(value.get(name), str)]
        if len(given) != 1:
            raise ValidationFailed(
                f"{field} must have one of file_id and image_url", field=field, allowed=["file_id", "image_url"]
            )
        return reference(value[given[0]], f"{field}.{given[0]}")
    if not isinstance(value, str):
        raise ValidationFailed(f"{field} must be a file, an object with file_id or image_url, or a URL", field=field)
    return parse(id_of("file", value) or value, field)
