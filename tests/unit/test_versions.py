"""What `opperlite version` tells: of the build, of every part and its licence."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from opperlite import __version__, versions
from opperlite.cli import cli
from opperlite.versions import Library, components, packages

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "packaging" / "requirements.lock").read_text("utf-8")


def told(*words: str) -> str:
    result = CliRunner().invoke(cli, ["version", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# ------------------------------------------------------------------------------------- the list of parts


def test_the_list_has_every_package_of_the_lock_and_no_other() -> None:
    assert set(components()["packages"]) == {
        canonical(name) for name in re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)
    }


def test_the_optional_packages_are_those_that_the_extras_bring() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {canonical(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in (*extras["sherpa"], *extras["whisper"])}
    assert named <= set(components()["optional"])


def test_every_licence_is_an_spdx_expression() -> None:
    licences = [
        *packages().values(),
        *(part["licence"] for one in components()["inside"].values() for part in one["parts"]),
    ]
    for licence in licences:
        assert re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*", licence), licence


@pytest.mark.parametrize("name", sorted(packages()))
def test_a_licence_is_the_one_that_the_package_tells(name: str) -> None:
    """Where it tells one as an SPDX expression, or by a classifier that means a single licence."""
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip("not installed here")
    expression = found.get("License-Expression")
    if expression is not None:
        assert set(re.split(r" (?:AND|OR) ", packages()[name])) <= set(re.split(r" (?:AND|OR) ", expression))
        return
    meant = {
        "License :: OSI Approved :: MIT License": "MIT",
        "License :: OSI Approved :: Apache Software License": "Apache-2.0",
        "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    }
    for classifier in found.get_all("Classifier") or ():
        assert meant.get(classifier, "") in packages()[name]


def shared_libraries(package: str, folders: list[str]) -> Iterator[str]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    for folder in folders:
        place = Path(spec.submodule_search_locations[0]).parent / folder
        if place.is_dir() and not (place / "__init__.py").exists():  # a folder of libraries alone
            yield from (entry.name for entry in place.iterdir() if ".so" in entry.name or ".d" in entry.name)


@pytest.mark.parametrize("package", ["av", "numpy", "PIL"])
def test_every_shared_library_of_the_wheels_is_in_the_list(package: str) -> None:
    group = components()["inside"][package]
    for name in shared_libraries(package, group["folders"]):
        parts = [part for part in group["parts"] if versions.is_file_of(part["file"], name)]
        assert len(parts) == 1, f"{name} is {parts or 'in no part'}"


def test_ffmpeg_is_under_the_licence_that_it_was_configured_for() -> None:
    import av._core

    told = {library["license"] for library in av._core.library_meta.values()}
    licences = {"LGPL version 3 or later": "LGPL-3.0-or-later", "GPL version 3 or later": "GPL-3.0-or-later"}
    [ffmpeg] = [one for one in versions.versions().libraries if one.name == "FFmpeg"]
    assert {licences[one] for one in told} == {ffmpeg.licence}


def test_what_is_found_has_its_version_and_what_matters_is_found() -> None:
    found = {one.name: one for one in versions.versions().libraries}
    assert {"FFmpeg", "espeak-ng", "pocketsphinx", "CMU Sphinx English model", "ISA-L", "Python", "SQLite"} <= set(
        found
    )
    for name in ("FFmpeg", "espeak-ng", "ISA-L", "numpy", "SQLite"):
        assert re.match(r"\d+\.\d+", found[name].version or ""), name
    assert found["espeak-ng"].copyleft
    assert not Library("GCC runtime", None, "GPL-3.0-or-later WITH GCC-exception-3.1").copyleft
    assert not Library("GMP", None, "LGPL-3.0-or-later OR GPL-2.0-or-later").copyleft


# ------------------------------------------------------------------------------------------- the command


def test_the_command_tells_everything_to_people_and_to_scripts() -> None:
    facts = json.loads(told("--json"))
    assert facts["opperlite"] == __version__
    assert (facts["build"], facts["source_licence"], facts["program_licence"]) == (
        "source",
        "Apache-2.0",
        "GPL-3.0-or-later",
    )
    text = told()
    assert text.startswith(f"opperlite {__version__}\nCommit    ")
    assert "The source of opperlite is under Apache-2.0." in text
    assert "under the GPL, version 3." in text
    for library in facts["libraries"]:
        assert re.search(rf"^{re.escape(library['name'])} +\S.*{re.escape(library['licence'])}", text, re.MULTILINE)


def git(folder: Path, *words: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    author = {f"GIT_{role}_{kind}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for kind in ("NAME", "EMAIL")}
    command = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *words]
    return subprocess.run(command, env=own | author, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "opperlite"
    package.mkdir()
    (package / "components.toml").write_bytes((Path(versions.__file__).parent / "components.toml").read_bytes())
    monkeypatch.setattr(versions, "_PACKAGE", package)
    assert versions.versions().commit is None

    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "v1")
    found = versions.versions()
    assert (found.commit, found.modified) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (package / "components.toml").write_text("[packages]\n[optional]\n[inside]\n", "utf-8")
    assert versions.versions().modified

    monkeypatch.setenv("PATH", "")
    assert versions.versions().commit is None


def test_a_build_tells_what_it_was_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "components.toml").write_bytes((Path(versions.__file__).parent / "components.toml").read_bytes())
    monkeypatch.setattr(versions, "_PACKAGE", tmp_path)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert (versions.versions().build, versions.versions().commit) == ("folder", None)

    facts = {"commit": "c0ffee", "modified": True, "date": "2026-11-21T00:00:00Z", "more": 1}
    (tmp_path / "build.json").write_text(json.dumps(facts), "utf-8")
    monkeypatch.setenv(versions.ONE_FILE_VARIABLE, "/usr/local/bin/opperlite")
    found = versions.versions()
    assert (found.build, found.commit, found.modified, found.built_at) == (
        *("one file", "c0ffee", True),
        "2026-11-21T00:00:00Z",
    )
    text = told()
    assert "Commit    c0ffee, with changes\nBuild     one file of 2026-11-21T00:00:00Z\n" in text
    assert "This program carries " in text
