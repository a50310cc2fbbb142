"""Errors as OpenAI's clients read them: the same errors, in the four-member envelope (contract, decision 40)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from opperlite.api.errors import STATUS
from opperlite.domain import errors

Kind = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "api_error",
    "overloaded_error",
]

# What differs from `invalid_request_error`, from our own code and from the status of the common table.
KINDS: dict[type[errors.OpperliteError], Kind] = {
    errors.Unauthorized: "authentication_error",
    errors.Forbidden: "permission_error",
    errors.NotFound: "not_found_error",
    errors.TooManyRequests: "rate_limit_error",
    errors.InternalError: "api_error",
    errors.ProviderFailed: "api_error",
    errors.StorageFailed: "api_error",
    errors.Unavailable: "overloaded_error",
}
CODES: dict[type[errors.OpperliteError], str] = {
    errors.Unauthorized: "invalid_api_key",
    errors.TooManyRequests: "rate_limit_exceeded",
}
STATUSES: dict[type[errors.OpperliteError], int] = {errors.ModelNotFound: 404}
# Answers that a second try would only repeat, though their status (408, 409, 429, 5xx) makes the clients try again.
FINAL = (errors.ProviderFailed, errors.StorageFailed, errors.Cancelled)
PREFIX = "/v1"


class OpenAIError(Struct, frozen=True):
    """What went wrong: a message for people, the kind, the parameter that is wrong, and a stable code."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIErrorEnvelope(Struct, frozen=True):
    """The body of every error reply under `/v1`."""

    error: OpenAIError


def speaks_openai(path: str) -> bool:
    """Whether what is answered at a path has this envelope."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def status_of(error: errors.OpperliteError) -> int:
    """The HTTP status of an error; a provider's refusal has the provider's own."""
    if isinstance(error, errors.ProviderRefused):
        status = _answer(error).get("status")
        return status if isinstance(status, int) and 400 <= status < 500 else 400
    return STATUSES.get(type(error), STATUS.get(type(error), 500))


def problem_of(error: errors.OpperliteError) -> OpenAIError:
    """An error in words; OpenAI's own where the model is one of theirs."""
    if isinstance(error, errors.ProviderRefused):
        told = _told(error)
        if told is not None:
            return told
    field = error.details.get("field")
    param = field.removeprefix("parameters.") if isinstance(field, str) and field != "body" else None
    kind = KINDS.get(type(error), "invalid_request_error")
    return OpenAIError(error.message, kind, param, CODES.get(type(error), error.code))


def body_of(error: errors.OpperliteError) -> bytes:
    """The error envelope as JSON."""
    return msgspec.json.encode(OpenAIErrorEnvelope(problem_of(error)))


def headers_of(error: errors.OpperliteError) -> dict[str, str]:
    """What tells the clients not to try again."""
    return {"X-Should-Retry": "false"} if isinstance(error, FINAL) else {}


def _answer(error: errors.ProviderRefused) -> dict[str, Any]:
    answer = error.details.get("provider")
    return answer if isinstance(answer, dict) else {}


def _told(error: errors.ProviderRefused) -> OpenAIError | None:
    """The provider's refusal where it has this very form."""
    body = _answer(error).get("body")
    try:
        return msgspec.convert(body, OpenAIErrorEnvelope, strict=True).error
    except msgspec.ValidationError:
        return None
