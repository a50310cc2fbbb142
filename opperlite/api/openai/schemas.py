"""Every structure on the wire of `/v1`, in the shapes of the OpenAI packages of November 2026.

Times are Unix seconds. Members of requests that are not named here are left to the model's own rules.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from opperlite.api.schemas import ModelName, Prompt

# ------------------------------------------------------------------------------------------------ files


class FileObject(Struct, frozen=True, kw_only=True):
    """A file. `id` is a UUID; `status` is processed as soon as the file is there."""

    id: Annotated[str, Meta(examples=["9f86d081-884c-4d65-9a2f-eaa0c55ad015"])]
    object: Literal["file"] = "file"
    bytes: Annotated[int, Meta(ge=0)]
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed", "error"] = "processed"
    status_details: str | None = None


class FileObjectList(Struct, frozen=True, kw_only=True):
    """A page of files; `total` counts all of them."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    total: int
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(Struct, frozen=True):
    """The file is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


# ----------------------------------------------------------------------------------------------- images


class GenerateImages(Struct, frozen=True, kw_only=True):
    """A call for images."""

    prompt: Prompt
    model: ModelName | None = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    style: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    background: str | None = None
    moderation: str | None = None
    input_fidelity: str | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None
    user: str | None = None
    safety_identifier: str | None = None


class EditImages(GenerateImages, frozen=True, kw_only=True):
    """A call for edits; as a form, `image`, `image[]` and `mask` are files."""

    image: Any = None
    images: list[Any] | None = None
    mask: Any = None


class ImageObject(Struct, frozen=True, omit_defaults=True):
    """One image, inline or behind a link that is good for about an hour."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class ImageTokens(Struct, frozen=True):
    """The input's tokens by kind."""

    image_tokens: int
    text_tokens: int


class ImagesUsage(Struct, frozen=True):
    """Tokens, estimated: four characters of the prompt, and pixels by quality."""

    input_tokens: int
    input_tokens_details: ImageTokens
    output_tokens: int
    total_tokens: int


class ImagesResponse(Struct, frozen=True, kw_only=True):
    """The images that were made."""

    created: int
    data: list[ImageObject]
    background: str
    output_format: str
    quality: str
    size: str
    usage: ImagesUsage


class ImageEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image of a stream: a partial one, or a finished one with its usage."""

    type: str
    b64_json: str
    created_at: int
    size: str
    quality: str
    background: str
    output_format: str
    partial_image_index: int | None = None
    usage: ImagesUsage | None = None


# ------------------------------------------------------------------------------------------------ audio


class CreateSpeech(Struct, frozen=True, kw_only=True):
    """A call for speech."""

    model: ModelName
    input: Annotated[str, Meta(min_length=1, description="The text to speak.")]
    voice: str | dict[str, Any]
    response_format: str | None = None
    speed: float | None = None
    instructions: str | None = None
    stream_format: Literal["audio", "sse"] | None = None


class TokenUsage(Struct, frozen=True):
    """Tokens, estimated."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class SpeechDelta(Struct, frozen=True):
    """A piece of the audio."""

    audio: str
    type: Literal["speech.audio.delta"] = "speech.audio.delta"


class SpeechDone(Struct, frozen=True):
    """The audio is complete."""

    usage: TokenUsage
    type: Literal["speech.audio.done"] = "speech.audio.done"


class CreateTranscription(Struct, frozen=True, kw_only=True):
    """A call for the text of a recording, which comes as the file `file`."""

    model: ModelName
    language: str | None = None
    prompt: str | None = None
    response_format: str | None = None
    temperature: float | None = None
    timestamp_granularities: list[Literal["word", "segment"]] | None = None
    chunking_strategy: str | dict[str, Any] | None = None
    include: list[str] | None = None
    known_speaker_names: list[str] | None = None
    known_speaker_references: list[str] | None = None
    languages: list[str] | None = None
    keywords: list[str] | None = None
    stream: bool | None = None


class DurationUsage(Struct, frozen=True):
    """The seconds of audio."""

    seconds: float
    type: Literal["duration"] = "duration"


class TranscriptionText(Struct, frozen=True):
    """What was said."""

    text: str
    usage: DurationUsage


class VerboseSegment(Struct, frozen=True, kw_only=True):
    """A stretch of speech. The probabilities are fixed values: the recognizer gives none."""

    id: int
    start: float
    end: float
    text: str
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


class SpokenWord(Struct, frozen=True):
    """A word with its times in seconds."""

    word: str
    start: float
    end: float


class VerboseTranscription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said, with its times; `language` is a name, such as english."""

    task: str
    language: str
    duration: float
    text: str
    segments: list[VerboseSegment] | None = None
    words: list[SpokenWord] | None = None
    usage: DurationUsage


class SpeakerSegment(Struct, frozen=True, kw_only=True):
    """What one speaker said in one go."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    speaker: str
    text: str


class DiarizedTranscription(Struct, frozen=True, kw_only=True):
    """Who said what."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    text: str
    segments: list[SpeakerSegment]
    usage: DurationUsage


class TextDelta(Struct, frozen=True, omit_defaults=True):
    """More of the text."""

    delta: str
    type: str = ""
    segment_id: str | None = None


class TranscriptTokens(Struct, frozen=True):
    """Tokens, estimated."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    type: Literal["tokens"] = "tokens"


class TextDone(Struct, frozen=True):
    """The text is complete."""

    text: str
    usage: TranscriptTokens
    type: Literal["transcript.text.done"] = "transcript.text.done"


# ----------------------------------------------------------------------------------------------- videos


class CreateVideo(Struct, frozen=True, kw_only=True):
    """A call for a video; as a form, `input_reference` is a file."""

    prompt: Prompt
    model: ModelName | None = None
    seconds: int | str | None = None
    size: str | None = None
    input_reference: Any = None


class RemixVideo(Struct, frozen=True):
    """A new prompt for a video that is complete."""

    prompt: Prompt


class EditVideo(Struct, frozen=True, kw_only=True):
    """A prompt for a video: a file, or `{id}` of one that was made here."""

    prompt: Prompt
    video: Any = None
    model: ModelName | None = None


class ExtendVideo(EditVideo, frozen=True, kw_only=True):
    """A prompt for what comes after a video, and its seconds."""

    seconds: int | str


class VideoError(Struct, frozen=True):
    """Why a video failed."""

    code: str
    message: str


class Video(Struct, frozen=True, kw_only=True):
    """A video or the job that makes it."""

    id: Annotated[str, Meta(examples=["video_9f86d081884c4d659a2feaa0c55ad015"])]
    object: Literal["video"] = "video"
    created_at: int
    completed_at: int | None
    expires_at: int | None
    model: str
    progress: Annotated[int, Meta(ge=0, le=100)]
    prompt: str
    seconds: str
    size: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    error: VideoError | None
    remixed_from_video_id: str | None


class VideoList(Struct, frozen=True, kw_only=True):
    """A page of videos."""

    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(Struct, frozen=True):
    """The video is gone."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


# ----------------------------------------------------------------------------------------------- models


class ModelObject(Struct, frozen=True, kw_only=True):
    """A model. When a vendor made it is not known here: `created` is 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    shutdown_date: str | None


class ModelObjectList(Struct, frozen=True, kw_only=True):
    """The models."""

    object: Literal["list"] = "list"
    data: list[ModelObject]
