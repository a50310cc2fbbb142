"""The embedded engine as a provider: real media, made in worker processes, without network or weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from opperlite import __version__
from opperlite.adapters.mime_filetype import sniff
from opperlite.adapters.offline_tasks import Inspect, MakeImages, MakeVideo, Preview, Speak, Transcribe
from opperlite.adapters.workers import Workers
from opperlite.domain.errors import ProviderFailed, SourceUnusable, UnsupportedMedia
from opperlite.domain.ports import Made, PreviewVariant, Progress, Sources
from opperlite.domain.types import ImagePlan, Media, SpeechPlan, Transcript, TranscriptionPlan, VideoPlan

T = TypeVar("T")

_SOFTWARE = f"opperlite {__version__}"


class OfflineProvider:
    """`ports.Provider`, `ports.Previewer` and `ports.Inspector` over the engine.

    Jobs have workers of their own, so that a long clip does not keep a caller waiting for a picture.
    """

    name = "offline"

    def __init__(self, interactive: Workers, batch: Workers) -> None:
        self._interactive = interactive
        self._batch = batch

    def sniff(self, head: bytes) -> str | None:
        return sniff(head)

    async def inspect(self, path: Path) -> Media:
        try:
            media = (await self._interactive.do(Inspect(path))).media
        except SourceUnusable as error:
            raise UnsupportedMedia(error.message, **error.details) from None
        return _given(media)

    async def images(self, plan: ImagePlan, sources: Sources, workspace: Path) -> Sequence[Made]:
        done = await self._interactive.do(MakeImages(plan, sources, workspace, _SOFTWARE))
        return _given(done.made)

    async def video(
        self, plan: VideoPlan, sources: Sources, workspace: Path, progress: Progress, checkpoint: str | None
    ) -> Made:
        done = await self._batch.do(MakeVideo(plan, sources, workspace), progress.report)
        return _given(done.made)[0]

    async def speech(self, plan: SpeechPlan, workspace: Path) -> Made:
        return _given((await self._interactive.do(Speak(plan, workspace))).made)[0]

    async def transcribe(self, plan: TranscriptionPlan, audio: Path) -> Transcript:
        return _given((await self._interactive.do(Transcribe(plan, audio))).transcript)

    async def preview(self, media: Path, variant: PreviewVariant, count: int, workspace: Path) -> Sequence[Made]:
        return _given((await self._interactive.do(Preview(media, variant, count, workspace))).made)


def _given(result: T | None) -> T:
    if result is None:
        raise ProviderFailed("The engine's worker answered something else than it was asked")
    return result
