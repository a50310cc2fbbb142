"""What a data folder holds, told from its rows and bytes themselves and not by the program."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

# Each kept counter beside what the rows add up to.
_COUNTERS = (
    "SELECT id, used_bytes, (SELECT coalesce(sum(bytes), 0) FROM files WHERE organisation_id = o.id "
    "AND kind != 'temporary') FROM organisations o",
    "SELECT id, used_files, (SELECT count(*) FROM files WHERE organisation_id = o.id "
    "AND kind != 'temporary') FROM organisations o",
    "SELECT id, files, (SELECT count(*) FROM files WHERE project_id = p.id AND kind != 'temporary') FROM projects p",
    "SELECT id, unfinished_jobs, (SELECT count(*) FROM jobs WHERE project_id = p.id AND finished_at IS NULL) "
    "FROM projects p",
    "SELECT project_id || ' ' || purpose, files, (SELECT count(*) FROM files f WHERE f.project_id = p.project_id "
    "AND f.purpose = p.purpose AND kind != 'temporary') FROM purposes p",
)
_STRAY = (  # rows that nothing should have left
    "SELECT job_id FROM job_inputs WHERE job_id NOT IN (SELECT id FROM jobs WHERE finished_at IS NULL)",
    "SELECT id FROM jobs WHERE (finished_at IS NULL) != (state IN ('queued', 'running'))",
    "SELECT id FROM jobs WHERE (state = 'completed') != (file_id IS NOT NULL)",
)


def rows(data: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{(data / 'opperlite.db').as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def faults(data: Path) -> list[str]:
    """Everything that is wrong: damage, counters, stray rows, files whose bytes are lost or others."""
    found = [str(row[0]) for row in rows(data, "PRAGMA quick_check") if row[0] != "ok"]
    for statement in _COUNTERS:
        found += [f"{owner}: {kept} kept, {true} true" for owner, kept, true in rows(data, statement) if kept != true]
    for statement in _STRAY:
        found += [f"stray: {row[0]}" for row in rows(data, statement)]
    for sha256, size in rows(data, "SELECT DISTINCT sha256, bytes FROM files"):
        found += _damage(data, str(sha256), size)
    return found


def _damage(data: Path, sha256: str, size: object) -> list[str]:
    path = data / "blobs" / sha256[:2] / sha256[2:4] / sha256
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [f"{sha256} is gone"]
    return [] if (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size) else [f"{sha256} is damaged"]


def orphans(data: Path) -> list[str]:
    """Bytes that no row names, and whatever lies in the staging folder."""
    named = {row[0] for row in rows(data, "SELECT sha256 FROM files UNION SELECT sha256 FROM job_inputs")}
    lying = [path.name for path in (data / "blobs").rglob("*") if path.is_file() and path.name not in named]
    return lying + [path.name for path in (data / "staging").iterdir()]
