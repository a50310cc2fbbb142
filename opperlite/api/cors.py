"""Cross-origin requests: which pages of other origins may read the replies (fetch.spec.whatwg.org, CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from opperlite.api.asgi import Message, Scope, Send, header_of, method_of
from opperlite.api.replies import Reply, error_reply
from opperlite.domain.errors import Forbidden

_EXPOSED = (
    "X-Request-Id",
    "Retry-After",
    "X-Should-Retry",
    "X-Opperlite-Engine",
    "X-Opperlite-Recognizer",
    "OpenAI-Poll-After-Ms",
    "Idempotency-Replayed",
    "ETag",
    "Content-Range",
    "Content-Disposition",
)
_METHODS = "DELETE, GET, HEAD, OPTIONS, POST"
_MAX_AGE = "600"  # seconds for which a browser need not ask again


class Cors:
    """Answers for the allowed origins; `*` stands for any part of one."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._everybody = "*" in origins
        self._allowed = re.compile("|".join(re.escape(origin).replace(r"\*", ".*") for origin in origins))

    def preflight(self, scope: Scope) -> Reply | None:
        """The reply to a browser that asks before a request, to be sent as `opened`; None for any other request."""
        origin = header_of(scope, b"origin")
        if origin is None or method_of(scope) != "OPTIONS" or not header_of(scope, b"access-control-request-method"):
            return None
        if not self._allows(origin):
            return error_reply(Forbidden("This Origin may not read the replies; allow it with --cors-origin"))
        wanted = header_of(scope, b"access-control-request-headers") or ""
        headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": _MAX_AGE}
        if wanted:
            headers["Access-Control-Allow-Headers"] = wanted
        return Reply(204, headers=headers)

    def opened(self, scope: Scope, send: Send) -> Send:
        """`send`, which tells the browser that the page may read the reply.

        And tells caches of every reply that it depends on the Origin, also where none was sent or it was not allowed:
        otherwise a browser that has shown a picture gives a script the same reply, without the permission to read it.
        """
        origin = header_of(scope, b"origin")
        headers = {} if self._everybody else {"Vary": "Origin"}
        if origin is not None and self._allows(origin):
            headers["Access-Control-Allow-Origin"] = "*" if self._everybody else origin
            headers["Access-Control-Expose-Headers"] = ", ".join(_EXPOSED)
        added = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

        async def opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        return opened

    def _allows(self, origin: str) -> bool:
        return self._everybody or self._allowed.fullmatch(origin) is not None
