"""Which part of the program may know which: the directions of imports, read from the sources."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import opperlite

PACKAGE = Path(opperlite.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
COMMAND = {
    "cli",
    "__main__",
    "tenancy",
    "upkeep",
    "options",
    "output",
    "serving",
    "listening",
    "signals",
    "logs",
    "demo",
    "environment",
    "manual",
    "probe",
    "running",
    "selftest",
    "state",
    "versions",
}

# What each part may import of ours, beside itself.
ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "engine": set(),
    "values": set(),
    "config": {"values"},
    "adapters": {"domain"},
    "api": {"domain", "config"},
    "wiring": {"domain", "adapters", "config"},
    **{part: {"config", "values", "domain", "wiring", "api", *COMMAND} for part in COMMAND},
    "demo": {"engine"},
    "versions": {"engine"},
    "pytest_plugin": set(),
}
# Adapters that run the engine, in processes of their own.
ENGINE_ADAPTERS = {f"opperlite.adapters.{name}" for name in ("provider_offline", "offline_tasks", "workers")}
# What the parts that stay small may import of others'.
LIBRARIES: dict[str, set[str]] = {
    "domain": {"msgspec"},
    "engine": {
        *("numpy", "PIL", "isal", "av", "pocketsphinx", "espeakng_loader", "filetype"),
        *("sherpa_onnx", "faster_whisper"),  # optional, for models of the user's own
    },
    "values": set(),
    "config": {"msgspec", "platformdirs"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part that a module of ours belongs to: the name after `opperlite`, or "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> Iterator[str]:
    """The full name of everything that a module imports, at its top or inside a function."""
    module = name_of(path)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = [*package[: len(package) - node.level + 1], node.module or ""] if node.level else [node.module]
            base = ".".join(filter(None, origin))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] == "opperlite" and part_of(name) != "__version__"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_in_the_allowed_directions(path: Path) -> None:
    module = name_of(path)
    part = part_of(module)
    allowed = ALLOWED.get(part, set()) | {part}
    if module in ENGINE_ADAPTERS:
        allowed.add("engine")
    if module == "opperlite.cli":
        allowed.add("adapters")  # its hidden command that runs a worker process; see below
    assert {name for name in ours(path) if part_of(name) not in allowed} == set()


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(name_of(path)) in LIBRARIES], ids=name_of)
def test_the_inner_parts_know_few_libraries(path: Path) -> None:
    others = {name.split(".")[0] for name in imports(path)} - {"opperlite", *sys.stdlib_module_names}
    assert others <= LIBRARIES[part_of(name_of(path))]


def test_only_wiring_names_concrete_adapters() -> None:
    naming = {
        name_of(path): {name for name in ours(path) if part_of(name) == "adapters"}
        for path in MODULES
        if part_of(name_of(path)) != "adapters"
    }
    assert naming.pop("opperlite.cli") <= {"opperlite.adapters.workers.main"}
    assert naming.pop("opperlite.wiring") != set()
    assert {module for module, adapters in naming.items() if adapters} == set()


def test_every_part_is_under_a_rule() -> None:
    assert {part_of(name_of(path)) for path in MODULES} - {""} <= set(ALLOWED)


def test_help_and_completion_load_no_heavy_library() -> None:
    heavy = {"litestar", "uvicorn", "uvloop", "httpx", "numpy", "PIL", "av", "pocketsphinx", "asyncio", "aiosqlite"}
    script = "import sys, opperlite.cli; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert heavy & set(loaded) == set()
