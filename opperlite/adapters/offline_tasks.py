"""What a worker process can do: each task is a struct, carried out by the embedded engine.

Only worker processes call `perform`; it imports the engine, and with it the heavy libraries, on first use.
"""

from __future__ import annotations

import tempfile
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from msgspec import Struct

from opperlite.adapters.mime_filetype import sniff
from opperlite.domain.ports import Made, PreviewVariant, Sources
from opperlite.domain.types import (
    ImagePlan,
    Media,
    Segment,
    SpeechPlan,
    Transcript,
    TranscriptionPlan,
    VideoPlan,
    Word,
)

_HEAD = 8192
_MAX_PIXELS = 100_000_000  # of one picture; a bomb of a few kilobytes unpacks to more than the machine's memory
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
Report = Callable[[float], None]


class Inspect(Struct, frozen=True, tag=True):
    """Read what a file is."""

    path: Path


class MakeImages(Struct, frozen=True, tag=True):
    """Draw the plan's images into a folder."""

    plan: ImagePlan
    sources: Sources
    folder: Path
    software: str


class MakeVideo(Struct, frozen=True, tag=True):
    """Render the plan's clip into a folder."""

    plan: VideoPlan
    sources: Sources
    folder: Path


class Speak(Struct, frozen=True, tag=True):
    """Speak the plan's input into a folder, by the user's own model where there is one."""

    plan: SpeechPlan
    folder: Path
    model: Path | None = None


class Transcribe(Struct, frozen=True, tag=True):
    """Write down what a recording says, by the user's own model where there is one."""

    plan: TranscriptionPlan
    path: Path
    model: Path | None = None


class Preview(Struct, frozen=True, tag=True):
    """Make smaller or coarser pictures of an image or a clip in a folder."""

    path: Path
    variant: PreviewVariant
    count: int
    folder: Path


Task = Inspect | MakeImages | MakeVideo | Speak | Transcribe | Preview
Outcome = Media | list[Made] | Transcript


def perform(task: Task, report: Report) -> Outcome:
    """Carry out a task; raises `engine.errors.BadMedia` for sources that cannot be used."""
    match task:
        case Inspect():
            return inspect(task.path)
        case MakeImages():
            return _images(task)
        case MakeVideo():
            return [_video(task, report)]
        case Speak():
            return [_speech(task, report)]
        case Transcribe():
            return _transcript(task, report)
        case Preview():
            return _previews(task)


# ------------------------------------------------------------------------------------------- inspection


def inspect(path: Path) -> Media:
    """What a file is, by its bytes; raises BadMedia when it is no image, video or audio that can be read."""
    from opperlite.engine.errors import BadMedia

    with path.open("rb") as file:
        mime_type = sniff(file.read(_HEAD))
    size = path.stat().st_size
    match (mime_type or "").partition("/")[0]:
        case "image":
            return _image_media(path, size)
        case "video":
            return _video_media(path, size, mime_type or "")
        case "audio":
            return _audio_media(path, size, mime_type or "")
    found = mime_type or "unknown bytes"
    raise BadMedia(f"found {found}; an image, a video or audio is needed")


def _image_media(path: Path, size: int) -> Media:
    from opperlite.engine.errors import BadMedia
    from opperlite.engine.pictures import pixels

    info = pixels.probe(path)
    if info.width * info.height > _MAX_PIXELS:
        raise BadMedia(
            f"The picture is {info.width}x{info.height}, {info.width * info.height:,} pixels; "
            f"at most {_MAX_PIXELS:,} are allowed."
        )
    return Media("image", info.mime_type, size, width=info.width, height=info.height)


def _video_media(path: Path, size: int, mime_type: str) -> Media:
    from opperlite.engine.clips import video
    from opperlite.engine.sound import audio

    try:
        info = video.probe(path)
    except video.SoundOnly:
        sound = audio.probe(path)  # a video container may hold sound alone
        return Media("audio", mime_type.replace("video/", "audio/"), size, duration=sound.duration, has_audio=True)
    return Media(
        "video",
        mime_type,
        size,
        width=info.width,
        height=info.height,
        duration=info.duration,
        fps=float(info.fps),
        frames=info.frames,
        has_audio=info.has_audio,
    )


