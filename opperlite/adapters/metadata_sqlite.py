"""The metadata store on SQLite.

One writer connection runs every write; what has queued up while the last commit was being synced goes into one
transaction, each method in a savepoint of its own (group commit). Readers have connections of their own.
A method's statements run in one piece on the connection's thread, so that no await interleaves a transaction.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import msgspec
from msgspec import Struct

from opperlite.domain.errors import (
    IdempotencyInProgress,
    NotFound,
    QuotaExceeded,
    StorageFailed,
    TooManyRequests,
    ValidationFailed,
)
from opperlite.domain.types import (
    Claim,
    File,
    FilePage,
    Job,
    JobKind,
    JobState,
    Key,
    Organisation,
    OrganisationChanges,
    Project,
    ProjectChanges,
    Reply,
    Transcript,
    Usage,
    Warning,
)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
_Asked = tuple[Work[Any], asyncio.Future[Any]]

# Numbered from 1 by their place; a database's `user_version` says how many it has. Only ever append.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE organisations (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, quota_bytes INTEGER NOT NULL, quota_files INTEGER NOT NULL,
        created_at REAL NOT NULL, used_bytes INTEGER NOT NULL DEFAULT 0, used_files INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE projects (
        id TEXT PRIMARY KEY, organisation_id TEXT NOT NULL REFERENCES organisations(id), name TEXT NOT NULL,
        upload_ttl REAL NOT NULL, generated_ttl REAL NOT NULL, created_at REAL NOT NULL, retention REAL,
        zero_data_retention INTEGER NOT NULL, files INTEGER NOT NULL DEFAULT 0,
        unfinished_jobs INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE keys (
        id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id), name TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE, hint TEXT NOT NULL, created_at REAL NOT NULL, revoked_at REAL, last_used_at REAL
    ) WITHOUT ROWID;
    CREATE TABLE files (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        project_id TEXT NOT NULL REFERENCES projects(id),
        organisation_id TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, mime_type TEXT NOT NULL,
        filename TEXT NOT NULL, purpose TEXT NOT NULL, kind TEXT NOT NULL, created_at REAL NOT NULL,
        expires_at REAL NOT NULL
    );
    CREATE INDEX files_page ON files(project_id, seq) WHERE kind != 'temporary';
    CREATE INDEX files_project_expiry ON files(project_id, expires_at) WHERE kind != 'temporary';
    CREATE INDEX files_organisation_expiry ON files(organisation_id, expires_at, bytes) WHERE kind != 'temporary';
    CREATE INDEX files_expiry ON files(expires_at);
    CREATE INDEX files_blob ON files(sha256);
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        project_id TEXT NOT NULL REFERENCES projects(id),
        kind TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, work_order BLOB NOT NULL, state TEXT NOT NULL,
        created_at REAL NOT NULL, store INTEGER NOT NULL, inputs TEXT NOT NULL, attempts INTEGER NOT NULL, owner TEXT,
        lease_until REAL, checkpoint TEXT, progress REAL NOT NULL, file_id TEXT, mime_type TEXT, error TEXT,
        cancelled INTEGER NOT NULL, warnings TEXT NOT NULL, finished_at REAL
    );
    CREATE INDEX jobs_page ON jobs(project_id, seq);
    CREATE INDEX jobs_unfinished ON jobs(seq) WHERE finished_at IS NULL;
    CREATE INDEX jobs_finished ON jobs(finished_at) WHERE finished_at IS NOT NULL;
    CREATE TABLE job_inputs (
        sha256 TEXT NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY (sha256, job_id)
    ) WITHOUT ROWID;
    CREATE INDEX job_inputs_job ON job_inputs(job_id);
    CREATE TABLE replies (
        project_id TEXT NOT NULL, key TEXT NOT NULL, created_at REAL NOT NULL, fingerprint BLOB, status INTEGER,
        media_type TEXT, body BLOB, headers TEXT,
        PRIMARY KEY (project_id, key)
    );
    CREATE INDEX replies_age ON replies(created_at);
    CREATE TABLE transcripts (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL, created_at REAL NOT NULL);
    """,
    """
    CREATE TABLE purposes (
        project_id TEXT NOT NULL REFERENCES projects(id), purpose TEXT NOT NULL, files INTEGER NOT NULL,
        PRIMARY KEY (project_id, purpose)
    ) WITHOUT ROWID;
    INSERT INTO purposes (project_id, purpose, files)
        SELECT project_id, purpose, count(*) FROM files WHERE kind != 'temporary' GROUP BY project_id, purpose;
    CREATE INDEX files_purpose_page ON files(project_id, purpose, seq) WHERE kind != 'temporary';
    CREATE INDEX files_purpose_expiry ON files(project_id, purpose, expires_at) WHERE kind != 'temporary';
    """,
    """
    DELETE FROM replies WHERE status IS NULL;
    ALTER TABLE replies ADD COLUMN token BLOB NOT NULL DEFAULT x'';
    ALTER TABLE replies ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
    """,
)

