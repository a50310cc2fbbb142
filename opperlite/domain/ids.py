"""Identifiers: a prefix that tells the kind, then 128 random bits in hex."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """For example `file_9f86d081884c7d659a2feaa0c55ad015`."""
    return f"{prefix}_{secrets.token_hex(16)}"
