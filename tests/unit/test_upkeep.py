"""Doctor, garbage collection, backup, restore and the move of a project, on real folders."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters import data_folder
from opperlite.adapters.archive_tar import TarReader, TarWriter
from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.folder_lock import FolderLock, holder
from opperlite.adapters.metadata_sqlite import MIGRATIONS, SqliteMetadata
from opperlite.adapters.upkeep_sqlite import SqliteUpkeep
from opperlite.cli import cli
from opperlite.domain.backups import Copied, blob_name, named_blob
from opperlite.domain.errors import NotFound, StorageFailed, ValidationFailed
from opperlite.domain.types import BlobRef
from opperlite.wiring import read_secret
from tests.contracts.test_metadata import a_file, a_job, organisation, project

Run = Callable[..., Result]
FAR = 4e9  # files of these tests expire in 2096


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blob_path(folder: Path, data: bytes) -> Path:
    return folder / blob_name(sha(data))


async def fill(folder: Path, contents: list[bytes], owner: str = "proj") -> list[str]:
    """A data folder with a file for each content; the files' ids."""
    folder.mkdir(mode=0o700, exist_ok=True)
    read_secret(folder / "secret")
    ids = []
    with closing(LocalBlobs(folder)) as blobs:
        async with SqliteMetadata.open(folder / "opperlite.db") as store:
            await store.ensure_project(organisation(quota_bytes=10**9, quota_files=10**6), project(owner))
            for data in contents:
                async with blobs.stage() as staging:
                    await staging.write(data)
                    blob = await staging.finish()
                    file = a_file(sha256=blob.sha256, bytes=blob.bytes, project_id=owner, expires_at=FAR)
                    await store.add_files([file], 0.0)
                ids.append(file.id)
    return ids


def filled(folder: Path, contents: list[bytes], owner: str = "proj") -> list[str]:
    return asyncio.run(fill(folder, contents, owner))


