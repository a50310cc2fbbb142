"""What tests of `/v1` share."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx


def problem(reply: httpx.Response, status: int, kind: str, param: str | None = None) -> dict[str, Any]:
    """The error of a reply, after its status, type and parameter were checked."""
    assert reply.status_code == status, f"{reply.status_code} {reply.text[:500]}"
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == kind, error
    if param is not None:
        assert error["param"] == param, error
    return error


def events(reply: httpx.Response) -> list[dict[str, Any]]:
    """The data of server-sent events."""
    assert reply.status_code == 200, reply.text[:500]
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
