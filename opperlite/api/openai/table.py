"""The routes of `/v1`."""

from __future__ import annotations

from opperlite.api.routing import Route

OPENAI_ROUTES: tuple[Route, ...] = ()
