"""Which adapters stand behind the ports: the only file that names them."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.clock_system import SystemClock
from opperlite.adapters.fetch_http import HttpFetcher
from opperlite.adapters.folder_lock import FolderLock
from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.adapters.provider_offline import OfflineProvider
from opperlite.adapters.queue_inprocess import InProcessQueue
from opperlite.adapters.workers import Workers
from opperlite.config import Settings
from opperlite.domain.errors import StorageFailed
from opperlite.domain.models import Catalog
from opperlite.domain.projects import Projects
from opperlite.domain.services import Services
from opperlite.domain.types import Policy

log = logging.getLogger("opperlite.start")

_SECRET_BYTES = 32


def load_catalog(settings: Settings) -> Catalog:
    """The packaged models and the user's; raises `models.CatalogError`."""
    return Catalog.load(settings.catalog)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything, on the settings' data folder, which is then this process's alone. Not yet started.

    Raises StorageFailed when the folder cannot be used or another server has it, `models.CatalogError`.
    """
    catalog = load_catalog(settings)
    folder = _prepared(settings.data)
    clock = SystemClock()
    policy = policy_of(settings)
    with FolderLock(folder / "lock") as lock:
        secret = read_secret(folder / "secret")
        interactive, batch = Workers(settings.workers), Workers(settings.jobs)
        blobs = LocalBlobs(folder)
        provider = OfflineProvider(interactive, batch)
        try:
            async with SqliteMetadata.open(folder / "opperlite.db", check=lock.unclean) as store:
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


@asynccontextmanager
async def open_projects(settings: Settings) -> AsyncIterator[Projects]:
    """Projects and keys alone, also beside a running server."""
    folder = _prepared(settings.data)
    secret = read_secret(folder / "secret")
    async with SqliteMetadata.open(folder / "opperlite.db", readers=1) as store:
        yield Projects(store, SystemClock(), policy_of(settings), secret, "keys")


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
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    except OSError as error:
        raise StorageFailed(f"The signing secret {path} cannot be written: {error.strerror}") from error
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise StorageFailed(f"{path} is damaged: it should hold {_SECRET_BYTES} bytes; remove it to make a new one")
    return secret


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageFailed(f"The data folder {folder} cannot be made: {error.strerror}") from error
    return folder
