"""Running the server on sockets that are already open: services, requests, banner, end."""

import asyncio
import contextlib
import gc
import math
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn

from opperlite import __version__
from opperlite.api.app import create_app
from opperlite.api.connections import limited
from opperlite.config import Settings
from opperlite.domain.services import Services
from opperlite.listening import BACKLOG, reachable, url_of
from opperlite.running import told
from opperlite.signals import Stop
from opperlite.wiring import open_services

_KEEP_ALIVE = 75  # seconds; longer than the idle time after which clients drop a pooled connection themselves


class Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to `Stop` and says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def run(settings: Settings, sockets: list[socket.socket], stop: Stop) -> None:
    """Serve on `sockets` until `stop` is asked; returns when everything in flight is finished and closed.

    Raises StorageFailed, CatalogError, ConfigError.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, sockets, stop))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The maker of the event loop that servers run on; None is asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, sockets: list[socket.socket], stop: Stop) -> None:
    async with open_services(settings) as services:
        if not stop.asked:
            await _answer(services, settings, sockets, stop)


async def _answer(services: Services, settings: Settings, sockets: list[socket.socket], stop: Stop) -> None:
    first_key = await services.projects.ensure_first_key() if settings.auth == "keys" else None
    port: int = sockets[0].getsockname()[1]
    stop.server = server_of(services, settings, lambda: _started(banner(settings, port, first_key)))
    stop.server.should_exit = stop.asked
    with told(settings.data, url_of(settings, port), reachable(settings.host), port):
        await stop.server.serve(sockets)


def server_of(services: Services, settings: Settings, ready: Callable[[], None]) -> Server:
    """The server of opened services, not yet serving; `ready` is called when it answers."""
    config = uvicorn.Config(
        create_app(services, settings),
        http=limited(settings.max_connections),
        ws="none",
        lifespan="on",
        workers=1,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_grace),
    )
    return Server(config, ready)


def _started(text: str) -> None:
    gc.freeze()  # what the start has made is never looked through again
    gc.enable()
    _show(text)


def _show(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody has to read it
        print(text, flush=True)


# ------------------------------------------------------------------------------------------------ banner


def banner(settings: Settings, port: int, first_key: str | None) -> str:
    """What a person needs to begin: where, what, which key, and one command that works as it stands."""
    url = url_of(settings, port)
    lines = [
        f"opperlite {__version__}",
        f"  URL   {url}",
        f"  Docs  {url}/docs",
        f"  Data  {settings.data}",
        f"  Key   {_which_key(settings, first_key)}",
        "",
        "Try it:",
        f"  {example(url, first_key or ('$OPPER_API_KEY' if settings.auth == 'keys' else 'demo'))}",
        "",
        "Ctrl-C stops.",
    ]
    return "\n".join(lines)


def _which_key(settings: Settings, first_key: str | None) -> str:
    if settings.auth == "open":
        return "any bearer token; each one has its files to itself"
    if first_key is not None:
        return f"{first_key}  (the first one; note it down, it is not shown again)"
    return "one that `opperlite keys create` made"


def example(url: str, key: str) -> str:
    """A curl command that makes a picture, quoted for the system's usual shell."""
    body = '{"model": "openai/gpt-image-2", "prompt": "a lighthouse at dawn", "response_format": "url"}'
    quoted = '"' + body.replace('"', '\\"') + '"' if sys.platform == "win32" else f"'{body}'"
    return f'curl -s {url}/v3/images -H "Authorization: Bearer {key}" -H "Content-Type: application/json" -d {quoted}'
