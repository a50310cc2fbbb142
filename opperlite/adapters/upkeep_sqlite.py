"""Checks and copies of a SQLite metadata store, over a connection of its own beside those of the store."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from opperlite.adapters.metadata_sqlite import FILE, JOB, MIGRATIONS, job_of, migrate, translated, version_of
from opperlite.domain.errors import StorageFailed
from opperlite.domain.types import BlobRef, File, Job, Miscount, Transcript

T = TypeVar("T")

_MOST_FINDINGS = 20
_LOST_INPUT = "a source of this job was deleted"

# For each counter: its table, and what it should be for the row `id` of that table.
_COUNTERS: tuple[tuple[str, str, str], ...] = (
    (
        "organisations",
        "used_bytes",
        "SELECT organisation_id AS owner, sum(bytes) AS counted FROM files WHERE kind != 'temporary' GROUP BY 1",
    ),
    (
        "organisations",
        "used_files",
        "SELECT organisation_id AS owner, count(*) AS counted FROM files WHERE kind != 'temporary' GROUP BY 1",
    ),
    (
        "projects",
        "files",
        "SELECT project_id AS owner, count(*) AS counted FROM files WHERE kind != 'temporary' GROUP BY 1",
    ),
    (
        "projects",
        "unfinished_jobs",
        "SELECT project_id AS owner, count(*) AS counted FROM jobs WHERE finished_at IS NULL GROUP BY 1",
    ),
)
_WANTED = "SELECT sha256, bytes FROM files UNION ALL SELECT sha256, -1 FROM job_inputs"


class SqliteUpkeep:
    """`ports.Upkeep` on one SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, writable: bool = False) -> AsyncIterator[SqliteUpkeep]:
        """Open a database that exists; it must have this program's schema, or may be given it if it is writable.

        Raises StorageFailed.
        """
        connection: sqlite3.Connection | None = None
        try:
            connection = await asyncio.to_thread(_connect, path, writable)
            yield cls(path, connection)
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            if connection is not None:
                connection.close()

    @classmethod
    @asynccontextmanager
    async def open_copy(cls, path: Path) -> AsyncIterator[SqliteUpkeep]:
        """Open a copy of a database of an older schema, brought up to date; the database itself stays as it is.

        Raises StorageFailed.
        """
        with TemporaryDirectory(prefix="opperlite-") as folder:
            copy = Path(folder) / path.name
            try:
                await asyncio.to_thread(_copy, path, copy)
            except sqlite3.Error as error:
                raise translated(error) from error
            async with cls.open(copy, writable=True) as upkeep:
                yield upkeep

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.to_thread(work, self._connection)
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _rows(self, statement: str, *values: object) -> list[Any]:
        return await self._run(lambda c: c.execute(statement, values).fetchall())

    # ------------------------------------------------------------------------------------------ checks

    async def damage(self) -> Sequence[str]:
        def check(connection: sqlite3.Connection) -> Sequence[str]:
            found = [
                " ".join(row[0].split()) for row in connection.execute(f"PRAGMA integrity_check({_MOST_FINDINGS})")
            ]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_FINDINGS)
            found += [f"a row of {table} names one of {parent} that is not there" for table, _, parent, _ in broken]
            return [one for one in found if one != "ok"]

        return await self._run(check)

    async def miscounts(self) -> Sequence[Miscount]:
        def count(connection: sqlite3.Connection) -> Sequence[Miscount]:
            connection.execute("BEGIN")  # all sums are of one state, while a server writes
            try:
                return [
                    Miscount(owner, f"{table}.{counter}", kept, true)
                    for table, counter, sums in _COUNTERS
                    for owner, kept, true in connection.execute(
                        f"SELECT id, {counter}, coalesce(counted, 0) FROM {table} LEFT JOIN ({sums}) ON owner = id "
                        f"WHERE {counter} != coalesce(counted, 0)"
                    )
                ]
            finally:
                connection.execute("COMMIT")

        return await self._run(count)

    async def recount(self) -> None:
        def count(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                for table, counter, sums in _COUNTERS:
                    connection.execute(
                        f"UPDATE {table} SET {counter} = coalesce((SELECT counted FROM ({sums}) WHERE owner = id), 0)"
                    )

        await self._run(count)

    async def newest(self) -> float:
        rows = await self._rows(
            "SELECT max(time) FROM (SELECT created_at AS time FROM projects UNION ALL SELECT created_at FROM keys "
            "UNION ALL SELECT * FROM (SELECT created_at FROM files ORDER BY seq DESC LIMIT 1) "
            "UNION ALL SELECT * FROM (SELECT created_at FROM jobs ORDER BY seq DESC LIMIT 1))"
        )
        return float(rows[0][0] or 0.0)

    # ------------------------------------------------------------------------------------------- blobs

    async def blob_total(self) -> tuple[int, int]:
        rows = await self._rows(
            f"SELECT count(*), coalesce(sum(bytes), 0) FROM (SELECT max(max(bytes), 0) AS bytes FROM ({_WANTED}) "
            "GROUP BY sha256)"
        )
        return int(rows[0][0]), int(rows[0][1])

    async def blobs(self, after: str, limit: int) -> Sequence[BlobRef]:
        rows = await self._rows(
            "SELECT sha256, max(bytes) FROM ("
            "SELECT * FROM (SELECT sha256, max(bytes) AS bytes FROM files WHERE sha256 > ?1 "
            "GROUP BY sha256 ORDER BY sha256 LIMIT ?2) UNION ALL "
            "SELECT * FROM (SELECT DISTINCT sha256, -1 FROM job_inputs WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?2)"
            ") GROUP BY sha256 ORDER BY sha256 LIMIT ?2",
            after,
            limit,
        )
        return [BlobRef(*row) for row in rows]

    async def blob_wanted(self, sha256: str) -> bool:
        statement = "SELECT EXISTS (SELECT 1 FROM files WHERE sha256 = ?1) OR EXISTS "
        rows = await self._rows(f"{statement}(SELECT 1 FROM job_inputs WHERE sha256 = ?1)", sha256)
        return bool(rows[0][0])

    async def forget_blob(self, sha256: str) -> None:
        def forget(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.execute("DELETE FROM files WHERE sha256 = ?", (sha256,))
                connection.execute(
                    "UPDATE jobs SET state = 'failed', error = ?, finished_at = created_at, owner = NULL, "
                    "lease_until = NULL WHERE finished_at IS NULL AND id IN "
                    "(SELECT job_id FROM job_inputs WHERE sha256 = ?)",
                    (_LOST_INPUT, sha256),
                )
                connection.execute(
                    "DELETE FROM job_inputs WHERE job_id IN (SELECT job_id FROM job_inputs WHERE sha256 = ?)", (sha256,)
                )

        await self._run(forget)

    # ------------------------------------------------------------------------------------------ copies

    async def files(self, project_id: str, after: int, limit: int, now: float) -> Sequence[tuple[int, File]]:
        rows = await self._rows(
            f"SELECT seq, {FILE} FROM files WHERE project_id = ? AND seq > ? AND expires_at > ? ORDER BY seq LIMIT ?",
            project_id,
            after,
            now,
            limit,
        )
        return [(row[0], File(*row[1:])) for row in rows]

    async def ended_jobs(self, project_id: str, after: int, limit: int) -> Sequence[tuple[int, Job]]:
        rows = await self._rows(
            f"SELECT seq, {JOB} FROM jobs WHERE project_id = ? AND seq > ? AND finished_at IS NOT NULL "
            "ORDER BY seq LIMIT ?",
            project_id,
            after,
            limit,
        )
        return [(row[0], job_of(row[1:])) for row in rows]

    async def transcript(self, sha256: str) -> Transcript | None:
        rows = await self._rows("SELECT body FROM transcripts WHERE sha256 = ?", sha256)
        return msgspec.msgpack.decode(rows[0][0], type=Transcript) if rows else None

    async def copy(self, path: Path) -> None:
        def copy(connection: sqlite3.Connection) -> None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(path, isolation_level=None)) as target:
                # All pages in one step: the copy is of one moment, and the writer of a WAL does not wait for it.
                connection.backup(target, pages=-1)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it

        try:
            await self._run(copy)
        except OSError as error:
            raise StorageFailed(f"{path} cannot be written: {error.strerror}") from error


class _transaction:
    """One immediate transaction on a connection in autocommit mode."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT" if error is None else "ROLLBACK")


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'rw' if writable else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
        if writable:
            migrate(connection, path)
        _require_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def schema_lead(path: Path) -> int:
    """How many steps the schema of a database is ahead of this program's; below 0 it is older. Raises StorageFailed."""
    try:
        with closing(_read_only(path)) as connection:
            return version_of(connection) - len(MIGRATIONS)
    except sqlite3.Error as error:
        raise translated(error) from error


def _copy(path: Path, target: Path) -> None:
    with closing(_read_only(path)) as source, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(copy, pages=-1)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0)


def _require_schema(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version != len(MIGRATIONS):
        older = version < len(MIGRATIONS)
        remedy = "start the server once, which brings it up to date" if older else "use that version"
        raise StorageFailed(
            f"{path} was written by {'an older' if older else 'a newer'} opperlite (schema {version}; this one knows "
            f"{len(MIGRATIONS)}): {remedy}"
        )
