"""Telling a MIME type by the first bytes, with the filetype library."""

from __future__ import annotations

import filetype

# The library's older names and the ones in use.
_NAMES = {
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "video/x-m4v": "video/mp4",
    "video/x-msvideo": "video/avi",
}


def sniff(head: bytes) -> str | None:
    """The MIME type of a file that begins so (8,192 bytes are enough), or None."""
    kind = filetype.guess(head)
    return None if kind is None else _NAMES.get(kind.mime, str(kind.mime))
