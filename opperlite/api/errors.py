"""From an error to its HTTP status and body, in one table."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from opperlite.domain import errors

STATUS: dict[type[errors.OpperliteError], int] = {
    errors.BadRequest: 400,
    errors.InvalidJSON: 400,
    errors.ValidationFailed: 400,
    errors.UnsupportedMedia: 400,
    errors.ModelNotFound: 400,
    errors.ProviderRefused: 400,
    errors.FileNotFound: 400,
    errors.SourceUnusable: 400,
    errors.NotSupported: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.LinkInvalid: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.ClientTooSlow: 408,
    errors.IdempotencyInProgress: 409,
    errors.Cancelled: 409,
    errors.PayloadTooLarge: 413,
    errors.QuotaExceeded: 413,
    errors.UnsupportedContentType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.IdempotencyMismatch: 422,
    errors.TooManyRequests: 429,
    errors.InternalError: 500,
    errors.ProviderFailed: 502,
    errors.Unavailable: 503,
    errors.StorageFailed: 507,
}
RETRY_AFTER: dict[type[errors.OpperliteError], int] = {
    errors.TooManyRequests: 5,
    errors.IdempotencyInProgress: 1,
    errors.Unavailable: 1,
}


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """What went wrong: a stable code, a message for people, and what a program may want to know."""

    code: str
    message: str
    details: dict[str, Any] | None = None


class ErrorEnvelope(Struct, frozen=True):
    """The body of every error reply."""

    error: ErrorBody


def status_of(error: errors.OpperliteError) -> int:
    """The HTTP status of an error; 500 for one that is not declared."""
    return STATUS.get(type(error), 500)


def body_of(error: errors.OpperliteError) -> bytes:
    """The error envelope as JSON."""
    details = {name: value for name, value in error.details.items() if name != "trace"}
    return msgspec.json.encode(ErrorEnvelope(ErrorBody(error.code, error.message, details or None)), enc_hook=str)


def headers_of(error: errors.OpperliteError) -> dict[str, str]:
    """The headers that go with an error."""
    headers = {}
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.ClientTooSlow):
        headers["Connection"] = "close"  # it sends nothing any more, and what it owes is no request
    if type(error) in RETRY_AFTER:
        headers["Retry-After"] = str(RETRY_AFTER[type(error)])
    return headers
