"""Every error the program can answer: a stable code, and the docstring as its message.

The API gives each class its HTTP status in one table (`opperlite.api.errors`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class OpperliteError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or _first_line(type(self))
        self.details: dict[str, Any] = {name: value for name, value in details.items() if value is not None}
        super().__init__(self.message)


def _first_line(error: type[BaseException]) -> str:
    return (error.__doc__ or error.__name__).strip().splitlines()[0]


class InternalError(OpperliteError):
    """The server failed while it answered this request; the request id names the log entry."""

    code = "internal_error"


class BadRequest(OpperliteError):
    """What came is not a valid HTTP request."""

    code = "bad_request"


class Unauthorized(OpperliteError):
    """Missing or invalid API key: send `Authorization: Bearer <key>`."""

    code = "unauthorized"


class Forbidden(OpperliteError):
    """This address or key may not do that."""

    code = "forbidden"


class NotFound(OpperliteError):
    """There is nothing here by that name."""

    code = "not_found"


class MethodNotAllowed(OpperliteError):
    """This path does not take that method."""

    code = "method_not_allowed"


class InvalidJSON(OpperliteError):
    """The request body is not valid JSON."""

    code = "invalid_json"


class ClientTooSlow(OpperliteError):
    """The request's body stopped coming; send it again on a faster connection."""

    code = "request_timeout"


class ValidationFailed(OpperliteError):
    """A field of the request is missing or outside what is allowed; `details.field` names it."""

    code = "validation_error"

    def __init__(
        self, message: str | None = None, *, field: str | None = None, allowed: Any = None, **details: Any
    ) -> None:
        super().__init__(message, field=field, allowed=allowed, **details)


class UnsupportedContentType(OpperliteError):
    """The request's Content-Type is not the one this route takes."""

    code = "unsupported_media_type"


class UnsupportedMedia(OpperliteError):
    """The bytes are of a type that is not taken here; the type is judged by the bytes, not by a header or name."""

    code = "unsupported_media_type"


class PayloadTooLarge(OpperliteError):
    """The request or one of its files is larger than allowed."""

    code = "payload_too_large"


class QuotaExceeded(OpperliteError):
    """The organisation's storage quota is full: delete files, or wait until some expire."""

    code = "quota_exceeded"


class ModelNotFound(OpperliteError):
    """No model has that name; `GET /v3/models` lists them."""

    code = "model_not_found"


class ProviderRefused(OpperliteError):
    """The model's provider refuses this request; `details.provider` carries its own answer."""

    code = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        allowed: Any = None,
        provider: Mapping[str, Any] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, field=field, allowed=allowed, provider=provider, **details)


class ProviderFailed(OpperliteError):
    """The generation failed inside the provider."""

    code = "generation_failed"


class FileNotFound(OpperliteError):
    """No file of this project has that id; it may have expired or been deleted."""

    code = "file_not_found"


class SourceUnusable(OpperliteError):
    """A media source could not be read; `details.field` names it."""

    code = "invalid_source"


class LinkInvalid(OpperliteError):
    """This download link is not valid or has expired; ask for a new one."""

    code = "invalid_link"


class RangeNotSatisfiable(OpperliteError):
    """The asked range lies outside the file."""

    code = "range_not_satisfiable"


class IdempotencyMismatch(OpperliteError):
    """This Idempotency-Key was used with a different request."""

    code = "idempotency_mismatch"


class IdempotencyInProgress(OpperliteError):
    """The first request with this Idempotency-Key is still in progress."""

    code = "idempotency_in_progress"


class TooManyRequests(OpperliteError):
    """Too much work is waiting; try again after the seconds in `Retry-After`."""

    code = "rate_limit"


class NotSupported(OpperliteError):
    """opperlite makes media; this call asks for something else."""

    code = "not_supported"


class StorageFailed(OpperliteError):
    """The data folder cannot be written: the disk is full or read-only."""

    code = "storage_error"


class Unavailable(OpperliteError):
    """The server is stopping or not ready; try again in a moment."""

    code = "unavailable"


class Cancelled(OpperliteError):
    """cancelled"""

    code = "cancelled"


def all_errors() -> Sequence[type[OpperliteError]]:
    """Every declared error class, in the order of declaration."""
    return OpperliteError.__subclasses__()