_ORGANISATION = "id, name, quota_bytes, quota_files, created_at"
FILE = "id, project_id, sha256, bytes, mime_type, filename, purpose, kind, created_at, expires_at"
_PROJECT = "id, organisation_id, name, upload_ttl, generated_ttl, created_at, retention, zero_data_retention"
_KEY = "id, project_id, name, hash, hint, created_at, revoked_at, last_used_at"
JOB = (
    "id, project_id, kind, model, provider, work_order, state, created_at, store, inputs, attempts, owner, "
    "lease_until, checkpoint, progress, file_id, mime_type, error, cancelled, warnings, finished_at"
)
_INSERT_JOB = (
    f"INSERT INTO jobs ({JOB}) VALUES ({', '.join('?' * len(Job.__struct_fields__))}) ON CONFLICT (id) DO NOTHING"
)
_KNOWN_FILES = 2000
_FRESH = 0.1  # seconds
_RESET_KEEPING_PLACE = "state = 'queued', owner = NULL, lease_until = NULL"


class Connection(aiosqlite.Connection):
    """A connection that runs a whole piece of synchronous work on its own thread."""

    async def run(self, work: Work[T]) -> T:
        return await self._execute(work, self._conn)  # type: ignore[no-any-return,no-untyped-call]


class Reader:
    """A connection for reading: what was asked while it was busy is done in one visit to its thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    async def run(self, work: Work[T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, future))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_queued(), name="metadata-reader")
        return await future

    async def _read_queued(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                outcomes = await self._connection.run(partial(_attempt_all, [work for work, _ in batch]))
            except Exception as error:  # the connection itself is gone
                outcomes = [(None, error)] * len(batch)
            _tell(batch, outcomes)

    async def close(self) -> None:
        """Finish what was asked."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)


class KnownFiles:
    """Files as they were last read, so that one in use is not read again and again.

    All are forgotten when a row changes or goes: by this process before the change is told to anybody, by another one
    (the command that shortens a project's lives) within a tenth of a second.
    """

    def __init__(self, writer: Connection) -> None:
        self._writer = writer
        self._files: dict[str, File] = {}
        self._fresh_until = 0.0
        self._seen = 0
        self.version = 0
        self.writing = False  # the writer's connection is in a transaction, which may take as long as the disk does

    async def find(self, file_id: str) -> File | None:
        file = self._files.get(file_id)
        if file is None:
            return None
        now = time.monotonic()
        if now >= self._fresh_until:
            if self.writing:
                return None
            self._fresh_until = now + _FRESH
            # Of the writer's connection: there the pragma tells what others have committed, and not what we have.
            try:
                seen = await self._writer.run(lambda c: int(_one(c, "PRAGMA data_version")[0]))
            except sqlite3.Error as error:
                raise translated(error) from error
            if seen != self._seen:
                self._seen = seen
                self.forget()
        return self._files.get(file_id)

    def keep(self, file: File, version: int) -> None:
        """Remember a row that was read when this was the `version`; one from before a change is not taken."""
        if version == self.version:
            if len(self._files) >= _KNOWN_FILES:
                del self._files[next(iter(self._files))]
            self._files[file.id] = file

    def forget(self) -> None:
        self._files.clear()
        self.version += 1


def _attempt_all(works: Sequence[Work[Any]], connection: sqlite3.Connection) -> list[tuple[Any, Exception | None]]:
    outcomes: list[tuple[Any, Exception | None]] = []
    for work in works:
        try:
            outcomes.append((work(connection), None))
        except Exception as error:
            outcomes.append((None, error))
    return outcomes


def _tell(batch: Sequence[_Asked], outcomes: Sequence[tuple[Any, Exception | None]]) -> None:
    """Give each asker its outcome; one that went away does not make an error "never retrieved"."""
    for (_, future), (value, failure) in zip(batch, outcomes, strict=True):
        if future.done():
            continue
        if failure is None:
            future.set_result(value)
        else:
            future.set_exception(failure)
            future.exception()


async def _connect(path: Path, *, busy_timeout: float = 10.0) -> Connection:
    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, timeout=busy_timeout, cached_statements=256)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    connection = Connection(connector, 64)
    try:
        await connection
    except sqlite3.Error:
        await asyncio.to_thread(connection._thread.join)  # else its last word meets a loop that is closed
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database to the newest schema, one transaction a step; raises StorageFailed for a newer one."""
    while (version := version_of(connection)) != len(MIGRATIONS):
        if version > len(MIGRATIONS):
            raise StorageFailed(
                f"{path} was written by a newer opperlite (schema {version}; this one knows {len(MIGRATIONS)}): "
                "use that version, or another data folder"
            )
        _step(connection)


def _step(connection: sqlite3.Connection) -> None:
    """The next migration, unless another process has made it in the meantime."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        if version < len(MIGRATIONS):
            for statement in MIGRATIONS[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _open(connection: sqlite3.Connection, path: Path, check: bool) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    if check:
        found = _one(connection, "PRAGMA quick_check(1)")[0]
        if found != "ok":
            found = " ".join(found.split())
            raise StorageFailed(f"{path} is damaged ({found}): run `opperlite doctor`, or restore a backup")
    migrate(connection, path)


def translated(error: sqlite3.Error) -> Exception:
    """The domain's error for what the driver raised; anything that is no storage trouble stays as it is."""
    # A damaged file is a DatabaseError itself, a broken constraint one of its subclasses.
    if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
        # The low byte is the primary code (sqlite.org/rescode.html); errors of Python's own carry none.
        told = _TROUBLES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        return StorageFailed(f"{told} ({error})" if told else f"The database cannot be used: {error}")
    return error


_TROUBLES: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: "The disk is full: free some space, or delete files",
    sqlite3.SQLITE_READONLY: "The data folder is read-only: allow this user to write there",
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened: look at the data folder's permissions",
    sqlite3.SQLITE_BUSY: "The database is locked by another program: close that one",
    sqlite3.SQLITE_LOCKED: "The database is locked by another program: close that one",
    sqlite3.SQLITE_IOERR: "The disk failed under the database: it is full, or broken as the system's log tells",
    sqlite3.SQLITE_CORRUPT: "The database is damaged: run `opperlite doctor`, or restore a backup",
    sqlite3.SQLITE_NOTADB: "The database is damaged: run `opperlite doctor`, or restore a backup",
}