def state(folder: Path) -> dict[str, Any]:
    """Everything that a data folder means: its rows, its blobs, its secret."""
    with closing(sqlite3.connect(folder / "opperlite.db")) as connection:
        rows = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in ("organisations", "projects", "keys", "files", "jobs", "job_inputs", "transcripts")
        }
    blobs = {path.name: path.read_bytes() for path in (folder / "blobs").rglob("*") if path.is_file()}
    return {**rows, "blobs": blobs, "secret": (folder / "secret").read_bytes()}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    environment: dict[str, str | None] = {
        **{name: None for name in os.environ if name.startswith("OPPERLITE_")},
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "OPPERLITE_DATA": str(tmp_path / "data"),
        "OPPERLITE_PORT": "0",
    }
    return lambda *words, **more: CliRunner(env=environment).invoke(cli, [str(word) for word in words], **more)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def told(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def found(run: Run, *words: str, code: int = 1) -> list[tuple[str, str]]:
    """What the doctor finds, as pairs of check and severity."""
    return sorted((one["check"], one["severity"]) for one in told(run("doctor", "--json", *words), code)["findings"])


# -------------------------------------------------------------------------------------------------- doctor


def test_a_healthy_folder_is_told_to_be_so(run: Run, data: Path) -> None:
    filled(data, [b"one", b"two", b"two"])
    assert told(run("doctor", "--json")) == {"healthy": True, "blobs": 2, "server": None, "findings": []}
    assert "all is well" in run("doctor").stdout


def test_every_kind_of_trouble_is_found(run: Run, data: Path) -> None:
    filled(data, [b"kept", b"damaged", b"missing"])
    blob_path(data, b"damaged").write_bytes(b"damageD")
    blob_path(data, b"missing").unlink()
    (blob_path(data, b"kept").parent / "foreign").touch()
    (data / "staging" / "left").touch()
    os.utime(data / "staging" / "left", (0, 0))
    with closing(sqlite3.connect(data / "opperlite.db")) as connection, connection:
        connection.execute("UPDATE organisations SET used_bytes = 1")
        connection.execute("UPDATE projects SET created_at = 4e9")
    expected = [
        ("blobs", "damage"),
        ("blobs", "note"),
        ("clock", "warning"),
        ("counters", "warning"),
        ("rows", "damage"),
        ("staging", "note"),
    ]
    before = state(data)
    assert found(run) == expected
    assert state(data) == before  # it only looked
    assert "not all is well" in run("doctor").stderr


def test_a_repair_puts_damage_away_and_deletes_nothing(run: Run, data: Path) -> None:
    filled(data, [b"kept", b"damaged"])
    blob_path(data, b"damaged").write_bytes(b"DAMAGED")
    with closing(sqlite3.connect(data / "opperlite.db")) as connection, connection:
        connection.execute("UPDATE projects SET files = 9, unfinished_jobs = 3")
    rows = state(data)["files"]
    assert ("blobs", "repaired") in found(run, "--repair")
    assert [path.read_bytes() for path in (data / "quarantine").iterdir()] == [b"DAMAGED"]
    assert state(data)["files"] == rows
    assert found(run) == [("rows", "damage")]  # what is lost stays told
    filled(data, [b"damaged"])
    assert found(run, code=0) == []  # the same bytes, stored again, heal it


@pytest.mark.skipif(sys.platform == "win32", reason="there the profile keeps others out")
def test_open_permissions_are_found_and_repaired(run: Run, data: Path) -> None:
    filled(data, [b"one"])
    data.chmod(0o755)
    (data / "secret").chmod(0o644)
    assert found(run) == [("permissions", "warning")] * 2
    assert found(run, "--repair", code=0) == [("permissions", "repaired")] * 2
    assert found(run, code=0) == []


def test_a_repair_wants_the_folder_for_itself(run: Run, data: Path) -> None:
    filled(data, [b"one"])
    with FolderLock(data / "lock"):
        assert told(run("doctor", "--json"))["server"] == str(os.getpid())
        for words in (["doctor", "--repair"], ["gc"]):
            result = run(*words)
            assert (result.exit_code, result.stdout) == (3, "")
            assert "in use by another opperlite" in result.stderr


def test_a_database_that_is_none_is_a_finding(run: Run, data: Path) -> None:
    filled(data, [b"one"])
    (data / "opperlite.db").write_bytes(b"no database" * 1000)
    assert found(run) == [("database", "damage")]
    assert found(run, "--data", str(data.parent / "nothing")) == [("folder", "damage")]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_schema_is_no_damage(version: int, run: Run, data: Path) -> None:
    filled(data, [])
    (data / "opperlite.db").unlink()
    with closing(sqlite3.connect(data / "opperlite.db", isolation_level=None)) as connection:
        for step in MIGRATIONS[:version]:
            connection.executescript(step)
        connection.execute(f"PRAGMA user_version = {version}")
    before = (data / "opperlite.db").read_bytes()

    assert found(run, code=0) == [("database", "note")]
    wrong = blob_path(data, b"other")
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"wrong")
    assert found(run) == [("blobs", "damage"), ("database", "note")]  # and everything else is examined all the same
    assert (data / "opperlite.db").read_bytes() == before

    wrong.unlink()
    assert run("gc").exit_code == 0
    assert found(run, code=0) == []


