"""Asking a server whether it can work: over plain HTTP with the standard library alone, to be quick and small."""

import http.client
import json
from urllib.parse import urlsplit


def fault_of(url: str, timeout: float) -> str | None:
    """Why the server at a URL cannot work, as the end of a sentence about it; None when it can."""
    try:
        parts = urlsplit(url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, timeout)
        if connection is None:
            return "is no http or https URL"
        try:
            connection.request("GET", f"{parts.path}/ready")
            reply = connection.getresponse()
            return None if reply.status == 200 else _told(reply.status, reply.read(10_000))
        finally:
            connection.close()
    except TimeoutError:
        return f"did not answer within {timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        return f"cannot be reached: {why or type(error).__name__}"


def _connection(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection | None:
    if not host:
        return None
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    if scheme == "https":
        import httpx  # for its roots alone: a built program does not find the system's everywhere

        return http.client.HTTPSConnection(host, port, timeout=timeout, context=httpx.create_ssl_context())
    return None


def _told(status: int, body: bytes) -> str:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = "this is no opperlite"
    return f"answers {status}: {message}"
