"""schemathesis over the description that the server itself gives: every operation, every check.

It is an extra of its own (`pip install opperlite[fuzz]`), since it brings much along.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from opperlite.api.connections import limited
from opperlite.api.system import description
from tests.api.conftest import World, world_of
from tests.truth import faults, orphans

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install opperlite[fuzz]")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXCLUDED = [
    checks.positive_data_acceptance,  # a schema cannot tell which models there are and what each takes
    checks.negative_data_rejection,  # members and parameters that nobody knows are ignored
]
LONG = settings.get_current_profile_name() == "long"
OPERATIONS = [
    (method.upper(), path)
    for path, item in description()["paths"].items()  # type: ignore[attr-defined]
    for method in item
    if method in ("get", "post", "delete")
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The application on a port of its own, in a thread with a loop of its own; its URL and a key."""
    started, ended = threading.Event(), asyncio.Event()
    held: dict[str, Any] = {}

    async def serve() -> None:
        async with world_of(tmp_path_factory.mktemp("schema") / "data", auth="keys") as world:
            held["key"] = await world.services.projects.ensure_first_key()
            config = uvicorn.Config(world.app, port=0, http=limited(0), ws="none", lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve())
            while not server.started:
                await asyncio.sleep(0.01)
            held.update(port=server.servers[0].sockets[0].getsockname()[1], loop=asyncio.get_running_loop())
            started.set()
            await ended.wait()
            server.should_exit = True
            await serving
            await settled(world)
            assert (faults(world.folder), orphans(world.folder)) == ([], [])

    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    yield f"http://127.0.0.1:{held['port']}", held["key"]
    held["loop"].call_soon_threadsafe(ended.set)
    thread.join(30)
    assert failures == []


async def settled(world: World) -> None:
    """Until the last job has ended and tidied up."""
    for _ in range(500):
        if not world.services.jobs.running and not any((world.folder / "staging").iterdir()):
            return
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def schema(served: tuple[str, str]) -> Any:
    return schemathesis.openapi.from_url(f"{served[0]}/v3/openapi.json")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_an_operation_answers_as_described(
    served: tuple[str, str], schema: Any, method: str, path: str, mode: Any
) -> None:
    operation = schema[path][method]

    @settings(
        max_examples=200 if LONG else 6,
        derandomize=not LONG,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        headers = {"Authorization": f"Bearer {served[1]}"}
        case.call_and_validate(headers=headers, timeout=20, excluded_checks=EXCLUDED)

    try:
        check()
    except Unsatisfiable:
        pytest.skip("nothing can be wrong about this operation's parameters")
