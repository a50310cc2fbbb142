"""The entities and values of the domain: frozen structs, no behaviour beyond small readings of themselves.

Times are Unix seconds (float) of the one Clock; sizes are bytes; sides are pixels.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

FileKind = Literal["upload", "generated", "temporary"]
JobState = Literal["queued", "running", "completed", "failed"]
JobKind = Literal["image", "video"]
MediaKind = Literal["image", "video", "audio"]
SourceForm = Literal["url", "data", "file", "gs", "blob"]


class Organisation(Struct, frozen=True):
    """The owner of a storage quota."""

    id: str
    name: str
    quota_bytes: int
    quota_files: int
    created_at: float


class Project(Struct, frozen=True):
    """The space that files, jobs and keys belong to.

    `upload_ttl` and `generated_ttl` are default lifetimes in seconds; `retention` caps both where it is set.
    """

    id: str
    organisation_id: str
    name: str
    upload_ttl: float
    generated_ttl: float
    created_at: float
    retention: float | None = None
    zero_data_retention: bool = False


class OrganisationChanges(Struct, frozen=True):
    """What is to become different about an organisation; what is left out stays."""

    name: str | UnsetType = UNSET
    quota_bytes: int | UnsetType = UNSET
    quota_files: int | UnsetType = UNSET


class ProjectChanges(Struct, frozen=True):
    """What is to become different about a project; what is left out stays. A retention of None lifts the cap."""

    name: str | UnsetType = UNSET
    upload_ttl: float | UnsetType = UNSET
    generated_ttl: float | UnsetType = UNSET
    retention: float | UnsetType | None = UNSET
    zero_data_retention: bool | UnsetType = UNSET


class Key(Struct, frozen=True):
    """A project's API key as it is kept: its hash, never the key itself. `hint` is its first characters."""

    id: str
    project_id: str
    name: str
    hash: bytes
    hint: str
    created_at: float
    revoked_at: float | None = None
    last_used_at: float | None = None


class BlobRef(Struct, frozen=True):
    """Bytes in the blob store, named by their SHA-256 in hex."""

    sha256: str
    bytes: int


class File(Struct, frozen=True):
    """A named reference to a blob. A temporary file has a link but is not listed, counted or usable as input."""

    id: str
    project_id: str
    sha256: str
    bytes: int
    mime_type: str
    filename: str
    purpose: str
    kind: FileKind
    created_at: float
    expires_at: float


class FilePage(Struct, frozen=True):
    """One page of a project's files, newest first, with the total over all pages."""

    files: tuple[File, ...]
    total: int


class Usage(Struct, frozen=True):
    """What an organisation's files take of its quota."""

    bytes: int
    files: int
    quota_bytes: int
    quota_files: int


class Miscount(Struct, frozen=True):
    """A kept counter that is not what the rows add up to."""

    owner: str
    counter: str
    kept: int
    true: int


class Entry(Struct, frozen=True):
    """One file inside an archive: its name, and where its bytes lie."""

    name: str
    start: int
    size: int


class Warning(Struct, frozen=True, omit_defaults=True):
    """A soft trouble told beside a successful result."""

    code: str
    message: str
    details: dict[str, Any] = {}


class Job(Struct, frozen=True):
    """One asynchronous generation. The row is the truth; a queue carries only its id.

    `order` is the encoded work order, `inputs` the blobs it reads, `checkpoint` the provider's own resume note;
    `progress` is a fraction 0…1 of work really done.
    """

    id: str
    project_id: str
    kind: JobKind
    model: str
    provider: str
    order: bytes
    state: JobState
    created_at: float
    store: bool = True
    inputs: tuple[str, ...] = ()
    attempts: int = 0
    owner: str | None = None
    lease_until: float | None = None
    checkpoint: str | None = None
    progress: float = 0.0
    file_id: str | None = None
    mime_type: str | None = None
    error: str | None = None
    cancelled: bool = False
    warnings: tuple[Warning, ...] = ()
    finished_at: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("completed", "failed")


class Reply(Struct, frozen=True):
    """A finished HTTP reply as kept for an Idempotency-Key."""

    status: int
    media_type: str
    body: bytes
    headers: dict[str, str] = {}


class Claim(Struct, frozen=True):
    """An Idempotency-Key that was taken: the ids of what its request makes derive from `token`.

    `again` tells of an earlier request with the key that broke off. One that was answered left its `reply`, and the
    `fingerprint` of what it asked.
    """

    token: bytes
    again: bool = False
    fingerprint: bytes = b""
    reply: Reply | None = None


