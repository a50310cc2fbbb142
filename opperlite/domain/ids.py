"""Identifiers: a prefix that tells the kind, then a version 4 UUID in hex.

The same 128 bits are a UUID where an API writes ids so: `file_9f86d081884c4d659a2feaa0c55ad015` is the file
`9f86d081-884c-4d65-9a2f-eaa0c55ad015`, and nothing has to remember it.
"""

from __future__ import annotations

import re
from uuid import UUID, uuid4

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id(prefix: str) -> str:
    """For example `file_9f86d081884c4d659a2feaa0c55ad015`."""
    return f"{prefix}_{uuid4().hex}"


def uuid_of(id: str) -> str:
    """The UUID of an id, with its hyphens."""
    return str(UUID(hex=id.partition("_")[2]))


def id_of(prefix: str, uuid: str) -> str | None:
    """The id that a UUID stands for, or None where the text is no UUID."""
    return f"{prefix}_{uuid.replace('-', '')}" if _UUID.fullmatch(uuid) else None
