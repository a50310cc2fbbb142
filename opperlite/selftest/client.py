"""A client of the server under test, which remembers what it asked and tells clearly what went wrong."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import httpx
from msgspec import Struct

from opperlite.api.routes import ROUTES

_POLL = 0.05


class Trouble(Exception):
    """Something does not work; `code` is that of the server's error, where there was one."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


class Asked(Struct, frozen=True):
    """One request: its route in the route table, such as `GET /v3/files/{file_id}`, and what came of it."""

    route: str
    path: str
    status: int
    seconds: float


class Client:
    """Asks one server, as one key, and expects a status of each reply."""

    def __init__(self, http: httpx.AsyncClient, base: str, key: str) -> None:
        self._http = http
        self.base = base
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.asked: list[Asked] = []

    def forked(self) -> Client:
        """The same client with a memory of its own."""
        other = Client(self._http, self.base, "")
        other._headers = self._headers
        return other

    def of_key(self, key: str) -> Client:
        """The same with another key; an empty one is none. Both remember together."""
        other = Client(self._http, self.base, key)
        other.asked = self.asked
        return other

    async def ask(self, method: str, path: str, *, status: int = 200, **options: Any) -> httpx.Response:
        """Ask for a path of the server or a whole URL of it; raises Trouble when the reply has another status."""
        path = path.removeprefix(self.base)
        began = time.perf_counter()
        headers = {**self._headers, **options.pop("headers", {})}
        try:
            reply = await self._http.request(method, self.base + path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise Trouble(f"{method} {path} was not answered: {error or type(error).__name__}") from error
        route = route_of("GET" if method == "HEAD" else method, path)
        self.asked.append(Asked(route, path, reply.status_code, time.perf_counter() - began))
        if reply.status_code != status:
            raise _unexpected(route, reply, status)
        return reply

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of the reply."""
        return (await self.ask("POST", path, json=body, **options)).json()

    async def upload(self, content: bytes, filename: str, path: str = "/v3/files", **fields: str) -> httpx.Response:
        return await self.ask("POST", path, files={"file": (filename, content)}, data=fields)

    async def ended(self, job_id: str) -> Mapping[str, Any]:
        """The status of a job when it has ended; raises Trouble when it failed by itself."""
        while True:
            status: Mapping[str, Any] = (await self.get(f"/v3/artifacts/{job_id}/status")).json()
            if status["status"] != "processing":
                break
            await asyncio.sleep(_POLL)
        if status["status"] == "failed" and not status.get("cancelled"):
            raise Trouble(f"the job failed: {status['error']}", "generation_failed")
        return status


def expect(holds: bool, reason: str) -> None:
    """Raises Trouble with the reason when something that should hold does not."""
    if not holds:
        raise Trouble(reason)


def every_route() -> list[str]:
    """The routes of the route table, as `Asked.route` names them."""
    return [_named(route.method, route.path) for route in ROUTES]


def route_of(method: str, path: str) -> str:
    """The route that answers a path, the one with the fewest variable parts first."""
    plain = path.partition("?")[0]
    for route in sorted(ROUTES, key=lambda route: route.path.count("{")):
        pattern = re.sub(r"{\w+:path}", ".+", re.sub(r"{\w+:str}", "[^/]+", route.path))
        if route.method == method and re.fullmatch(pattern, plain):
            return _named(route.method, route.path)
    return f"{method} {plain}"


def _named(method: str, path: str) -> str:
    plain = re.sub(r"{(\w+):\w+}", r"{\1}", path)
    return f"{method} {plain}"


def _unexpected(route: str, reply: httpx.Response, status: int) -> Trouble:
    told: Any = {}
    if reply.headers.get("content-type", "").startswith("application/json"):
        told = reply.json().get("error") or {}
    message = told.get("message") or reply.text[:200] or "nothing"
    return Trouble(f"{route} answered {reply.status_code} where {status} was due: {message}", told.get("code"))
