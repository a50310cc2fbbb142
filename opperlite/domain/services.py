"""Everything the program can do, put together: what an API, a console or a command works with."""

from __future__ import annotations

import asyncio
import logging

from opperlite.domain.audio import AudioMaker
from opperlite.domain.errors import OpperliteError, Unavailable
from opperlite.domain.files import Files
from opperlite.domain.images import ImageMaker
from opperlite.domain.jobs import Jobs
from opperlite.domain.models import Catalog
from opperlite.domain.outputs import Studio
from opperlite.domain.ports import BlobStore, Clock, Fetcher, Inspector, JobQueue, MetadataStore, Provider
from opperlite.domain.projects import Projects
from opperlite.domain.sources import SourceReader
from opperlite.domain.types import Policy
from opperlite.domain.videos import Performer, VideoMaker

log = logging.getLogger("opperlite.sweep")

_ORPHANS_EVERY = 3600.0
_TRANSCRIPT_GRACE = 86400.0


class Services:
    """The domain's services over one set of ports, and the sweeper that tidies behind them."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        blobs: BlobStore,
        queue: JobQueue,
        fetcher: Fetcher,
        clock: Clock,
        provider: Provider,
        inspector: Inspector,
        catalog: Catalog,
        policy: Policy,
        projects: Projects,
        secret: bytes,
    ) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy
        self.catalog = catalog
        self.engine = provider.name
        self.projects = projects
        self.files = Files(store, blobs, clock, inspector, policy, secret)
        reader = SourceReader(self.files, store, fetcher, inspector, clock, secret)
        studio = Studio(self.files, reader, catalog, provider, clock, policy)
        self.jobs = Jobs(store, queue, self.files, clock, policy, Performer(studio))
        self.images = ImageMaker(studio)
        self.audio = AudioMaker(studio, store)
        self.videos = VideoMaker(studio, self.jobs, self.images)
        self._sweeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Recover what an earlier process left, then work."""
        await self.store.release_claims()
        await self.jobs.start()
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="sweeper")

    async def stop(self) -> None:
        """Finish or put back what runs."""
        self._stopping = True
        await self.jobs.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    async def check(self) -> None:
        """Raises Unavailable while stopping, StorageFailed when the database does not answer."""
        if self._stopping:
            raise Unavailable("The server is stopping")
        await self.store.project("")

    async def sweep(self) -> None:
        """End what has expired: files, job records, kept replies, transcripts."""
        now = self.clock.now()
        await self.files.sweep()
        await self.jobs.sweep()
        await self.store.sweep_replies(now - self.policy.reply_ttl)
        await self.store.sweep_transcripts(now - _TRANSCRIPT_GRACE)

    async def _sweep_forever(self) -> None:
        orphans_at: float | None = None
        every = min(_ORPHANS_EVERY, max(self.policy.orphan_grace, self.policy.sweep_interval))
        while True:
            try:
                await self.sweep()
                now = self.clock.now()
                if orphans_at is None or abs(now - orphans_at) >= every:  # abs: a clock may be set back
                    orphans_at = now
                    await self.files.sweep_orphans()
            except OpperliteError as error:
                log.error("sweeping failed: %s", error)
            except Exception:  # a defect in one sweep must not end all later ones
                log.exception("sweeping broke")
            await asyncio.sleep(self.policy.sweep_interval)
