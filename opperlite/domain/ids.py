"""Identifiers: a prefix that tells the kind, then a version 4 UUID in hex.

The same 128 bits are a UUID where an API writes ids so: `file_9f86d081884c4d659a2feaa0c55ad015` is the file
`9f86d081-884c-4d65-9a2f-eaa0c55ad015`, and nothing has to remember it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID, uuid4

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_seed: ContextVar[bytes | None] = ContextVar("seed", default=None)


def new_id(prefix: str, part: str = "") -> str:
    """For example `file_9f86d081884c4d659a2feaa0c55ad015`.

    `part` tells apart what one request makes several of, where its ids are to be the same at every attempt.
    """
    seed = _seed.get()
    if seed is None:
        return f"{prefix}_{uuid4().hex}"
    made = hashlib.sha256(seed + repr((prefix, part)).encode()).digest()[:16]
    return f"{prefix}_{UUID(bytes=made, version=4).hex}"


@contextmanager
def repeatable(seed: bytes) -> Iterator[None]:
    """Let new ids derive from a secret seed while in the context, so that a second attempt makes the same ones."""
    before = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(before)


def uuid_of(id: str) -> str:
    """The UUID of an id, with its hyphens."""
    return str(UUID(hex=id.partition("_")[2]))


def id_of(prefix: str, uuid: str) -> str | None:
    """The id that a UUID stands for, or None where the text is no UUID."""
    return f"{prefix}_{uuid.replace('-', '')}" if _UUID.fullmatch(uuid) else None
