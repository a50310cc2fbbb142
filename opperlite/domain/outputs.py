"""What becomes of a result: stored as a file, skipped with a warning, or kept for an hour behind a link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct

from opperlite.domain.errors import QuotaExceeded, StorageFailed
from opperlite.domain.files import Files, skipped
from opperlite.domain.models import Catalog, Model, retired_refusal, retirement
from opperlite.domain.ports import Clock, Made, Provider, Sources
from opperlite.domain.sources import Local, SourceReader
from opperlite.domain.types import File, ImagePlan, Media, Policy, Project, Source, VideoPlan, Warning

_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/opus": "opus",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/pcm": "pcm",
}


class Output(Struct, frozen=True):
    """One result: its media, the file it became where it was stored, its bytes where they are to be inline."""

    media: Media
    file: File | None = None
    data: bytes | None = None
    revised_prompt: str | None = None
    warning: Warning | None = None


class Studio:
    """What every kind of generation shares: models, sources in, results out."""

    def __init__(
        self,
        files: Files,
        reader: SourceReader,
        catalog: Catalog,
        provider: Provider,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self.files = files
        self.reader = reader
        self.catalog = catalog
        self.provider = provider
        self.clock = clock
        self.policy = policy

    def model(self, name: str, kind: str) -> tuple[Model, tuple[Warning, ...]]:
        """The model of that name and kind, with a warning when its vendor has retired it."""
        model = self.catalog.find(name, kind)
        warning = retirement(model, self.clock.now())
        if warning is not None and self.policy.strict_retired:
            raise retired_refusal(model, self.clock.now())
        return model, (warning,) if warning is not None else ()

    @asynccontextmanager
    async def inputs(
        self,
        project: Project,
        named: dict[str, Source | tuple[Source, ...] | None],
        workspace: Path,
        plan: ImagePlan | VideoPlan,
    ) -> AsyncIterator[dict[str, tuple[Local, ...]]]:
        """All sources of a request as local files, by field."""
        async with AsyncExitStack() as stack:
            found: dict[str, tuple[Local, ...]] = {}
            stands_in = self.policy.placeholder_sources
            for field, value in named.items():
                sources = value if isinstance(value, tuple) else (value,) if value is not None else ()
                opened = [
                    await stack.enter_async_context(
                        self.reader.open(
                            project,
                            source,
                            workspace,
                            placeholder=StandIn(self.provider, plan, field) if stands_in else None,
                        )
                    )
                    for source in sources
                ]
                if opened:
                    found[field] = tuple(opened)
            yield found

    @asynccontextmanager
    async def submitted(
        self,
        project: Project,
        named: dict[str, Source | tuple[Source, ...] | None],
        plan: ImagePlan | VideoPlan,
    ) -> AsyncIterator[dict[str, tuple[Local, ...]]]:
        """All sources of a job that is being submitted, in a workspace of their own where there are any."""
        if not any(named.values()):
            yield {}
            return
        async with (
            self.files.blobs.workspace() as workspace,
            self.inputs(project, named, workspace, plan) as inputs,
        ):
            yield inputs

    async def keep(self, project: Project, made: Made, *, store: bool, inline: bool, index: int, name: str) -> Output:
        """Store a result as asked; one that cannot be stored is given inline, with a warning."""
        reason = "zero_data_retention" if store and project.zero_data_retention else None
        data = await asyncio.to_thread(made.path.read_bytes) if inline or not store or reason else None
        file: File | None = None
        if store and reason is None:
            file, reason, data = await self._store(project, made, name, data)
        warning = skipped(reason, index) if reason else None
        return Output(made.media, file, data, made.revised_prompt, warning)

    async def _store(
        self, project: Project, made: Made, name: str, data: bytes | None
    ) -> tuple[File | None, str | None, bytes | None]:
        """The file, or the reason why there is none and then surely the bytes."""
        file: File | None = None
        try:
            async with self.files.blobs.adopt(made.path) as blob:
                new = self.files.describe(project, blob, made.media.mime_type, named(name, made.media), "generated")
                with suppress(QuotaExceeded):
                    file = await self.files.add(new)
                if file is None:
                    data = data or await self._bytes(blob.sha256)
                elif data is not None and file.sha256 != blob.sha256:  # what an earlier attempt made counts
                    data = await self._bytes(file.sha256)
        except StorageFailed:
            return None, "storage_error", data or await asyncio.to_thread(made.path.read_bytes)
        if file is None or file.sha256 != blob.sha256:
            await self.files.drop_blob(blob.sha256)
        return file, None if file else "quota_exceeded", data

    async def _bytes(self, sha256: str) -> bytes:
        return b"".join([piece async for piece in self.files.blobs.read(sha256)])


class StandIn:
    """Draws a stand-in for a source that cannot be reached, of the size that the request wants."""

    def __init__(self, provider: Provider, plan: ImagePlan | VideoPlan, field: str) -> None:
        self._provider = provider
        self._plan = plan
        self._field = field

    async def __call__(self, source: Source, workspace: Path) -> Path:
        words = Path(source.value.partition("?")[0]).stem.replace("-", " ").replace("_", " ") or "placeholder"
        width, height = self._plan.width or 1024, self._plan.height or 1024
        folder = workspace / f"stand-in-{self._field}"
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        if self._field == "video":
            clip = VideoPlan(model=self._plan.model, prompt=words, width=width, height=height, fps=24.0, frames=96)
            return (await self._provider.video(clip, Sources(), folder, _Silent(), None)).path
        picture = ImagePlan(model=self._plan.model, prompt=words, n=1, width=width, height=height, caption=False)
        return (await self._provider.images(picture, Sources(), folder))[0].path


class _Silent:
    def report(self, fraction: float) -> None:
        return None

    async def checkpoint(self, note: str) -> None:
        return None


def sources_of(inputs: dict[str, tuple[Local, ...]]) -> Sources:
    """The local files of a request's sources as a provider takes them."""

    def one(field: str) -> Path | None:
        return inputs[field][0].path if field in inputs else None

    return Sources(
        image=one("image"),
        mask=one("mask"),
        video=one("video"),
        reference_images=tuple(local.path for local in inputs.get("reference_images", ())),
    )


def media_of(inputs: dict[str, tuple[Local, ...]]) -> dict[str, tuple[Media, ...]]:
    """What the sources are, by field."""
    return {field: tuple(local.media for local in locals_) for field, locals_ in inputs.items()}


def named(stem: str, media: Media) -> str:
    """A file name with the extension of its type."""
    return f"{stem}.{_EXTENSIONS.get(media.mime_type, 'bin')}"
