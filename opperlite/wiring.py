"""Which adapters stand behind the ports: the only file that names them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from opperlite import __version__
from opperlite.adapters import data_folder
from opperlite.adapters.archive_tar import TarReader, TarWriter
from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.clock_system import SystemClock
from opperlite.adapters.fetch_http import HttpFetcher
from opperlite.adapters.folder_lock import FolderLock, holder
from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.adapters.provider_offline import OfflineProvider, recognition_model_fault, voice_model_fault
from opperlite.adapters.queue_inprocess import InProcessQueue
from opperlite.adapters.upkeep_sqlite import SqliteUpkeep, schema_lead
from opperlite.adapters.workers import Workers
from opperlite.config import ConfigError, Settings
from opperlite.domain.backups import Advance, Copied
from opperlite.domain.collection import Collected, collect
from opperlite.domain.diagnosis import Doctor, Finding
from opperlite.domain.errors import StorageFailed
from opperlite.domain.models import Catalog
from opperlite.domain.projects import Projects
from opperlite.domain.services import Services
from opperlite.domain.tenants import Tenants
from opperlite.domain.transfers import Export, Import, Transferred
from opperlite.domain.types import Policy

log = logging.getLogger("opperlite.start")

_OLDER = "written by an older opperlite; the next start of the server brings it up to date"
_NEWER = "written by a newer opperlite: use that version, or another data folder"


def load_catalog(settings: Settings) -> Catalog:
    """The packaged models and the user's; raises `models.CatalogError`."""
    return Catalog.load(settings.catalog)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything, on the settings' data folder, which is then this process's alone. Not yet started.

    Raises StorageFailed when the folder cannot be used or another server has it, `models.CatalogError`, and
    ConfigError for a model folder that cannot be used.
    """
    _check_models(settings)
    catalog = load_catalog(settings)
    folder = _prepared(settings.data)
    clock = SystemClock()
    policy = policy_of(settings)
    with FolderLock(folder / data_folder.LOCK) as lock:
        secret = read_secret(folder / data_folder.SECRET)
        interactive, batch = Workers(settings.workers), Workers(settings.jobs)
        blobs = LocalBlobs(folder)
        provider = OfflineProvider(interactive, batch, settings.voice_model, settings.recognition_model)
        try:
            async with SqliteMetadata.open(folder / data_folder.DATABASE, check=lock.unclean) as store:
                if lock.unclean:
                    log.warning("the last server on %s did not end properly; its database is sound", folder)
                    lock.unclean = False
                yield Services(
                    store=store,
                    blobs=blobs,
                    queue=InProcessQueue(),
                    fetcher=HttpFetcher(
                        timeout=settings.fetch_timeout,
                        redirects=settings.fetch_max_redirects,
                        allowed=settings.allow_source,
                    ),
                    clock=clock,
                    provider=provider,
                    inspector=provider,
                    catalog=catalog,
                    policy=policy,
                    projects=Projects(store, clock, policy, secret, settings.auth),
                    secret=secret,
                )
        finally:
            await interactive.close()
            await batch.close()
            blobs.close()


def _check_models(settings: Settings) -> None:
    for name, folder, fault in (
        ("voice_model", settings.voice_model, voice_model_fault),
        ("recognition_model", settings.recognition_model, recognition_model_fault),
    ):
        if folder is not None and (found := fault(folder)) is not None:
            raise ConfigError(f"{name}: {found}.")


@asynccontextmanager
async def open_projects(settings: Settings) -> AsyncIterator[Projects]:
    """Projects and keys alone, also beside a running server."""
    folder = _prepared(settings.data)
    secret = read_secret(folder / data_folder.SECRET)
    async with SqliteMetadata.open(folder / data_folder.DATABASE, readers=1) as store:
        yield Projects(store, SystemClock(), policy_of(settings), secret, "keys")


# ------------------------------------------------------------------------------------------------- upkeep


async def examine(settings: Settings, repair: bool, advance: Advance) -> tuple[list[Finding], int]:
    """The doctor's findings on a data folder, and how many blobs it read; changes nothing without `repair`.

    Raises StorageFailed when it is to repair and a server has the folder.
    """
    folder, clock = settings.data, SystemClock()
    async with AsyncExitStack() as stack:
        if repair:
            stack.enter_context(FolderLock(_existing(folder) / data_folder.LOCK))
        found = data_folder.inspect(folder, clock.now() - settings.orphan_grace, repair)
        if not _has_database(folder):
            return found, 0
        blobs = stack.enter_context(closing(LocalBlobs(folder)))
        database = folder / data_folder.DATABASE
        try:
            lead = await asyncio.to_thread(schema_lead, database)
            if lead > 0:
                return [*found, Finding("database", database.name, _NEWER)], 0
            older = lead < 0 and not repair
            opened = SqliteUpkeep.open_copy(database) if older else SqliteUpkeep.open(database, writable=repair)
            rows = await stack.enter_async_context(opened)
        except StorageFailed as error:
            return [*found, Finding("database", database.name, error.message, "damage")], 0
        if lead < 0:
            found.append(Finding("database", database.name, _OLDER, "note", repaired=repair))
        doctor = Doctor(rows, blobs, clock, settings.orphan_grace, repair, advance)
        return [*found, *await doctor.findings()], doctor.examined


def server_of(settings: Settings) -> str | None:
    """The id of the process that has the data folder at this moment, or None."""
    return holder(settings.data / data_folder.LOCK)


async def collect_garbage(settings: Settings, advance: Advance) -> Collected:
    """Sweep everything now; raises StorageFailed when a server has the folder."""
    folder = _existing(settings.data)
    async with _alone(folder) as store:
        with closing(LocalBlobs(folder)) as blobs:
            return await collect(store, blobs, SystemClock(), policy_of(settings), advance)


async def back_up(settings: Settings, target: Path, into_folder: bool, advance: Advance) -> tuple[Path, Copied]:
    """Copy the data folder to a file or into a folder, also beside a running server."""
    return await data_folder.back_up(_existing(settings.data), target, into_folder, SystemClock().now(), advance)


async def restore(settings: Settings, source: Path, at: str | None, advance: Advance) -> int:
    """Bring a backup into the data folder, which must be empty; the number of blobs."""
    return await data_folder.restore(settings.data, source, at, advance)


async def export_project(settings: Settings, project: str, target: Path, advance: Advance) -> Transferred:
    """Write one project to a file, also beside a running server."""
    folder = _existing(settings.data)
    async with open_projects(settings) as projects, SqliteUpkeep.open(folder / data_folder.DATABASE) as rows:
        exported = await projects.tenants.project(project)
        owner = await projects.tenants.organisation(exported.organisation_id)
        _, total = await rows.blob_total()
        with closing(LocalBlobs(folder)) as blobs, TarWriter(target) as archive:
            export = Export(rows, blobs, archive, archive.workspace, advance)
            done = await export.run(owner.organisation, exported, SystemClock().now(), __version__, total)
            archive.commit()
        return done


async def import_project(settings: Settings, source: Path, organisation: str | None, advance: Advance) -> Transferred:
    """Take an exported project in; raises StorageFailed when a server has the folder."""
    folder, clock = _prepared(settings.data), SystemClock()
    read_secret(folder / data_folder.SECRET)
    async with _alone(folder) as store:
        tenants = Tenants(store, clock, policy_of(settings))
        owner = None if organisation is None else (await tenants.organisation(organisation)).organisation
        with closing(LocalBlobs(folder)) as blobs, TarReader(source) as reader:
            return await Import(reader, store, blobs, advance).run(owner, clock.now())


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[SqliteMetadata]:
    """The rows of a data folder that no server has; looked at closely when the last one did not end properly."""
    with FolderLock(folder / data_folder.LOCK) as lock:
        async with SqliteMetadata.open(folder / data_folder.DATABASE, check=lock.unclean) as store:
            lock.unclean = False
            yield store


def _existing(folder: Path) -> Path:
    if not _has_database(folder):
        raise StorageFailed(f"{folder} is no data folder of opperlite; name one with --data")
    return folder


def _has_database(folder: Path) -> bool:
    return (folder / data_folder.DATABASE).is_file()


# ----------------------------------------------------------------------------------------------- settings


def policy_of(settings: Settings) -> Policy:
    """The part of the settings that the domain works by."""
    return Policy(
        max_file_size=settings.max_file_size,
        store_default=settings.store_default,
        quota_bytes=settings.quota_bytes,
        quota_files=settings.quota_files,
        upload_ttl=settings.upload_ttl,
        generated_ttl=settings.generated_ttl,
        retention=settings.retention,
        zero_data_retention=settings.zero_data_retention,
        link_ttl=settings.link_ttl,
        job_ttl=settings.job_ttl,
        orphan_grace=settings.orphan_grace,
        sweep_interval=settings.sweep_interval,
        jobs=settings.jobs,
        max_queued_jobs=settings.max_queued_jobs,
        job_attempts=settings.job_attempts,
        job_lease=settings.job_lease,
        shutdown_grace=settings.shutdown_grace,
        strict_retired=settings.strict_retired,
        caption=settings.caption,
        recognizer=settings.recognizer,
        placeholder_sources=settings.unreachable_sources == "placeholder",
    )


def read_secret(path: Path) -> bytes:
    """The data folder's signing secret, made at first use, readable by its owner alone."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(data_folder.SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    except OSError as error:
        raise StorageFailed(f"The signing secret {path} cannot be written: {error.strerror}") from error
    secret = path.read_bytes()
    if len(secret) != data_folder.SECRET_BYTES:
        raise StorageFailed(
            f"{path} is damaged: it should hold {data_folder.SECRET_BYTES} bytes; bring it back from a backup, "
            "or remove it to make a new one, with which all keys and links stop to work"
        )
    return secret


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageFailed(f"The data folder {folder} cannot be made: {error.strerror}") from error
    if data_folder.half_restored(folder):
        raise StorageFailed(f"A restore into {folder} was interrupted: run it again")
    return folder
