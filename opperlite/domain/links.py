"""Signed download links: who holds one may read one file until a moment, without a key."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from opperlite.domain.errors import LinkInvalid

PATH = "/_opperlite/files/"
Disposition = Literal["inline", "attachment"]
_DISPOSITIONS: dict[str, Disposition] = {"inline": "inline", "attachment": "attachment"}
_EXPIRES = re.compile(r"0|[1-9][0-9]{0,11}")
# A query as `mint` writes it; others are good too, and take longer to read.
_MINTED = re.compile(r"exp=(0|[1-9][0-9]{0,11})&sig=([A-Za-z0-9_-]{43})(?:&disposition=(inline|attachment))?")


def sign(secret: bytes, file_id: str, expires: int, disposition: Disposition = "inline") -> str:
    """HMAC-SHA256 over file, expiry and disposition, as 43 URL-safe characters."""
    message = f"{file_id}\n{expires}\n{disposition}".encode()
    return urlsafe_b64encode(hmac.digest(secret, message, sha256)).rstrip(b"=").decode()


def mint(secret: bytes, base: str, file_id: str, expires: float, disposition: Disposition = "inline") -> str:
    """An absolute URL under `base` that reads the file until `expires` (Unix seconds)."""
    until = int(expires)
    shown = "" if disposition == "inline" else f"&disposition={disposition}"
    return f"{base}{PATH}{file_id}?exp={until}&sig={sign(secret, file_id, until, disposition)}{shown}"


def verify(secret: bytes, file_id: str, query: str, now: float) -> Disposition:
    """The link's disposition; raises LinkInvalid when it was tampered with or its time is over."""
    expires, given, shown = _members(query)
    disposition = _DISPOSITIONS.get(shown)
    if disposition is None or not _EXPIRES.fullmatch(expires):
        raise LinkInvalid()
    expected = sign(secret, file_id, int(expires), disposition)
    if not hmac.compare_digest(given.encode(), expected.encode()) or now >= int(expires):
        raise LinkInvalid()
    return disposition


def _members(query: str) -> tuple[str, str, str]:
    """Expiry, signature and disposition as they stand in a query, the last of each."""
    if minted := _MINTED.fullmatch(query):
        return minted[1], minted[2], minted[3] or "inline"
    values = parse_qs(query, keep_blank_values=True)
    return values.get("exp", [""])[-1], values.get("sig", [""])[-1], values.get("disposition", ["inline"])[-1]


def own_file(secret: bytes, url: str, now: float) -> str | None:
    """The file id of a URL that this server signed and that is still good, whatever host and folder it names."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all; fetching it says so
        return None
    _, found, file_id = parts.path.rpartition(PATH)
    if not found:
        return None
    try:
        verify(secret, file_id, parts.query, now)
    except LinkInvalid:
        return None
    return file_id
