"""What lies beside the build: container, service files and the release workflow say what the program understands."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from opperlite.cli import EXIT_CODES, cli
from opperlite.config import SETTINGS, Settings, load

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
CONTAINER = (PACKAGING / "Containerfile").read_text("utf-8")
UNIT = (PACKAGING / "opperlite.service").read_text("utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
PROGRAM = "/usr/local/bin/opperlite"


def unit(name: str) -> list[str]:
    """The values of a setting of the systemd unit, in their order."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def understood(variables: dict[str, str]) -> Settings:
    """The settings that these variables make; each must name one."""
    assert set(variables) <= {setting.variable for setting in SETTINGS}
    return load({}, variables)


def check_command(words: list[str]) -> None:
    name, command, rest = cli.resolve_command(cli.make_context("opperlite", words[:1], resilient_parsing=True), words)
    assert command is not None
    command.make_context(name, rest)


# ---------------------------------------------------------------------------------------------- container


def test_the_container_serves_with_keys_from_its_volume_as_nobody_special() -> None:
    environment = dict(re.findall(r"(OPPERLITE_\w+)=(\S+)", CONTAINER))
    settings = understood(environment)
    assert (settings.host, settings.auth, settings.data) == ("0.0.0.0", "keys", Path("/data"))
    assert f"EXPOSE {settings.port}" in CONTAINER
    assert f"VOLUME {settings.data}" in CONTAINER
    [user] = re.findall(r"^USER (\d+):\d+$", CONTAINER, re.MULTILINE)
    assert int(user) >= 1000
    assert f"-o {user}" in CONTAINER


def test_the_container_asks_the_program_for_its_health() -> None:
    assert 'ENTRYPOINT ["opperlite"]' in CONTAINER
    for line in ("CMD", "HEALTHCHECK"):
        words = re.findall(rf"^{line} .*?\[(.*)\]$", CONTAINER, re.MULTILINE)[0].replace('"', "").split(", ")
        check_command(words[1:] if words[0] == "opperlite" else words)
    patience = float(re.findall(r"--timeout=(\d+)s", CONTAINER)[0])
    assert patience > 5  # what `opperlite health` waits


def test_the_container_copies_what_there_is() -> None:
    for source in re.findall(r"packaging/[\w./-]+", CONTAINER):
        assert (ROOT / source).exists(), source


# ----------------------------------------------------------------------------------------------- services


def test_the_unit_starts_the_installed_program_and_gives_it_time_to_end() -> None:
    [start] = unit("ExecStart")
    assert start.split()[0] == PROGRAM
    check_command(start.split()[1:])
    [environment] = unit("Environment")
    variables = dict(word.split("=", 1) for word in environment.split())
    assert variables.pop("XDG_CONFIG_HOME") == "/etc"
    assert variables["OPPERLITE_DATA"] == f"%S/{unit('StateDirectory')[0]}"
    assert understood(variables | {"OPPERLITE_DATA": "/var/lib/opperlite"}).auth == "keys"
    assert float(unit("TimeoutStopSec")[0]) > Settings().shutdown_grace
    assert float(unit("LimitNOFILE")[0]) > 4 * Settings().max_connections
    assert set(map(int, unit("RestartPreventExitStatus"))) <= set(EXIT_CODES)


@pytest.mark.parametrize(
    "hardening",
    ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces", "MemoryDenyWriteExecute"],
)
def test_the_unit_is_hardened(hardening: str) -> None:
    assert unit(hardening) == ["yes"]
    assert unit("ProtectSystem") == ["strict"]
    assert unit("CapabilityBoundingSet") == [""]
    assert unit("StateDirectoryMode") == ["0700"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "opperlite.service"
    path.write_text(re.sub(r"^Documentation=.*\n", "", UNIT.replace(PROGRAM, "/bin/true"), flags=re.MULTILINE), "utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_agent_starts_the_installed_program_and_gives_it_time_to_end() -> None:
    agent = plistlib.loads((PACKAGING / "opperlite.plist").read_bytes())
    assert agent["ProgramArguments"][0] == PROGRAM
    check_command(agent["ProgramArguments"][1:])
    assert agent["ExitTimeOut"] > Settings().shutdown_grace
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["Umask"] == 0o077


# ------------------------------------------------------------------------------------------------ release


def test_a_release_is_built_for_every_system_by_the_build_alone() -> None:
    job = WORKFLOW["jobs"]["build"]
    runners = {one["system"]: one["runner"].split("-")[0] for one in job["strategy"]["matrix"]["include"]}
    assert set(runners.values()) == {"ubuntu", "macos", "windows"}
    assert {"linux-x86_64", "linux-arm64"} <= set(runners)
    run = [step["run"] for step in job["steps"] if "run" in step and "if" not in step]
    assert run == ["python packaging/build.py"]
    assert [step["with"]["path"] for step in job["steps"] if "upload" in step.get("uses", "")] == ["dist/*"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the release is put together on Linux")
def test_a_release_has_a_name_and_a_sum_for_each_file(tmp_path: Path) -> None:
    [script] = [step["run"] for step in WORKFLOW["jobs"]["release"]["steps"] if "mkdir release" in step.get("run", "")]
    (tmp_path / "packaging").mkdir()
    for name in ("install.sh", "opperlite.service", "opperlite.plist"):
        shutil.copy(PACKAGING / name, tmp_path / "packaging")
    for system in ("linux-x86_64", "windows-x86_64"):
        folder = tmp_path / "built" / system
        folder.mkdir(parents=True)
        for name in (f"opperlite-1.0.0-{system}.tar.gz", "opperlite", "opperlite.cdx.json"):
            (folder / name).write_text(f"{name} {system}")
        subprocess.run("sha256sum * > sums && mv sums SHA256SUMS", shell=True, cwd=folder, check=True)
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, check=True)
    release = tmp_path / "release"
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=release, check=True)
    assert {path.name for path in release.iterdir()} == {
        *("SHA256SUMS", "install.sh", "opperlite.service", "opperlite.plist"),
        *("opperlite-1.0.0-linux-x86_64.tar.gz", "opperlite-1.0.0-windows-x86_64.tar.gz"),
        *("opperlite-linux-x86_64", "opperlite-windows-x86_64"),
        *("opperlite-linux-x86_64.cdx.json", "opperlite-windows-x86_64.cdx.json"),
    }


def test_nothing_is_fetched_from_a_named_place() -> None:
    for path in (PACKAGING / "Containerfile", PACKAGING / "install.sh", ROOT / ".github" / "workflows" / "release.yml"):
        assert not re.search(r"https?://|pypi|ghcr|docker\.io|quay", path.read_text("utf-8")), path
