"""What the build does with nothing installed: archives by their files alone, comparing, the table of sources."""

import importlib
import io
import os
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from opperlite.versions import components

PACKAGING = Path(__file__).parents[2] / "packaging"


@pytest.fixture(scope="module")
def build() -> Iterator[Any]:
    """The modules of the build, which are no package."""
    before = set(sys.modules)
    sys.path.insert(0, str(PACKAGING))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(PACKAGING))
        for name in set(sys.modules) - before:
            if str(PACKAGING) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture
def archives(build: Any) -> ModuleType:
    module: ModuleType = build("archives")
    return module


def tree(folder: Path, *, date: int, order: list[str]) -> Path:
    """A folder with a program, a library and a link, written in that order at that time."""
    folder.mkdir()
    for name in order:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        path.chmod(0o700 if name == "opperlite" else 0o600)
        os.utime(path, (date, date))
    (folder / "lib" / "link").symlink_to("b")
    return folder


def packed(archives: ModuleType, folder: Path) -> bytes:
    held = io.BytesIO()
    archives.write_tar(folder, held, "root/", 1_000_000_000)
    return held.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are those of POSIX")
def test_an_archive_knows_only_names_contents_and_what_is_a_program(archives: ModuleType, tmp_path: Path) -> None:
    one = tree(tmp_path / "one", date=1, order=["opperlite", "lib/a", "lib/b"])
    other = tree(tmp_path / "other", date=10**9, order=["lib/b", "lib/a", "opperlite"])
    assert packed(archives, one) == packed(archives, other)
    with tarfile.open(fileobj=io.BytesIO(packed(archives, one))) as archive:
        found = {member.name: (member.mode, member.mtime, member.uid, member.uname) for member in archive}
    assert found["root/opperlite"] == (0o755, 1_000_000_000, 0, "")
    assert found["root/lib/a"] == (0o644, 1_000_000_000, 0, "")
    assert list(found) == ["root/lib", "root/lib/a", "root/lib/b", "root/lib/link", "root/opperlite"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are those of POSIX")
def test_what_two_builds_do_not_have_alike_is_named(build: Any, archives: ModuleType, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        held = tree(tmp_path / f"{name}.tree", date=1, order=["opperlite", "lib/a", "lib/b"])
        if name == "other":
            (held / "lib" / "a").write_text("changed")
        archives.write_tar_gz(held, tmp_path / name / "x.tar.gz", "", 1, 6)
        (tmp_path / name / "same").write_text("same")
    (tmp_path / "one" / "extra").touch()
    differences = build("reproducibility").differences
    assert differences(tmp_path / "one", tmp_path / "one") == []
    assert differences(tmp_path / "one", tmp_path / "other") == [
        f"extra is only in {tmp_path / 'one'}",
        "x.tar.gz differs",
        "  lib/a: content",
    ]


def test_every_part_with_a_source_is_one_of_the_components_and_its_texts_are_there() -> None:
    table = tomllib.loads((PACKAGING / "parts.toml").read_text("utf-8"))
    known = components()["inside"]
    for package, facts in table.items():
        parts = {name: part for name, part in facts.items() if isinstance(part, dict)}
        if package != "build":
            assert set(parts) <= {part["name"] for part in known[package]["parts"]}, package
        for name, part in parts.items():
            assert part["source"].startswith("https://"), name
            for text in part["texts"]:
                there = PACKAGING.parent / "LICENSE" if text == "Apache-2.0" else PACKAGING / "licences" / f"{text}.txt"
                assert there.stat().st_size > 1000, text


def test_copyleft_parts_say_where_their_source_is() -> None:
    """What the licence asks for; those of numpy are libraries of GCC, which its own licence file tells."""
    table = tomllib.loads((PACKAGING / "parts.toml").read_text("utf-8"))
    for package, group in components()["inside"].items():
        for part in group["parts"]:
            if "GPL" in part["licence"] and "WITH" not in part["licence"] and package != "numpy":
                facts = table[package].get(part["name"], {})
                assert facts.get("source"), part["name"]