class Policy(Struct, frozen=True):
    """What the operator set: sizes in bytes, times in seconds.

    `temporary_ttl` is the life of a result that is not stored, `orphan_grace` that of bytes without a row,
    `reply_ttl` that of replies kept for an Idempotency-Key.
    """

    max_file_size: int = 512 * 1024 * 1024
    max_audio_size: int = 26_214_400
    store_default: bool = True
    quota_bytes: int = 10 * 1024**3
    quota_files: int = 10_000
    upload_ttl: float = 30 * 86400.0
    generated_ttl: float = 86400.0
    retention: float | None = None
    zero_data_retention: bool = False
    link_ttl: float = 3600.0
    temporary_ttl: float = 3600.0
    job_ttl: float = 86400.0
    reply_ttl: float = 86400.0
    orphan_grace: float = 3600.0
    sweep_interval: float = 60.0
    jobs: int = 2
    max_queued_jobs: int = 1000
    job_attempts: int = 3
    job_lease: float = 60.0
    shutdown_grace: float = 20.0
    strict_retired: bool = False
    caption: bool = True
    recognizer: Literal["record", "acoustic"] = "record"
    placeholder_sources: bool = False


# ------------------------------------------------------------------------------------------ media sources


class Source(Struct, frozen=True):
    """A media source as the caller wrote it: an http(s) URL, a data-URI, a file id or a gs:// URI.

    The form "blob" names bytes that came with the call itself, or that a job made, by their SHA-256; no text of a
    caller's becomes one.
    """

    form: SourceForm
    value: str
    field: str


class Media(Struct, frozen=True):
    """What a source or a result turned out to be, read from its bytes. Durations are seconds.

    `stored` marks a source named by its file id: the server delivers it, and fits its size to what was asked.
    """

    kind: MediaKind
    mime_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    fps: float | None = None
    frames: int | None = None
    has_audio: bool = False
    stored: bool = False


# ------------------------------------------------------------------------- what a caller asks, normalized


class ImageRequest(Struct, frozen=True):
    """A call for images, normalized fields and the verbatim `parameters`. None means: not given."""

    model: str
    prompt: str
    n: int = 1
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    style: str | None = None
    image: Source | None = None
    mask: Source | None = None
    reference_images: tuple[Source, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


class VideoRequest(Struct, frozen=True):
    """A call for a video; all but the model, the prompt and the sources is in `parameters`.

    `extension` adds that many seconds to the end of `video`, which itself stays as it is.
    """

    model: str
    prompt: str
    image: Source | None = None
    video: Source | None = None
    reference_images: tuple[Source, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    extension: float | None = None


class SpeechRequest(Struct, frozen=True):
    """A call for speech."""

    model: str
    input: str
    voice: str | None = None
    format: str | None = None
    speed: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


class TranscriptionRequest(Struct, frozen=True):
    """A call for the text of a recording."""

    model: str
    audio: Source
    language: str | None = None
    prompt: str | None = None
    diarize: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


# --------------------------------------------------------- what is to be made, after the model's own rules


class ImagePlan(Struct, frozen=True):
    """Images to make: exact sides, format and seed. `parameters` is what the provider would be sent.

    `width` and `height` are None while they depend on a source that has not been read
    (`models.settle` fills them). `compression` is the encoder's quality 0…100.
    """

    model: str
    prompt: str
    n: int
    width: int | None
    height: int | None
    format: Literal["png", "jpeg", "webp"] = "png"
    compression: int | None = None
    transparent: bool = False
    quality: str = "medium"
    style: str | None = None
    seed: int = 0
    caption: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)


class VideoPlan(Struct, frozen=True):
    """A clip to make. For edits `width`, `height`, `fps`, `frames` may be None: those of the source video.

    `late_failure` is the text with which the job is to fail: a rule that the provider checks only while it works.
    `extension` counts the frames that are added to the source video, which itself stays as it is.
    """

    model: str
    prompt: str
    width: int | None
    height: int | None
    fps: float | None
    frames: int | None
    audio: bool = False
    style: str | None = None
    seed: int = 0
    late_failure: str | None = None
    extension: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


class SpeechPlan(Struct, frozen=True):
    """Speech to make."""

    model: str
    input: str
    voice: str
    format: Literal["mp3", "wav", "opus", "aac", "flac", "pcm"] = "mp3"
    speed: float = 1.0
    language: str | None = None
    instructions: str | None = None
    seed: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)


class TranscriptionPlan(Struct, frozen=True):
    """A recording to be written down. `recognizer` "record" may use what the server knows of its own speech."""

    model: str
    language: str | None = None
    prompt: str | None = None
    diarize: bool = False
    recognizer: Literal["record", "acoustic"] = "record"
    parameters: dict[str, Any] = field(default_factory=dict)


# ----------------------------------------------------------------------------------------------- results


class Word(Struct, frozen=True):
    """A spoken word with its start and end in seconds."""

    word: str
    start: float
    end: float


class Segment(Struct, frozen=True, omit_defaults=True):
    """A stretch of speech with its start and end in seconds."""

    start: float
    end: float
    text: str
    speaker: str | None = None


class Transcript(Struct, frozen=True):
    """What was said: whole text, segments, words; `duration` in seconds, `language` as ISO 639-1.

    `by_model` tells that a recognition model of the user's own heard it.
    """

    text: str
    language: str
    duration: float
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    by_model: bool = False
