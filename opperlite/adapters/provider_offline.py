"""The embedded engine as a provider: real media, made in worker processes, without network or weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    Jobs have workers of their own, so that a long clip does not keep a caller waiting for a picture. `voice_model` and
    `recognition_model` are folders with the user's own models, which then speak and listen.
    """

    name = "offline"

    def __init__(
        self,
        interactive: Workers,
        batch: Workers,
        voice_model: Path | None = None,
        recognition_model: Path | None = None,
    ) -> None:
        self._interactive = interactive
        self._batch = batch
        self._voice_model = voice_model
        self._recognition_model = recognition_model

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
        with _naming(self._voice_model):
            return _given((await self._interactive.do(Speak(plan, workspace, self._voice_model))).made)[0]

    async def transcribe(self, plan: TranscriptionPlan, audio: Path) -> Transcript:
        with _naming(self._recognition_model):
            return _given((await self._interactive.do(Transcribe(plan, audio, self._recognition_model))).transcript)

    async def preview(self, media: Path, variant: PreviewVariant, count: int, workspace: Path) -> Sequence[Made]:
        return _given((await self._interactive.do(Preview(media, variant, count, workspace))).made)


def voice_model_fault(folder: Path) -> str | None:
    """What keeps a folder from being a voice model that can be used, by its files; None when nothing does."""
    from opperlite.engine.sound import model_folders

    try:
        model_folders.check_voice(folder)
    except model_folders.BadModel as error:
        return str(error)
    return None


def recognition_model_fault(folder: Path) -> str | None:
    """The same for a recognition model."""
    from opperlite.engine.sound import model_folders

    try:
        model_folders.check_recognizer(folder)
    except model_folders.BadModel as error:
        return str(error)
    return None


@contextmanager
def _naming(model: Path | None) -> Iterator[None]:
    """Name the user's model where work with it failed: some libraries end their process instead of telling why."""
    try:
        yield
    except ProviderFailed as error:
        if model is None:
            raise
        raise ProviderFailed(f"{error.message} (with the model in {model})", **error.details) from error


def _given(result: T | None) -> T:
    if result is None:
        raise ProviderFailed("The engine's worker answered something else than it was asked")
    return result