def test_a_newer_schema_is_told_to_be_newer(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"])
    with closing(sqlite3.connect(data / "opperlite.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    assert found(run) == [("database", "warning")]
    ran = subprocess.run(
        [sys.executable, "-m", "opperlite", "serve", "--port", "0", "--data", data],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1)
    assert "written by a newer opperlite" in ran.stderr
    for words in (["gc"], ["backup", tmp_path / "a.tar"], ["keys", "list"], ["doctor", "--repair"]):
        result = run(*words)
        told_newer = "written by a newer opperlite" in (result.stdout if words[0] == "doctor" else result.stderr)
        assert (result.exit_code, told_newer) == (1 if words[0] == "doctor" else 3, True), words


# ------------------------------------------------------------------------------------------------------ gc


def test_garbage_goes_and_nothing_else(run: Run, data: Path) -> None:
    filled(data, [b"kept", b"expired", b"shared", b"shared", b"input"])
    blob_path(data, b"orphan").parent.mkdir(parents=True)
    blob_path(data, b"orphan").write_bytes(b"orphan")
    (data / "staging" / "left").touch()
    with closing(sqlite3.connect(data / "opperlite.db")) as connection, connection:
        connection.execute("UPDATE files SET expires_at = 1 WHERE sha256 IN (?, ?)", (sha(b"expired"), sha(b"input")))
        connection.execute(
            "UPDATE files SET expires_at = 1 WHERE seq = (SELECT max(seq) FROM files WHERE sha256 = ?)",
            (sha(b"shared"),),
        )
        connection.execute("INSERT INTO job_inputs VALUES (?, 'gen_x')", (sha(b"input"),))
    assert told(run("gc", "--json")) == {"files": 3, "jobs": 0, "blobs": 2, "bytes": 13, "temporary": 1}
    assert set(state(data)["blobs"].values()) == {b"kept", b"shared", b"input"}
    assert told(run("gc", "--json"))["files"] == 0
    assert found(run, code=0) == []


# ------------------------------------------------------------------------------------------------- archives


@given(st.lists(st.tuples(st.binary(max_size=2000), st.booleans()), max_size=8))
def test_a_tar_gives_back_what_was_added_and_nothing_wrong(contents: list[tuple[bytes, bool]]) -> None:
    async def pieces(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 700):
            yield data[start : start + 700]

    async def write(path: Path) -> dict[str, bytes]:
        kept = {}
        with TarWriter(path) as archive:
            for data, right in contents:
                blob = BlobRef(sha(data) if right else sha(data + b"x"), len(data))
                if not await archive.has(blob):
                    assert await archive.add(blob, pieces(data)) == (len(data) if right else None)
                    if right:
                        kept[blob_name(blob.sha256)] = data
            archive.put("end", b"end")
            archive.commit()
        return kept | {"end": b"end"}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        kept = asyncio.run(write(path))
        with TarReader(path) as reader:
            assert {entry.name: reader.read(entry) for entry in reader.entries()} == kept
        with tarfile.open(path) as archive:  # and any tar program reads it
            assert {name: archive.extractfile(name).read() for name in archive.getnames()} == kept  # type: ignore[union-attr]
        assert [one.name for one in Path(folder).iterdir()] == ["a.tar"]


@given(st.binary(max_size=3000))
def test_what_is_no_tar_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.tar").write_bytes(content)
        with TarReader(Path(folder) / "a.tar") as reader, suppress(ValidationFailed):
            assert list(reader.entries()) == []


@given(st.text("0123456789abcdef/blobs.", max_size=90))
def test_only_a_blobs_own_name_is_one(name: str) -> None:
    sha256 = named_blob(name)
    assert sha256 is None or blob_name(sha256) == name


def test_a_blobs_name_leads_nowhere_else() -> None:
    digest = sha(b"x")
    assert named_blob(blob_name(digest)) == digest
    for name in (f"blobs/../{digest}", f"blobs/00/00/{digest}", f"{blob_name(digest)}\n", f"/{blob_name(digest)}"):
        assert named_blob(name) is None


def test_an_interrupted_tar_leaves_nothing(tmp_path: Path) -> None:
    with suppress(KeyError), TarWriter(tmp_path / "a.tar") as archive:
        archive.put("x", b"x")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from opperlite.adapters.scratch_folder import ScratchFolder
with ScratchFolder(Path(sys.argv[1])) as scratch:
    (scratch / "archive.tar").write_bytes(b"half")
    print("made", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_backup_left_goes_with_the_next_one(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"])
    target = tmp_path / "backups"
    with subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        [left] = target.iterdir()
        foreign = [target / ".opperlite-notes", target / ".opperlite-0123456789abcdef.txt", target / ".other"]
        for path in foreign:
            path.mkdir()
        for path in (left / "lock", *foreign):
            os.utime(path, (1e9, 1e9))

        assert run("backup", target / "one.tar").exit_code == 0
        assert left.exists()  # in use
        killed.kill()
        killed.wait()
        os.utime(left / "lock")
        assert run("backup", target / "two.tar").exit_code == 0
        assert left.exists()  # too young to be told from one that is just being made
    os.utime(left / "lock", (1e9, 1e9))
    assert run("backup", target / "three.tar").exit_code == 0
    assert {path.name for path in target.iterdir()} == {
        *("one.tar", "two.tar", "three.tar"),
        *(path.name for path in foreign),
    }


# ---------------------------------------------------------------------------------------- backup and restore


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_backed_up_comes_back(kind: str, run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"", b"one", b"two", b"two", bytes(3 << 20)])
    run("keys", "create")
    target = tmp_path / ("b.tar" if kind == "file" else "backups/")
    done = told(run("backup", f"{target}{'/' if kind == 'folder' else ''}", "--json"))
    assert (done["added"], done["gone"], done["lost"]) == (4, 0, [])
    assert told(run("restore", target, "--data", tmp_path / "back", "--json"))["blobs"] == 4
    assert state(tmp_path / "back") == state(data)
    assert found(run, "--data", str(tmp_path / "back"), code=0) == []
    if sys.platform != "win32":
        secret = target if kind == "file" else target / "secret"
        assert secret.stat().st_mode & 0o777 == 0o600


def test_a_folder_of_backups_takes_only_what_is_new(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one", b"two"])
    first = told(run("backup", f"{tmp_path}/backups/", "--json"))
    before = state(data)
    filled(data, [b"three"])
    (tmp_path / "backups" / Path(first["place"]).name).rename(
        tmp_path / "backups" / "opperlite-20200101T000000.000Z.db"
    )
    second = told(run("backup", tmp_path / "backups", "--json"))
    assert (first["added"], first["kept"], second["added"], second["kept"]) == (2, 0, 1, 2)
    told(run("restore", tmp_path / "backups", "--data", tmp_path / "new", "--json"))
    assert state(tmp_path / "new") == state(data)
    at = ["--at", "opperlite-20200101T000000.000Z.db"]
    told(run("restore", tmp_path / "backups", "--data", tmp_path / "old", *at, "--json"))
    assert state(tmp_path / "old") == before


def test_a_backup_leaves_out_what_is_lost_and_says_so(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"kept", b"damaged", b"missing"])
    blob_path(data, b"damaged").write_bytes(b"DAMAGED")
    blob_path(data, b"missing").unlink()
    done = told(run("backup", tmp_path / "b.tar", "--json"), code=1)
    assert (done["added"], sorted(done["lost"])) == (1, sorted([sha(b"damaged"), sha(b"missing")]))
    told(run("restore", tmp_path / "b.tar", "--data", tmp_path / "back", "--json"))
    assert found(run, "--data", str(tmp_path / "back"), code=0) == []


async def test_a_blob_that_is_deleted_during_a_backup_is_left_out(data: Path, tmp_path: Path) -> None:
    ids = await fill(data, [b"kept", b"deleted"])

    class Deleting(LocalBlobs):
        """A store whose bytes go when they are first asked for, as a delete does in the server meanwhile."""

        async def read(self, sha256: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            if sha256 == sha(b"deleted"):
                async with SqliteMetadata.open(data / "opperlite.db") as store:
                    await store.delete_file("proj", ids[1], 0.0)
                self.local_path(sha256).unlink()
                raise NotFound
            async for piece in super().read(sha256, start, end):
                yield piece

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_folder, "LocalBlobs", Deleting)
        _, copied = await data_folder.back_up(data, tmp_path / "b.tar", False, 0.0, lambda done, total: None)
    assert copied == Copied(added=1, bytes=4, gone=1)
    await data_folder.restore(tmp_path / "back", tmp_path / "b.tar", None, lambda done, total: None)
    async with SqliteUpkeep.open(tmp_path / "back" / "opperlite.db") as rows:
        assert await rows.blob_total() == (1, 4)
        assert list(await rows.miscounts()) == []


def spoiled(archive: Path) -> Iterator[bytes]:
    """Archives that are not what was written: cut anywhere, or with a bit turned over."""
    whole = archive.read_bytes()
    for size in (0, 100, 512, 1500, len(whole) // 2, len(whole) - 1024):
        yield whole[:size]
    for place in (whole.index(b"x" * 5000) + 10, whole.index(b"blobs/"), whole.index(b"SQLite format 3")):
        yield whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]


def test_a_backup_that_is_not_whole_changes_nothing(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [bytes(600), b"y" * 20_000, b"x" * 5000])
    run("backup", tmp_path / "b.tar")
    (tmp_path / "empty").mkdir()
    refused = 0
    for content in spoiled(tmp_path / "b.tar"):
        (tmp_path / "spoiled.tar").write_bytes(content)
        for target in ("new", "empty"):
            result = run("restore", tmp_path / "spoiled.tar", "--data", tmp_path / target)
            assert result.exit_code in (1, 3), result.output
            assert result.stderr.count("\n") == 1
            assert not (tmp_path / "new").exists()
            assert {path.name for path in (tmp_path / "empty").iterdir()} <= {"lock"}
            refused += 1
    assert refused == 18
    assert run("restore", tmp_path / "b.tar", "--data", tmp_path / "empty").exit_code == 0


def test_a_restore_never_mixes_with_what_is_there(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"])
    run("backup", tmp_path / "b.tar")
    before = state(data)
    result = run("restore", tmp_path / "b.tar")
    assert (result.exit_code, state(data)) == (1, before)
    assert "is not empty" in result.stderr
    result = run("backup", tmp_path / "b.tar")
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert run("backup", data).exit_code == 1  # a data folder is no folder of backups


def test_an_interrupted_restore_is_refused_until_it_is_repeated(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"])
    run("backup", tmp_path / "b.tar")
    half = tmp_path / "half"
    (half / "restoring").mkdir(parents=True)
    (half / "blobs").mkdir()
    result = run("orgs", "list", "--data", half)
    assert result.exit_code == 3
    assert "interrupted" in result.stderr
    assert run("restore", tmp_path / "b.tar", "--data", half).exit_code == 0
    assert state(half) == state(data)


# ------------------------------------------------------------------------------------------ export and import


def test_a_project_moves_with_its_ids(run: Run, data: Path, tmp_path: Path) -> None:
    ids = filled(data, [b"one", b"two", b"two"], "web")
    filled(data, [b"other"], "other")

    async def add_job() -> None:
        async with SqliteMetadata.open(data / "opperlite.db") as store:
            for _ in range(2):
                await store.add_job(job := a_job(project_id="web"), 5)
            await store.cancel_job("web", job.id, 5.0)

    asyncio.run(add_job())
    done = told(run("export", "web", tmp_path / "p.tar", "--json"))
    assert (done["files"], done["bytes"], done["jobs"]) == (3, 9, 1)
    there = tmp_path / "there"
    filled(there, [b"one"], "mine")
    assert told(run("import", tmp_path / "p.tar", "--data", there, "--json")) == done
    assert found(run, "--data", str(there), code=0) == []
    rows = {row[1]: row[2:] for row in state(data)["files"] if row[1] in ids}
    assert {row[1]: row[2:] for row in state(there)["files"] if row[1] in ids} == rows
    assert set(state(there)["blobs"].values()) == {b"one", b"two"}

    before = state(there)
    again = run("import", tmp_path / "p.tar", "--data", there)
    assert again.exit_code == 1
    assert "exists here already" in again.stderr
    assert state(there) == before


def test_a_project_keeps_to_the_quota_of_where_it_goes(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one", b"two"], "web")
    run("export", "web", tmp_path / "p.tar")
    there = ["--data", str(tmp_path / "there")]
    run("orgs", "create", "small", "--quota-files", "1", *there)
    before = state(tmp_path / "there")
    result = run("import", tmp_path / "p.tar", "--org", "small", *there)
    assert result.exit_code == 1
    assert "2 files of 6 bytes" in result.stderr
    assert state(tmp_path / "there") == before
    run("orgs", "set", "small", "--quota-files", "2", *there)
    assert told(run("import", tmp_path / "p.tar", "--org", "small", "--json", *there))["organisation"].startswith(
        "org_"
    )
    assert told(run("orgs", "show", "small", "--json", *there))["used_files"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sha256", "../../../../etc/passwd"),
        ("filename", "a/b"),
        ("mime_type", "text/html\r\nX-Evil: 1"),
        ("project_id", "other"),
        ("bytes", 4),
        ("bytes", "many"),
        ("id", "a b"),
    ],
)
def test_rows_that_cannot_be_are_refused(name: str, value: object, run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"], "web")
    run("export", "web", tmp_path / "p.tar")
    with TarReader(tmp_path / "p.tar") as reader, TarWriter(tmp_path / "evil.tar") as evil:
        for entry in reader.entries():
            content = reader.read(entry)
            if entry.name == "files.jsonl":
                content = json.dumps({**json.loads(content), name: value}).encode()
            evil.put(entry.name, content)
        evil.commit()
    there = tmp_path / "there"
    result = run("import", tmp_path / "evil.tar", "--data", there)
    assert result.exit_code == 1, result.output
    assert state(there)["projects"] == []
    assert state(there)["blobs"] == {}


def test_an_archive_of_the_other_kind_is_told_apart(run: Run, data: Path, tmp_path: Path) -> None:
    filled(data, [b"one"], "web")
    run("export", "web", tmp_path / "p.tar")
    run("backup", tmp_path / "b.tar")
    assert "no exported project" in run("import", tmp_path / "b.tar", "--data", tmp_path / "x").stderr
    assert "no backup" in run("restore", tmp_path / "p.tar", "--data", tmp_path / "y").stderr
    assert not (tmp_path / "y").exists()


# ---------------------------------------------------------------------------------------------------- the lock


def test_the_lock_tells_an_unclean_end_until_somebody_looked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FolderLock(path) as lock:
        assert not lock.unclean
        assert holder(path) == str(os.getpid())
        with pytest.raises(StorageFailed, match=f"process {os.getpid()}"), FolderLock(path):
            pass
    assert holder(path) is None
    with pytest.raises(KeyError), FolderLock(path):
        raise KeyError
    for _ in range(2):
        with FolderLock(path) as lock:
            assert lock.unclean
    with FolderLock(path) as lock:
        lock.unclean = False
    with FolderLock(path) as lock:
        assert not lock.unclean


def test_damage_is_found_after_an_unclean_end_before_anything_is_written(data: Path, run: Run) -> None:
    filled(data, [b"%d" % number for number in range(200)])
    path = data / "opperlite.db"
    content = bytearray(path.read_bytes())
    content[8192:40960] = b"A" * (40960 - 8192)
    path.write_bytes(content)
    (data / "lock").write_text("1")
    result = run("gc")
    assert result.exit_code == 3
    assert "is damaged" in result.stderr
    assert result.stderr.count("\n") == 1
    assert path.read_bytes() == content
    assert (data / "lock").read_text().strip() != ""  # the next one looks as well