class SqliteMetadata:
    """`ports.MetadataStore` on one SQLite file."""

    def __init__(self, writer: Connection, readers: Sequence[Connection]) -> None:
        self._writer = writer
        self._known = KnownFiles(writer)
        self._readers = [Reader(connection) for connection in readers]
        self._turn = 0
        self._queue: list[_Asked] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._changes_files = False
        self._pump = asyncio.create_task(self._commit_queued(), name="metadata-writer")

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, readers: int = 2, check: bool = False) -> AsyncIterator[SqliteMetadata]:
        """Open or create the database; raises StorageFailed when it cannot be used.

        `check` looks for damage first, which takes about a second for a million files.
        """
        connections: list[Connection] = []
        store: SqliteMetadata | None = None
        try:
            writer = await _connect(path)
            connections.append(writer)
            await writer.run(lambda connection: _open(connection, path, check))
            connections.extend([await _connect(path) for _ in range(readers)])
            store = cls(writer, connections[1:])
            yield store
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            if store is not None:
                await store._close()
            for connection in reversed(connections):
                await connection.close()

    async def _close(self) -> None:
        """Finish what was asked, of callers that went away too."""
        self._closing = True
        self._wake.set()
        await self._pump
        for reader in self._readers:
            await reader.close()

    # ------------------------------------------------------------------------------- running the work

    async def _read(self, work: Work[T]) -> T:
        self._turn = (self._turn + 1) % len(self._readers)
        try:
            return await self._readers[self._turn].run(work)
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _write(self, work: Work[T], *, changes_files: bool = False) -> T:
        """`changes_files` tells that rows of files, as they were, may no longer hold."""
        if self._closing:
            raise StorageFailed("The database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, future))
        self._changes_files |= changes_files
        self._wake.set()
        # A caller that goes away does not tear a transaction: the work is done or not on its own.
        return await asyncio.shield(future)

    async def _commit_queued(self) -> None:
        while self._queue or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            batch, self._queue = self._queue, []
            changes_files, self._changes_files = self._changes_files, False
            if batch:
                await self._commit(batch, changes_files)

    async def _commit(self, batch: Sequence[_Asked], changes_files: bool) -> None:
        self._known.writing = True
        try:
            outcomes = await self._writer.run(lambda connection: _transaction(connection, [w for w, _ in batch]))
        except Exception as error:  # whatever it is, the callers hear of it and the writer goes on
            outcomes = [(None, translated(error) if isinstance(error, sqlite3.Error) else error)] * len(batch)
        self._known.writing = False
        if changes_files:
            self._known.forget()  # before anybody hears of it
        _tell(batch, outcomes)

    # ------------------------------------------------------------------------------ projects and keys

    async def revision(self) -> int:
        # Of one and the same connection: the pragma tells what has been committed beside it, by us or by others.
        try:
            return await self._readers[0].run(lambda c: int(_one(c, "PRAGMA data_version")[0]))
        except sqlite3.Error as error:
            raise translated(error) from error

    async def add_organisation(self, organisation: Organisation) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _refuse_taken(connection, "organisations", organisation.id, organisation.name)
            connection.execute(
                f"INSERT INTO organisations ({_ORGANISATION}) VALUES (?, ?, ?, ?, ?)",
                msgspec.structs.astuple(organisation),
            )

        await self._write(work)

    async def change_organisation(self, organisation_id: str, changes: OrganisationChanges) -> Organisation | None:
        def work(connection: sqlite3.Connection) -> Organisation | None:
            if changes.name is not msgspec.UNSET:
                _refuse_taken(connection, "organisations", organisation_id, changes.name)
            _change(connection, "organisations", organisation_id, changes)
            row = _one(connection, f"SELECT {_ORGANISATION} FROM organisations WHERE id = ?", organisation_id)
            return Organisation(*row) if row else None

        return await self._write(work)

    async def organisations(self, id_or_name: str | None = None) -> Sequence[Organisation]:
        rows = await self._read(lambda c: _named(c, f"SELECT {_ORGANISATION} FROM organisations", id_or_name))
        return [Organisation(*row) for row in rows]

    async def usages(self, now: float) -> Mapping[str, Usage]:
        def work(connection: sqlite3.Connection) -> Mapping[str, Usage]:
            rows = _all(
                connection,
                "SELECT id, used_bytes, used_files, quota_bytes, quota_files, coalesce(gone_bytes, 0), "
                "coalesce(gone_files, 0) FROM organisations LEFT JOIN (SELECT organisation_id, sum(bytes) AS "
                "gone_bytes, count(*) AS gone_files FROM files WHERE expires_at <= ? AND kind != 'temporary' "
                "GROUP BY organisation_id) ON organisation_id = id",
                now,
            )
            return {row[0]: Usage(row[1] - row[5], row[2] - row[6], row[3], row[4]) for row in rows}

        return await self._read(work)

    async def ensure_project(self, organisation: Organisation, project: Project) -> Project:
        def work(connection: sqlite3.Connection) -> Project:
            _ensure_organisation(connection, organisation)
            connection.execute(
                f"INSERT OR IGNORE INTO projects ({_PROJECT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                msgspec.structs.astuple(project),
            )
            return _project(_one(connection, f"SELECT {_PROJECT} FROM projects WHERE id = ?", project.id))

        return await self._write(work)

    async def project(self, project_id: str) -> Project | None:
        row = await self._read(lambda c: _one(c, f"SELECT {_PROJECT} FROM projects WHERE id = ?", project_id))
        return _project(row) if row else None

    async def projects(self, id_or_name: str | None = None) -> Sequence[Project]:
        rows = await self._read(lambda c: _named(c, f"SELECT {_PROJECT} FROM projects", id_or_name))
        return [_project(row) for row in rows]

    async def add_project(self, project: Project) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _insert_project(connection, project)

        await self._write(work)

    async def change_project(self, project_id: str, changes: ProjectChanges) -> Project | None:
        def work(connection: sqlite3.Connection) -> Project | None:
            before = _one(connection, f"SELECT {_PROJECT} FROM projects WHERE id = ?", project_id)
            if before is None:
                return None
            if changes.name is not msgspec.UNSET:
                _refuse_taken(connection, "projects", project_id, changes.name, _project(before).organisation_id)
            _change(connection, "projects", project_id, changes)
            return _project(_one(connection, f"SELECT {_PROJECT} FROM projects WHERE id = ?", project_id))

        return await self._write(work)

    async def shorten_lives(self, project_id: str, retention: float, limit: int) -> int:
        return await self._write(
            lambda c: (
                c.execute(
                    "UPDATE files SET expires_at = created_at + ?1 WHERE seq IN (SELECT seq FROM files "
                    "WHERE project_id = ?2 AND expires_at > created_at + ?1 LIMIT ?3)",
                    (retention, project_id, limit),
                ).rowcount
            ),
            changes_files=True,
        )

    async def add_key(self, key: Key) -> None:
        await self._write(
            lambda c: c.execute(
                f"INSERT INTO keys ({_KEY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(key)
            )
        )

    async def keys(self) -> Sequence[Key]:
        rows = await self._read(lambda c: _all(c, f"SELECT {_KEY} FROM keys ORDER BY created_at"))
        return [Key(*row) for row in rows]

    async def key_by_hash(self, digest: bytes) -> tuple[Key, Project] | None:
        def work(connection: sqlite3.Connection) -> tuple[Key, Project] | None:
            row = _one(connection, f"SELECT {_KEY} FROM keys WHERE hash = ? AND revoked_at IS NULL", digest)
            if row is None:
                return None
            key = Key(*row)
            return key, _project(_one(connection, f"SELECT {_PROJECT} FROM projects WHERE id = ?", key.project_id))

        return await self._read(work)

    async def revoke_key(self, key_id: str, now: float) -> Key | None:
        def work(connection: sqlite3.Connection) -> Key | None:
            connection.execute("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, key_id))
            row = _one(connection, f"SELECT {_KEY} FROM keys WHERE id = ?", key_id)
            return Key(*row) if row else None

        return await self._write(work)

    async def touch_key(self, key_id: str, now: float) -> None:
        await self._write(lambda c: c.execute("UPDATE keys SET last_used_at = ? WHERE id = ?", (now, key_id)))

    async def import_project(
        self,
        organisation: Organisation,
        project: Project,
        files: Iterable[File],
        jobs: Iterable[Job],
        transcripts: Iterable[tuple[str, Transcript]],
        now: float,
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _ensure_organisation(connection, organisation)
            if _one(connection, "SELECT 1 FROM projects WHERE id = ?", project.id):
                raise ValidationFailed(f"The project {project.id} exists here already", field="project")
            _insert_project(connection, project)
            for file in files:
                if _one(connection, "SELECT 1 FROM files WHERE id = ?", file.id):
                    raise ValidationFailed(f"The file {file.id} exists here already, in another project", field="files")
                _insert_file(connection, file, now)
            for job in jobs:
                if _one(connection, "SELECT 1 FROM jobs WHERE id = ?", job.id):
                    raise ValidationFailed(f"The job {job.id} exists here already, in another project", field="jobs")
                _insert_job(connection, job)
            for sha256, transcript in transcripts:
                _insert_transcript(connection, sha256, transcript, now)

        await self._write(work)

    # ------------------------------------------------------------------------------------------ files

    async def add_files(self, files: Sequence[File], now: float) -> Sequence[File]:
        def work(connection: sqlite3.Connection) -> Sequence[File]:
            standing = []
            for file in files:
                row = _one(connection, f"SELECT {FILE} FROM files WHERE id = ?", file.id)
                if row is None:
                    _insert_file(connection, file, now)
                standing.append(File(*row) if row else file)
            return standing

        return await self._write(work)

    async def file(self, project_id: str, file_id: str, now: float) -> File | None:
        file = await self.linked_file(file_id, now)
        return file if file and file.project_id == project_id and file.kind != "temporary" else None

    async def linked_file(self, file_id: str, now: float) -> File | None:
        file = await self._known.find(file_id)
        if file is None:
            version = self._known.version
            row = await self._read(lambda c: _one(c, f"SELECT {FILE} FROM files WHERE id = ?", file_id))
            if row is None:
                return None
            file = File(*row)
            self._known.keep(file, version)
        return file if file.expires_at > now else None

    async def files(
        self,
        project_id: str,
        limit: int,
        offset: int,
        now: float,
        *,
        purpose: str | None = None,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> FilePage:
        mine, named = "project_id = ? AND kind != 'temporary'", [project_id]
        if purpose is not None:
            mine, named = f"{mine} AND purpose = ?", [project_id, purpose]

        def work(connection: sqlite3.Connection) -> FilePage:
            beyond, place = "", []
            if after is not None:
                row = _one(connection, "SELECT seq FROM files WHERE id = ? AND project_id = ?", after, project_id)
                if row is None:
                    raise NotFound(f"No file {after[:64]!r} in this project")
                beyond, place = f"AND seq {'>' if oldest_first else '<'} ?", [row[0]]
            rows = _all(
                connection,
                # The plus keeps the expiry's index out: with it every live file would be read and sorted.
                f"SELECT {FILE} FROM files WHERE {mine} AND +expires_at > ? {beyond} "
                f"ORDER BY seq {'ASC' if oldest_first else 'DESC'} LIMIT ? OFFSET ?",
                *named,
                now,
                *place,
                limit,
                offset,
            )
            counter = "files FROM projects WHERE id = ?"
            if purpose is not None:
                counter = "files FROM purposes WHERE project_id = ? AND purpose = ?"
            counted = _one(connection, f"SELECT {counter}", *named) or (0,)
            gone = _one(connection, f"SELECT count(*) FROM files WHERE {mine} AND expires_at <= ?", *named, now)
            return FilePage(tuple(File(*row) for row in rows), counted[0] - gone[0])

        return await self._read(lambda c: _snapshot(c, work))

    async def end_file(self, project_id: str, file_id: str, now: float) -> bool:
        statement = "UPDATE files SET expires_at = ? WHERE id = ? AND project_id = ? AND expires_at > ?"
        return await self._write(
            lambda c: c.execute(statement, (now, file_id, project_id, now)).rowcount == 1, changes_files=True
        )

    async def delete_file(self, project_id: str, file_id: str, now: float) -> File | None:
        def work(connection: sqlite3.Connection) -> File | None:
            row = _one(
                connection,
                f"DELETE FROM files WHERE id = ? AND project_id = ? AND expires_at > ? AND kind != 'temporary' "
                f"RETURNING {FILE}",
                file_id,
                project_id,
                now,
            )
            if row is None:
                return None
            _uncount(connection, File(*row))
            return File(*row)

        return await self._write(work, changes_files=True)

    async def expired_files(self, now: float, limit: int) -> Sequence[File]:
        def work(connection: sqlite3.Connection) -> Sequence[File]:
            rows = _all(
                connection,
                f"DELETE FROM files WHERE seq IN (SELECT seq FROM files WHERE expires_at <= ? "
                f"ORDER BY expires_at LIMIT ?) RETURNING {FILE}",
                now,
                limit,
            )
            files = [File(*row) for row in rows]
            for file in files:
                if file.kind != "temporary":
                    _uncount(connection, file)
            return files

        return await self._write(work, changes_files=True)

    async def blob_wanted(self, sha256: str) -> bool:
        return await self._read(
            lambda c: (
                _one(
                    c,
                    "SELECT EXISTS (SELECT 1 FROM files WHERE sha256 = ?1) "
                    "OR EXISTS (SELECT 1 FROM job_inputs WHERE sha256 = ?1)",
                    sha256,
                )[0]
                == 1
            )
        )

    async def usage(self, organisation_id: str, now: float) -> Usage:
        return await self._read(lambda c: _snapshot(c, lambda c: _usage(c, organisation_id, now)))

    # ------------------------------------------------------------------------------------------- jobs

    async def add_job(self, job: Job, limit: int) -> Job:
        def work(connection: sqlite3.Connection) -> Job:
            if not _insert_job(connection, job):
                return job_of(_one(connection, f"SELECT {JOB} FROM jobs WHERE id = ?", job.id))
            counted = connection.execute(
                "UPDATE projects SET unfinished_jobs = unfinished_jobs + 1 WHERE id = ? AND unfinished_jobs < ?",
                (job.project_id, limit),
            )
            if counted.rowcount != 1:
                raise TooManyRequests(
                    f"This project already has {limit} jobs waiting or running; let some finish first", limit=limit
                )
            if job.inputs:
                connection.executemany(
                    "INSERT OR IGNORE INTO job_inputs (sha256, job_id) VALUES (?, ?)",
                    [(sha, job.id) for sha in job.inputs],
                )
            return job

        return await self._write(work)

    async def job(self, project_id: str, job_id: str) -> Job | None:
        row = await self._read(
            lambda c: _one(c, f"SELECT {JOB} FROM jobs WHERE id = ? AND project_id = ?", job_id, project_id)
        )
        return job_of(row) if row else None

    async def jobs(
        self,
        project_id: str,
        *,
        states: Sequence[JobState] = (),
        kind: JobKind | None = None,
        limit: int = 20,
        before: str | None = None,
        oldest_first: bool = False,
        ended_after: float = 0.0,
    ) -> Sequence[Job]:
        conditions = ["project_id = ?", "(finished_at IS NULL OR finished_at > ?)"]
        values: list[object] = [project_id, ended_after]
        if states:
            conditions.append(f"state IN ({', '.join('?' * len(states))})")
            values += states
        if kind is not None:
            conditions.append("kind = ?")
            values.append(kind)
        if before is not None:
            beyond = ">" if oldest_first else "<"
            conditions.append(f"seq {beyond} (SELECT seq FROM jobs WHERE id = ? AND project_id = ?)")
            values += [before, project_id]
        order = "ASC" if oldest_first else "DESC"
        statement = f"SELECT {JOB} FROM jobs WHERE {' AND '.join(conditions)} ORDER BY seq {order} LIMIT ?"
        return [job_of(row) for row in await self._read(lambda c: _all(c, statement, *values, limit))]

    async def take_job(self, job_id: str, owner: str, now: float, lease_until: float, attempts: int) -> Job | None:
        def work(connection: sqlite3.Connection) -> Job | None:
            free = "(state = 'queued' OR (state = 'running' AND lease_until <= ?))"
            worn = connection.execute(
                f"UPDATE jobs SET state = 'failed', error = ?, finished_at = ?, owner = NULL, lease_until = NULL "
                f"WHERE id = ? AND attempts >= ? AND {free}",
                (f"the work was interrupted {attempts} times", now, job_id, attempts, now),
            )
            if worn.rowcount:
                _job_ended(connection, job_id)
                return None
            row = _one(
                connection,
                f"UPDATE jobs SET state = 'running', owner = ?, lease_until = ?, attempts = attempts + 1 "
                f"WHERE id = ? AND {free} RETURNING {JOB}",
                owner,
                lease_until,
                job_id,
                now,
            )
            return job_of(row) if row else None

        return await self._write(work)

    async def renew_lease(self, job_id: str, owner: str, lease_until: float) -> bool:
        return await self._change_own(job_id, owner, "lease_until = ?", lease_until)

    async def save_checkpoint(self, job_id: str, owner: str, checkpoint: str) -> bool:
        return await self._change_own(job_id, owner, "checkpoint = ?", checkpoint)

    async def release_job(self, job_id: str, owner: str) -> bool:
        return await self._change_own(job_id, owner, f"{_RESET_KEEPING_PLACE}, attempts = max(attempts - 1, 0)")

    async def _change_own(self, job_id: str, owner: str, change: str, *values: object) -> bool:
        statement = f"UPDATE jobs SET {change} WHERE id = ? AND owner = ? AND state = 'running'"
        return await self._write(lambda c: c.execute(statement, (*values, job_id, owner)).rowcount == 1)

    async def end_job(self, job: Job, file: File | None, now: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            mine = "state = 'queued'" if job.owner is None else "state = 'running' AND owner = ?"
            condition = () if job.owner is None else (job.owner,)
            changed = connection.execute(
                f"UPDATE jobs SET state = ?, owner = NULL, lease_until = NULL, progress = ?, file_id = ?, "
                f"mime_type = ?, error = ?, cancelled = ?, warnings = ?, finished_at = ? WHERE id = ? AND {mine}",
                (
                    job.state,
                    job.progress,
                    job.file_id,
                    job.mime_type,
                    job.error,
                    job.cancelled,
                    msgspec.json.encode(job.warnings).decode(),
                    job.finished_at,
                    job.id,
                    *condition,
                ),
            ).rowcount
            if changed != 1:
                return False
            _job_ended(connection, job.id)
            if file is not None:
                _insert_file(connection, file, now)
            return True

        return await self._write(work)

    async def cancel_job(self, project_id: str, job_id: str, now: float) -> Job | None:
        def work(connection: sqlite3.Connection) -> Job | None:
            changed = connection.execute(
                "UPDATE jobs SET state = 'failed', error = 'cancelled', cancelled = 1, finished_at = ?, owner = NULL, "
                "lease_until = NULL WHERE id = ? AND project_id = ? AND finished_at IS NULL",
                (now, job_id, project_id),
            )
            if changed.rowcount:
                _job_ended(connection, job_id)
            row = _one(connection, f"SELECT {JOB} FROM jobs WHERE id = ? AND project_id = ?", job_id, project_id)
            return job_of(row) if row else None

        return await self._write(work)

    async def delete_job(self, project_id: str, job_id: str) -> bool:
        statement = "DELETE FROM jobs WHERE id = ? AND project_id = ? AND finished_at IS NOT NULL"
        return await self._write(lambda c: c.execute(statement, (job_id, project_id)).rowcount == 1)

    async def unfinished_jobs(self, now: float) -> Sequence[str]:
        rows = await self._read(
            lambda c: _all(
                c,
                "SELECT id FROM jobs WHERE finished_at IS NULL AND (state = 'queued' OR lease_until <= ?) ORDER BY seq",
                now,
            )
        )
        return [row[0] for row in rows]

    async def reset_leases(self) -> int:
        statement = "UPDATE jobs SET lease_until = 0 WHERE state = 'running' AND finished_at IS NULL"
        return await self._write(lambda c: c.execute(statement).rowcount)

    async def expired_jobs(self, ended_before: float, limit: int) -> int:
        return await self._write(
            lambda c: (
                c.execute(
                    "DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs WHERE finished_at IS NOT NULL "
                    "AND finished_at <= ? ORDER BY finished_at LIMIT ?)",
                    (ended_before, limit),
                ).rowcount
            )
        )

    # ------------------------------------------------------------------------------------ idempotency

    async def claim_reply(self, project_id: str, key: str, now: float, since: float) -> Claim:
        def work(connection: sqlite3.Connection) -> Claim:
            connection.execute(
                "DELETE FROM replies WHERE project_id = ? AND key = ? AND created_at < ?", (project_id, key, since)
            )
            row = _one(
                connection,
                "SELECT token, released, fingerprint, status, media_type, body, headers FROM replies "
                "WHERE project_id = ? AND key = ?",
                project_id,
                key,
            )
            if row is None:
                token = secrets.token_bytes(16)
                connection.execute(
                    "INSERT INTO replies (project_id, key, created_at, token) VALUES (?, ?, ?, ?)",
                    (project_id, key, now, token),
                )
                return Claim(token)
            token, released, fingerprint, status = row[:4]
            if status is not None:
                reply = Reply(status, row[4], row[5], msgspec.json.decode(row[6], type=dict[str, str]))
                return Claim(token, True, fingerprint, reply)
            if not released:
                raise IdempotencyInProgress()
            connection.execute("UPDATE replies SET released = 0 WHERE project_id = ? AND key = ?", (project_id, key))
            return Claim(token, True)

        return await self._write(work)

    async def save_reply(self, project_id: str, key: str, fingerprint: bytes, reply: Reply) -> None:
        headers = msgspec.json.encode(reply.headers).decode()
        await self._write(
            lambda c: c.execute(
                "UPDATE replies SET fingerprint = ?, status = ?, media_type = ?, body = ?, headers = ? "
                "WHERE project_id = ? AND key = ?",
                (fingerprint, reply.status, reply.media_type, reply.body, headers, project_id, key),
            )
        )

    async def release_claim(self, project_id: str, key: str) -> None:
        await self._write(
            lambda c: c.execute(
                "UPDATE replies SET released = 1 WHERE project_id = ? AND key = ? AND status IS NULL", (project_id, key)
            )
        )

    async def sweep_replies(self, before: float) -> None:
        await self._write(lambda c: c.execute("DELETE FROM replies WHERE created_at < ?", (before,)))

    async def release_claims(self) -> None:
        await self._write(lambda c: c.execute("UPDATE replies SET released = 1 WHERE status IS NULL"))

    # ------------------------------------------------------------------------------------ transcripts

    async def save_transcript(self, sha256: str, transcript: Transcript, now: float) -> None:
        await self._write(lambda c: _insert_transcript(c, sha256, transcript, now))

    async def transcript(self, sha256: str) -> Transcript | None:
        row = await self._read(lambda c: _one(c, "SELECT body FROM transcripts WHERE sha256 = ?", sha256))
        return msgspec.msgpack.decode(row[0], type=Transcript) if row else None

    async def sweep_transcripts(self, before: float) -> None:
        await self._write(
            lambda c: c.execute(
                "DELETE FROM transcripts WHERE created_at < ? AND sha256 NOT IN (SELECT sha256 FROM files)", (before,)
            )
        )


# ---------------------------------------------------------------------------------- on the connection


def _transaction(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[tuple[Any, Exception | None]]:
    """Run all in one transaction, each in its own savepoint; a failing one undoes only itself."""
    outcomes: list[tuple[Any, Exception | None]] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for work in works:
            connection.execute("SAVEPOINT method")
            try:
                outcomes.append((work(connection), None))
            except Exception as error:
                if (
                    not connection.in_transaction
                ):  # a full or failing disk undoes all (sqlite.org/lang_transaction.html)
                    raise
                connection.execute("ROLLBACK TO method")
                outcomes.append((None, translated(error) if isinstance(error, sqlite3.Error) else error))
            connection.execute("RELEASE method")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _snapshot(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Let several reads see one state."""
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:  # a failing disk ends it
            connection.execute("ROLLBACK")


def _one(connection: sqlite3.Connection, statement: str, *values: object) -> Any:
    return connection.execute(statement, values).fetchone()


def _all(connection: sqlite3.Connection, statement: str, *values: object) -> list[Any]:
    return connection.execute(statement, values).fetchall()


def _named(connection: sqlite3.Connection, statement: str, id_or_name: str | None) -> list[Any]:
    """All rows, or the one with that id, else those of that name."""
    order = "ORDER BY created_at, id"
    if id_or_name is None:
        return _all(connection, f"{statement} {order}")
    by_id = _all(connection, f"{statement} WHERE id = ?", id_or_name)
    return by_id or _all(connection, f"{statement} WHERE name = ? {order}", id_or_name)


def _refuse_taken(
    connection: sqlite3.Connection, table: str, own_id: str, name: str, organisation_id: str | None = None
) -> None:
    where = "name = ? AND id != ?"
    values = [name, own_id]
    if organisation_id is not None:
        where, values = f"{where} AND organisation_id = ?", [*values, organisation_id]
    taken = _one(connection, f"SELECT id FROM {table} WHERE {where}", *values)
    if taken is not None:
        raise ValidationFailed(f"The name {name!r} is taken by {taken[0]}; choose another one", field="name")


def _change(connection: sqlite3.Connection, table: str, own_id: str, changes: Struct) -> None:
    fields = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
    if fields:
        setters = ", ".join(f"{name} = ?" for name in fields)
        connection.execute(f"UPDATE {table} SET {setters} WHERE id = ?", (*fields.values(), own_id))


def _usage(connection: sqlite3.Connection, organisation_id: str, now: float) -> Usage:
    """The counters, less what has expired and is not swept yet."""
    row = _one(
        connection,
        "SELECT used_bytes, used_files, quota_bytes, quota_files FROM organisations WHERE id = ?",
        organisation_id,
    ) or (0, 0, 0, 0)
    gone_bytes, gone_files = _one(
        connection,
        "SELECT coalesce(sum(bytes), 0), count(*) FROM files "
        "WHERE organisation_id = ? AND expires_at <= ? AND kind != 'temporary'",
        organisation_id,
        now,
    )
    return Usage(row[0] - gone_bytes, row[1] - gone_files, row[2], row[3])


def _ensure_organisation(connection: sqlite3.Connection, organisation: Organisation) -> None:
    connection.execute(
        f"INSERT OR IGNORE INTO organisations ({_ORGANISATION}) VALUES (?, ?, ?, ?, ?)",
        msgspec.structs.astuple(organisation),
    )


def _insert_project(connection: sqlite3.Connection, project: Project) -> None:
    _refuse_taken(connection, "projects", project.id, project.name, project.organisation_id)
    connection.execute(
        f"INSERT INTO projects ({_PROJECT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(project)
    )


def _insert_job(connection: sqlite3.Connection, job: Job) -> bool:
    """False when there is a job of that id already, which stays as it is."""
    return connection.execute(_INSERT_JOB, _job_row(job)).rowcount == 1


def _insert_transcript(connection: sqlite3.Connection, sha256: str, transcript: Transcript, now: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO transcripts (sha256, body, created_at) VALUES (?, ?, ?)",
        (sha256, msgspec.msgpack.encode(transcript), now),
    )


def _job_ended(connection: sqlite3.Connection, job_id: str) -> None:
    """What goes with a job's end, once: its inputs are no longer wanted, and one fewer is unfinished."""
    connection.execute("DELETE FROM job_inputs WHERE job_id = ?", (job_id,))
    connection.execute(
        "UPDATE projects SET unfinished_jobs = unfinished_jobs - 1 "
        "WHERE id = (SELECT project_id FROM jobs WHERE id = ?)",
        (job_id,),
    )


def _insert_file(connection: sqlite3.Connection, file: File, now: float) -> None:
    organisation_id = _one(connection, "SELECT organisation_id FROM projects WHERE id = ?", file.project_id)[0]
    if file.kind != "temporary":
        usage = _usage(connection, organisation_id, now)
        if usage.bytes + file.bytes > usage.quota_bytes or usage.files + 1 > usage.quota_files:
            raise QuotaExceeded(
                used_bytes=usage.bytes,
                quota_bytes=usage.quota_bytes,
                used_files=usage.files,
                quota_files=usage.quota_files,
                needed_bytes=file.bytes,
            )
        _count(connection, organisation_id, file, 1)
    connection.execute(
        f"INSERT INTO files ({FILE}, organisation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*msgspec.structs.astuple(file), organisation_id),
    )


def _uncount(connection: sqlite3.Connection, file: File) -> None:
    organisation_id = _one(connection, "SELECT organisation_id FROM projects WHERE id = ?", file.project_id)[0]
    _count(connection, organisation_id, file, -1)


def _count(connection: sqlite3.Connection, organisation_id: str, file: File, sign: int) -> None:
    connection.execute(
        "UPDATE organisations SET used_bytes = used_bytes + ?, used_files = used_files + ? WHERE id = ?",
        (sign * file.bytes, sign, organisation_id),
    )
    connection.execute("UPDATE projects SET files = files + ? WHERE id = ?", (sign, file.project_id))
    connection.execute(
        "INSERT INTO purposes (project_id, purpose, files) VALUES (?, ?, ?) "
        "ON CONFLICT (project_id, purpose) DO UPDATE SET files = files + excluded.files",
        (file.project_id, file.purpose, sign),
    )
    if sign < 0:  # purposes are free text: those without files are not kept
        connection.execute(
            "DELETE FROM purposes WHERE project_id = ? AND purpose = ? AND files <= 0", (file.project_id, file.purpose)
        )


def _project(row: Any) -> Project:
    project = Project(*row)
    return msgspec.structs.replace(project, zero_data_retention=bool(project.zero_data_retention))


def _job_row(job: Job) -> tuple[object, ...]:
    values = msgspec.structs.asdict(job)
    values["inputs"] = msgspec.json.encode(job.inputs).decode()
    values["warnings"] = msgspec.json.encode(job.warnings).decode()
    return tuple(values.values())


def job_of(row: Any) -> Job:
    values = dict(zip(Job.__struct_fields__, row, strict=True))
    values["store"] = bool(values["store"])
    values["cancelled"] = bool(values["cancelled"])
    values["inputs"] = msgspec.json.decode(values["inputs"], type=tuple[str, ...])
    values["warnings"] = msgspec.json.decode(values["warnings"], type=tuple[Warning, ...])
    return Job(**values)