def _audio_media(path: Path, size: int, mime_type: str) -> Media:
    from opperlite.engine.sound import audio

    info = audio.probe(path)
    return Media("audio", mime_type, size, duration=info.duration, has_audio=True)


# ----------------------------------------------------------------------------------------------- images


def _images(task: MakeImages) -> list[Made]:
    from opperlite.engine.pictures import origins, picture, pixels

    plan, sources = task.plan, task.sources
    if plan.width is None or plan.height is None:
        raise ValueError("an image plan must be settled before it is drawn")
    source = _decoded(sources.image, "image") if sources.image else None
    mask = _decoded(sources.mask, "mask") if sources.mask else None
    references = [_decoded(path, f"reference_images[{index}]") for index, path in enumerate(sources.reference_images)]
    made = []
    for index in range(plan.n):
        seed = plan.seed + index
        shared: dict[str, Any] = {
            "seed": seed,
            "style": plan.style,
            "transparent": plan.transparent,
            "caption": _caption(plan) if plan.caption else None,
        }
        if source is None and not references:
            drawn = picture.draw(plan.prompt, plan.width, plan.height, quality=plan.quality, **shared)
        elif source is None:
            blank = picture.draw(plan.prompt, plan.width, plan.height, seed=seed, style=plan.style)
            drawn = picture.edit(plan.prompt, blank, plan.width, plan.height, references=references, **shared)
        else:
            known = origins.origin(pixels.notes(sources.image)) if sources.image else None
            drawn = picture.edit(
                plan.prompt, source, plan.width, plan.height, mask=mask, references=references, origin=known, **shared
            )
        notes = {"prompt": plan.prompt, "model": plan.model, "seed": str(seed)}
        notes |= {"style": plan.style} if plan.style else {}
        notes["Software"] = task.software
        data = pixels.encode(drawn, plan.format, quality=plan.compression, metadata=notes)
        path = task.folder / f"image-{index}.{plan.format}"
        path.write_bytes(data)
        media = Media("image", f"image/{plan.format}", len(data), width=plan.width, height=plan.height)
        made.append(Made(path, media))
    return made


def _decoded(path: Path, field: str) -> Any:
    """The pixels of a source; raises BadMedia with the field's name in a note."""
    from opperlite.engine.errors import BadMedia
    from opperlite.engine.pictures import pixels

    try:
        return pixels.decode(path, max_pixels=_MAX_PIXELS)
    except BadMedia as error:
        error.add_note(field)
        raise


def _caption(plan: ImagePlan) -> str:
    return f"{plan.model}  {plan.width}x{plan.height}  {plan.prompt}"


# ----------------------------------------------------------------------------------------------- videos


def _video(task: MakeVideo, report: Report) -> Made:
    from opperlite.engine.clips import video

    plan, sources = task.plan, task.sources
    out = task.folder / "video.mp4"
    fps = None if plan.fps is None else Fraction(plan.fps).limit_denominator(1001)
    if sources.video is not None and plan.extension is not None:
        info = video.extend(out, plan.prompt, sources.video, frames=plan.extension, seed=plan.seed, progress=report)
    elif sources.video is not None:
        info = video.edit(
            out,
            plan.prompt,
            sources.video,
            width=plan.width,
            height=plan.height,
            fps=fps,
            frames=plan.frames,
            references=sources.reference_images,
            seed=plan.seed,
            progress=report,
        )
    else:
        if plan.width is None or plan.height is None or fps is None or plan.frames is None:
            raise ValueError("a video plan must be settled before it is rendered")
        info = video.generate(
            out,
            plan.prompt,
            width=plan.width,
            height=plan.height,
            fps=fps,
            frames=plan.frames,
            seed=plan.seed,
            audio=plan.audio,
            style=plan.style,
            image=sources.image,
            references=sources.reference_images,
            progress=report,
        )
    media = Media(
        "video",
        "video/mp4",
        out.stat().st_size,
        width=info.width,
        height=info.height,
        duration=info.duration,
        fps=float(info.fps),
        frames=info.frames,
        has_audio=info.has_audio,
    )
    return Made(out, media)


# ------------------------------------------------------------------------------------------------ audio


