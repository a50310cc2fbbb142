"""Garbage: what has expired, what nothing names, what interrupted work left. For one who is alone on the store."""

from __future__ import annotations

from math import inf

from msgspec import Struct

from opperlite.domain.backups import Advance
from opperlite.domain.ports import BlobStore, Clock, MetadataStore
from opperlite.domain.types import Policy

_BATCH = 500
_TRANSCRIPT_GRACE = 86400.0


class Collected(Struct, frozen=True):
    """How much went: files and job records that had expired, blobs and temp files that nothing names."""

    files: int
    jobs: int
    blobs: int
    bytes: int
    temporary: int


async def collect(store: MetadataStore, blobs: BlobStore, clock: Clock, policy: Policy, advance: Advance) -> Collected:
    """Remove all of it at once. Nobody else stages anything, so that no grace period is needed."""
    now = clock.now()
    files = jobs = 0
    while expired := await store.expired_files(now, _BATCH):
        files += len(expired)
    while gone := await store.expired_jobs(now - policy.job_ttl, _BATCH):
        jobs += gone
    await store.sweep_replies(now - policy.reply_ttl)
    await store.sweep_transcripts(now - _TRANSCRIPT_GRACE)
    temporary = await blobs.sweep_staging(inf)
    names = [sha256 async for sha256, _ in blobs.all()]
    removed = freed = 0
    for done, sha256 in enumerate(names, 1):
        size = await blobs.size(sha256) or 0
        if await blobs.remove(sha256, lambda name=sha256: store.blob_wanted(name)):  # type: ignore[misc]
            removed, freed = removed + 1, freed + size
        advance(done, len(names))
    return Collected(files, jobs, removed, freed, temporary)
