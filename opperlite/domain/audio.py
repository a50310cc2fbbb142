"""Speech and its transcription: both while the caller waits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import StorageFailed
from opperlite.domain.ids import new_id
from opperlite.domain.models import check_audio, plan_speech, plan_transcription, price_speech, price_transcription
from opperlite.domain.outputs import Output, Studio
from opperlite.domain.ports import MetadataStore
from opperlite.domain.types import (
    Project,
    SpeechRequest,
    Transcript,
    TranscriptionPlan,
    TranscriptionRequest,
    Warning,
)

log = logging.getLogger("opperlite.audio")


class Speech(Struct, frozen=True):
    """The answer to a call for speech. `characters` counts the code points of the input."""

    id: str
    model: str
    created: float
    output: Output
    characters: int
    cost: float
    warnings: tuple[Warning, ...]


class Transcription(Struct, frozen=True):
    """The answer to a call for a transcription. `recognizer` tells what was used: record, acoustic or model."""

    id: str
    model: str
    created: float
    transcript: Transcript
    cost: float
    recognizer: str
    warnings: tuple[Warning, ...]


class AudioMaker:
    """Speaks, and writes down what is said."""

    def __init__(self, studio: Studio, store: MetadataStore) -> None:
        self._studio = studio
        self._store = store

    async def speak(self, project: Project, request: SpeechRequest, *, store: bool | None) -> Speech:
        """The spoken input, inline and, as asked, stored. Cancelling stops the work."""
        studio = self._studio
        model, warnings = studio.model(request.model, "tts")
        plan = plan_speech(model, request)
        name = new_id("spch")
        wanted = studio.policy.store_default if store is None else store
        async with studio.files.blobs.workspace() as workspace:
            made = await studio.provider.speech(plan, workspace)
            output = await studio.keep(project, made, store=wanted, inline=True, index=0, name=name)
        if made.transcript is not None and not project.zero_data_retention:
            digest = output.file.sha256 if output.file else hashlib.sha256(output.data or b"").hexdigest()
            try:
                await self._store.save_transcript(digest, made.transcript, studio.clock.now())
            except StorageFailed as error:  # the speech is there; to write it down again will take ears
                log.warning("what was said in %s is not remembered: %s", digest, error)
        return Speech(
            id=name,
            model=request.model,
            created=studio.clock.now(),
            output=output,
            characters=len(request.input),
            cost=price_speech(model, len(request.input)),
            warnings=(*warnings, output.warning) if output.warning else warnings,
        )

    async def transcribe(self, project: Project, request: TranscriptionRequest) -> Transcription:
        """What is said in a recording; of speech made here, exactly what was spoken, unless the ears are asked."""
        studio = self._studio
        model, warnings = studio.model(request.model, "stt")
        plan = plan_transcription(model, request)
        limit = studio.policy.max_audio_size
        async with (
            studio.files.blobs.workspace() as workspace,
            studio.reader.open(project, request.audio, workspace, limit=limit) as local,
        ):
            check_audio(model, plan, local.media)
            known = await self._recorded(plan, local.path, local.sha256, bool(request.parameters.get("recognizer")))
            transcript = known or await studio.provider.transcribe(plan, local.path)
        return Transcription(
            id=new_id("trsc"),
            model=request.model,
            created=studio.clock.now(),
            transcript=transcript,
            cost=price_transcription(model, transcript.duration),
            recognizer="record" if known else "model" if transcript.by_model else "acoustic",
            warnings=warnings,
        )

    async def _recorded(
        self, plan: TranscriptionPlan, path: Path, sha256: str | None, chosen: bool
    ) -> Transcript | None:
        """What this server itself said in exactly these bytes, where that may be used."""
        recognizer = plan.recognizer if chosen else self._studio.policy.recognizer
        if recognizer != "record":
            return None
        digest = sha256 if sha256 is not None else await asyncio.to_thread(_digest, path)
        transcript = await self._store.transcript(digest)
        if transcript is None or not plan.diarize:
            return transcript
        return replace(transcript, segments=tuple(replace(part, speaker="A") for part in transcript.segments))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