def _speech(task: Speak, report: Report) -> Made:
    from opperlite.engine.sound import audio, local_voice, speech

    plan = task.plan
    manner: dict[str, Any] = {
        "voice": plan.voice,
        "language": plan.language,
        "speed": plan.speed,
        "instructions": plan.instructions,
        "seed": plan.seed,
    }
    if task.model is None:
        spoken = speech.speak(plan.input, **manner)
    else:
        spoken = local_voice.speak(plan.input, task.model, **manner, progress=report)
    path = task.folder / f"speech.{plan.format}"
    audio.encode(spoken.samples, spoken.rate, plan.format, path)
    duration = len(spoken.samples) / spoken.rate
    words = tuple(Word(word.word, word.start, word.end) for word in spoken.words)
    return Made(
        path,
        Media("audio", audio.MIME_TYPES[plan.format], path.stat().st_size, duration=duration, has_audio=True),
        transcript=Transcript(spoken.text, spoken.language, duration, _sentences(words), words),
    )


def _sentences(words: Sequence[Word]) -> tuple[Segment, ...]:
    """The spoken words as one segment a sentence."""
    segments: list[Segment] = []
    begun: list[Word] = []
    for word in words:
        begun.append(word)
        if word is words[-1] or word.word.rstrip("\"'”’)»」").endswith(_SENTENCE_ENDS):
            segments.append(Segment(begun[0].start, word.end, " ".join(one.word for one in begun)))
            begun = []
    return tuple(segments)


def _transcript(task: Transcribe, report: Report) -> Transcript:
    from opperlite.engine.sound import local_recognition, recognition

    plan = task.plan
    manner: dict[str, Any] = {
        "language": plan.language,
        "prompt": plan.prompt,
        "diarize": plan.diarize,
        "progress": report,
    }
    with tempfile.TemporaryDirectory() as folder:
        manner["voices"] = _voices(plan, Path(folder))
        if task.model is None:
            heard = recognition.transcribe(task.path, **manner)
        else:
            heard = local_recognition.transcribe(task.path, task.model, **manner)
    return Transcript(
        text=heard.text,
        language=heard.language,
        duration=heard.duration,
        segments=tuple(Segment(part.start, part.end, part.text, part.speaker) for part in heard.segments),
        words=tuple(Word(word.word, word.start, word.end) for word in heard.words),
        by_model=task.model is not None,
    )


def _voices(plan: TranscriptionPlan, folder: Path) -> dict[str, Path]:
    """The samples of known speakers' voices as files, by name; raises BadMedia for what is no data-URI of sound."""
    from opperlite.engine.errors import BadMedia
    from opperlite.engine.sound import audio

    names = plan.parameters.get("known_speaker_names") or []
    references = plan.parameters.get("known_speaker_references") or []
    found: dict[str, Path] = {}
    for index, (name, reference) in enumerate(zip(names, references, strict=False)):
        path = folder / f"voice-{index}"
        try:
            path.write_bytes(_unpacked(reference))
            audio.probe(path)
        except BadMedia as error:
            error.add_note(f"known_speaker_references[{index}]")
            raise
        found[name] = path
    return found


def _unpacked(uri: str) -> bytes:
    from opperlite.engine.errors import BadMedia

    head, _, data = uri.partition(",")
    if head.startswith("data:") and head.endswith(";base64"):
        with suppress(ValueError):
            return b64decode(data, validate=True)
    raise BadMedia(f"found {uri[:40]!r}; a data-URI of sound in base64 is needed")


# --------------------------------------------------------------------------------------------- previews


def _previews(task: Preview) -> list[Made]:
    from opperlite.engine.clips import video
    from opperlite.engine.pictures import pixels

    if task.variant == "thumbnail":
        return [_preview(task, 0, video.thumbnail(task.path), "webp")]
    if task.variant == "spritesheet":
        return [_preview(task, 0, video.spritesheet(task.path), "jpeg")]
    picture = pixels.decode(task.path)
    kind = pixels.probe(task.path).mime_type.removeprefix("image/")
    return [
        _preview(task, index, pixels.coarse(picture, 8 << (task.count - 1 - index)), kind)
        for index in range(task.count)
    ]


def _preview(task: Preview, index: int, picture: Any, kind: str) -> Made:
    from opperlite.engine.pictures import pixels

    data = pixels.encode(picture, kind)
    path = task.folder / f"{task.variant}-{index}.{kind}"
    path.write_bytes(data)
    height, width = picture.shape[:2]
    return Made(path, Media("image", f"image/{kind}", len(data), width=width, height=height))
