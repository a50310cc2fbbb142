"""What the domain needs from outside: one protocol per port, each method with its obligations.

Adapters translate their driver's errors at their edge; what may leave a port is named in its docstring.
Abilities that not every implementation has are protocols of their own (`LocalPath`), asked with `isinstance`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from opperlite.domain.types import (
    BlobRef,
    Claim,
    Entry,
    File,
    FilePage,
    ImagePlan,
    Job,
    JobKind,
    JobState,
    Key,
    Media,
    Miscount,
    Organisation,
    OrganisationChanges,
    Project,
    ProjectChanges,
    Reply,
    SpeechPlan,
    Transcript,
    TranscriptionPlan,
    Usage,
    VideoPlan,
)


class Clock(Protocol):
    """The one time of the program."""

    def now(self) -> float:
        """Unix time in seconds. Expiry, signing, leases and retention ask here and nowhere else."""
        ...


# --------------------------------------------------------------------------------------------- blobs


class Staging(Protocol):
    """Bytes on their way into the blob store: hashed while written, invisible until `finish`."""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append a chunk; raises StorageFailed when the disk refuses."""
        ...

    async def digest(self) -> str:
        """The SHA-256 in hex of all bytes so far."""
        ...

    async def finish(self) -> BlobRef:
        """Make the bytes durable and readable under their hash, then hold them.

        After the return the blob survives a crash, and no `remove` takes it until the staging context ends,
        so that its row can be written in between. Raises StorageFailed; then nothing is left behind.
        """
        ...


class BlobStore(Protocol):
    """Immutable bytes under their SHA-256. The same bytes are kept once."""

    def stage(self) -> AbstractAsyncContextManager[Staging]:
        """Begin a blob; leaving the context without `finish` removes every trace."""
        ...

    def adopt(self, path: Path) -> AbstractAsyncContextManager[BlobRef]:
        """Take a finished local file over (it is moved), as `Staging.finish` would, held while in the context."""
        ...

    def hold(self, sha256: str) -> AbstractContextManager[None]:
        """Keep a blob from being removed while in the context; it need not exist."""
        ...

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream the bytes start…end (end exclusive) in pieces of bounded size; raises NotFound."""
        ...

    async def size(self, sha256: str) -> int | None:
        """The size in bytes, or None when there is no such blob."""
        ...

    async def remove(self, sha256: str, wanted: Callable[[], Awaitable[bool]]) -> bool:
        """Delete a blob unless it is held or `wanted` says, at that moment, that a row names it."""
        ...

    def all(self) -> AsyncIterator[tuple[str, float]]:
        """Every blob's hash with the Unix time at which it was last staged."""
        ...

    async def sweep_staging(self, older_than: float) -> int:
        """Remove what interrupted stagings left from before that Unix time; the number of files removed."""
        ...

    def workspace(self) -> AbstractAsyncContextManager[Path]:
        """A fresh folder on the store's own filesystem, removed at the end; what it made can be adopted."""
        ...


@runtime_checkable
class AtHand(Protocol):
    """A blob store that has some blobs in memory."""

    def at_hand(self, sha256: str) -> bytes | None:
        """The whole bytes of a blob, or None where they must be read."""
        ...


@runtime_checkable
class LocalPath(Protocol):
    """A blob store whose blobs are files that other processes of this machine can open."""

    def local_path(self, sha256: str) -> Path:
        """The blob's file. It must only be read."""
        ...


@runtime_checkable
class Quarantine(Protocol):
    """A blob store that can put damaged bytes away."""

    async def quarantine(self, sha256: str) -> str:
        """Move a blob to where nothing reads it and a person can look; that place."""
        ...


# ------------------------------------------------------------------------------------------ metadata


class MetadataStore(Protocol):
    """Rows. Every method is one whole transaction: it happened durably, or not at all.

    "Live" means `expires_at` lies after `now`: an expired file is invisible to every method and takes no quota.
    Anything may raise StorageFailed when the disk refuses.
    """

    async def revision(self) -> int:
        """A number that is another one after any process has changed a row; quick, and without reading the disk."""
        ...

    # Organisations, projects and keys

    async def add_organisation(self, organisation: Organisation) -> None:
        """Insert it; raises ValidationFailed when another organisation has its name."""
        ...

    async def change_organisation(self, organisation_id: str, changes: OrganisationChanges) -> Organisation | None:
        """The organisation as it now stands, or None when there is none; raises as `add_organisation`."""
        ...

    async def organisations(self, id_or_name: str | None = None) -> Sequence[Organisation]:
        """All, oldest first; or the one with that id, else those of that name."""
        ...

    async def usages(self, now: float) -> Mapping[str, Usage]:
        """What every organisation uses, by its id."""
        ...

    async def ensure_project(self, organisation: Organisation, project: Project) -> Project:
        """Make both unless the project's id exists; the project as it stands."""
        ...

    async def add_project(self, project: Project) -> None:
        """Insert it into its organisation, which exists; raises ValidationFailed when that has one of its name."""
        ...

    async def change_project(self, project_id: str, changes: ProjectChanges) -> Project | None:
        """The project as it now stands, or None when there is none; raises as `add_project`."""
        ...

    async def shorten_lives(self, project_id: str, retention: float, limit: int) -> int:
        """End up to `limit` files that would live longer than `retention` seconds at that age; how many."""
        ...

    async def project(self, project_id: str) -> Project | None: ...

    async def projects(self, id_or_name: str | None = None) -> Sequence[Project]:
        """All, oldest first; or the one with that id, else those of that name."""
        ...

    async def add_key(self, key: Key) -> None: ...

    async def keys(self) -> Sequence[Key]: ...

    async def key_by_hash(self, digest: bytes) -> tuple[Key, Project] | None:
        """The key that is not revoked and its project."""
        ...

    async def revoke_key(self, key_id: str, now: float) -> Key | None:
        """The key as it now stands, or None when there is none."""
        ...

    async def touch_key(self, key_id: str, now: float) -> None:
        """Record that the key was used."""
        ...

    async def import_project(
        self,
        organisation: Organisation,
        project: Project,
        files: Iterable[File],
        jobs: Iterable[Job],
        transcripts: Iterable[tuple[str, Transcript]],
        now: float,
    ) -> None:
        """Insert a project of another store with all of its rows, and its organisation unless it exists.

        Raises ValidationFailed when one of the ids or the project's name is taken here, QuotaExceeded as `add_files`.
        """
        ...

    # Files

    async def add_files(self, files: Sequence[File], now: float) -> Sequence[File]:
        """Insert all or none; raises QuotaExceeded when the live files with these would pass the quota.

        Gives them as they stand: one whose id is there already stays as it is. Temporary files take no quota.
        """
        ...

    async def file(self, project_id: str, file_id: str, now: float) -> File | None:
        """A live file of the project, temporary ones excluded."""
        ...

    async def linked_file(self, file_id: str, now: float) -> File | None:
        """A live file of any project, temporary ones included: what a signed link may name."""
        ...

    async def files(
        self,
        project_id: str,
        limit: int,
        offset: int,
        now: float,
        *,
        purpose: str | None = None,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> FilePage:
        """A page of live files, newest first unless `oldest_first`, at a cost that does not depend on their number.

        `purpose` narrows the list and its total. The page begins behind the file `after`, which may have ended but
        must not be swept yet; raises NotFound.
        """
        ...

    async def end_file(self, project_id: str, file_id: str, now: float) -> bool:
        """Let a live file, temporary ones included, end now; it stays until it is swept. False when there is none."""
        ...

    async def delete_file(self, project_id: str, file_id: str, now: float) -> File | None:
        """Remove a live file's row; the file as it was, or None."""
        ...

    async def expired_files(self, now: float, limit: int) -> Sequence[File]:
        """Remove up to `limit` rows that are no longer live, and return them."""
        ...

    async def blob_wanted(self, sha256: str) -> bool:
        """Whether any row, live or not, names the blob."""
        ...

    async def usage(self, organisation_id: str, now: float) -> Usage: ...

    # Jobs

    async def add_job(self, job: Job, limit: int) -> Job:
        """Insert a queued job; its `inputs` count as wanted blobs until it ends.

        Gives the job as it stands: one whose id is there already stays as it is. Raises TooManyRequests when the
        project already has `limit` jobs that have not ended.
        """
        ...

    async def job(self, project_id: str, job_id: str) -> Job | None: ...

    async def jobs(
        self,
        project_id: str,
        *,
        states: Sequence[JobState] = (),
        kind: JobKind | None = None,
        limit: int = 20,
        before: str | None = None,
        oldest_first: bool = False,
        ended_after: float = 0.0,
    ) -> Sequence[Job]:
        """Up to `limit` of the project's jobs, newest first unless `oldest_first`, behind the job `before`.

        Jobs that ended at or before `ended_after` are left out.
        """
        ...

    async def take_job(self, job_id: str, owner: str, now: float, lease_until: float, attempts: int) -> Job | None:
        """Compare and set: queued, or running with its lease run out, becomes running by `owner`.

        None when somebody else has it, it has ended, or it is unknown. A job already taken `attempts` times
        becomes failed instead, and None is returned.
        """
        ...

    async def renew_lease(self, job_id: str, owner: str, lease_until: float) -> bool:
        """False when the job is no longer `owner`'s: its work must stop."""
        ...

    async def save_checkpoint(self, job_id: str, owner: str, checkpoint: str) -> bool: ...

    async def release_job(self, job_id: str, owner: str) -> bool:
        """Put a running job back, as if it had not been taken: a shutdown is not a failure."""
        ...

    async def end_job(self, job: Job, file: File | None, now: float) -> bool:
        """Write an ended job and its file in one step, if `job.owner` still has it (owner None: if still queued).

        False when not; then nothing was written. Raises QuotaExceeded when the file does not fit.
        """
        ...

    async def cancel_job(self, project_id: str, job_id: str, now: float) -> Job | None:
        """End a job that has not ended, as failed and cancelled; the job as it stands."""
        ...

    async def delete_job(self, project_id: str, job_id: str) -> bool:
        """Remove the row of a job that has ended; False when there is none."""
        ...

    async def unfinished_jobs(self, now: float) -> Sequence[str]:
        """The ids of jobs that wait, or run on a lease that has run out, oldest first."""
        ...

    async def reset_leases(self) -> int:
        """Let every running job be taken at once. Only for the sole owner of the store, at its start."""
        ...

    async def expired_jobs(self, ended_before: float, limit: int) -> int:
        """Remove up to `limit` jobs that ended before then; how many went."""
        ...

    # Idempotency

    async def claim_reply(self, project_id: str, key: str, now: float, since: float) -> Claim:
        """Take the key, with a new random token or that of an earlier request that broke off; or give its reply.

        Raises IdempotencyInProgress while another request holds it. What is from before `since` is forgotten.
        """
        ...

    async def save_reply(self, project_id: str, key: str, fingerprint: bytes, reply: Reply) -> None: ...

    async def release_claim(self, project_id: str, key: str) -> None:
        """Let the key be taken again, by the same token: its request failed and may be tried again."""
        ...

    async def sweep_replies(self, before: float) -> None: ...

    async def release_claims(self) -> None:
        """Release keys whose requests died with an earlier process. Only for the sole owner, at its start."""
        ...

    # What the server knows of speech that it made itself

    async def save_transcript(self, sha256: str, transcript: Transcript, now: float) -> None: ...

    async def transcript(self, sha256: str) -> Transcript | None: ...

    async def sweep_transcripts(self, before: float) -> None:
        """Forget transcripts from before then whose blob no file names any more."""
        ...


class Upkeep(Protocol):
    """Checks and copies of a store's rows. It works beside the store, also beside that of another process.

    `after` and `limit` make pages: those that follow that place, in order. Raises StorageFailed.
    """

    async def damage(self) -> Sequence[str]:
        """What is wrong inside the database itself; nothing when it is sound."""
        ...

    async def miscounts(self) -> Sequence[Miscount]: ...

    async def recount(self) -> None:
        """Set every counter to what the rows add up to."""
        ...

    async def newest(self) -> float:
        """The time of the newest row, or 0."""
        ...

    async def blob_total(self) -> tuple[int, int]:
        """How many blobs the rows name, and how many bytes these should have."""
        ...

    async def blobs(self, after: str, limit: int) -> Sequence[BlobRef]:
        """Blobs that rows name, by their hash; the inputs of jobs have size -1."""
        ...

    async def blob_wanted(self, sha256: str) -> bool: ...

    async def forget_blob(self, sha256: str) -> None:
        """Remove the files that name it, and let the unfinished jobs that need it fail."""
        ...

    async def files(self, project_id: str, after: int, limit: int, now: float) -> Sequence[tuple[int, File]]:
        """Live files of a project, temporary ones included, oldest first, each with its place."""
        ...

    async def ended_jobs(self, project_id: str, after: int, limit: int) -> Sequence[tuple[int, Job]]:
        """Jobs of a project that have ended, oldest first, each with its place."""
        ...

    async def transcript(self, sha256: str) -> Transcript | None: ...

    async def copy(self, path: Path) -> None:
        """Write all rows as they are at one moment to a new file, which is a whole database by itself."""
        ...


class Archive(Protocol):
    """Where copies of blobs go. `lanes` is how many may be added at the same time."""

    lanes: int

    async def has(self, blob: BlobRef) -> bool: ...

    async def add(self, blob: BlobRef, pieces: AsyncIterator[bytes]) -> int | None:
        """Keep the bytes and give their number; None when they are not those of the hash, then nothing is kept.

        What `pieces` raises passes through, and nothing is kept.
        """
        ...


class SingleArchive(Archive, Protocol):
    """An archive that also takes named files."""

    def put(self, name: str, source: Path | bytes) -> None:
        """Add a file's bytes, or these."""
        ...


class ArchiveReader(Protocol):
    """What an archive holds. Everything raises ValidationFailed when it is damaged or cut short."""

    def entries(self) -> Iterator[Entry]: ...

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of an entry in pieces of bounded size."""
        ...

    def read(self, entry: Entry) -> bytes:
        """All bytes of a small entry."""
        ...


# ---------------------------------------------------------------------------------------------- jobs


class JobQueue(Protocol):
    """Carries job ids, each at least once, in the order they came. It may forget; the rows do not."""

    async def put(self, job_id: str) -> None: ...

    async def get(self) -> str: ...

    def __len__(self) -> int:
        """How many ids wait here."""
        ...

    def waiting(self, job_id: str) -> int | None:
        """How many ids are before this one, or None when it does not wait here."""
        ...


class Fetcher(Protocol):
    """Reads media from the outside."""

    async def fetch(self, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
        """Stream the body of an http(s) URL into `sink`.

        Raises SourceUnusable for a refused address, too many redirects, a time-out, an unreachable host or a
        status other than 200; PayloadTooLarge as soon as the body passes `limit` bytes.
        """
        ...


# ----------------------------------------------------------------------------------------- providers


class Sources(Struct, frozen=True):
    """The inputs of a work order as local files, in the order of the request."""

    image: Path | None = None
    mask: Path | None = None
    video: Path | None = None
    reference_images: tuple[Path, ...] = ()


class Made(Struct, frozen=True):
    """A result: a file in the workspace and what it is. `revised_prompt` where the provider changed the prompt."""

    path: Path
    media: Media
    revised_prompt: str | None = None
    transcript: Transcript | None = None


class Progress(Protocol):
    """How a provider tells a running job's progress and keeps what it needs to resume."""

    def report(self, fraction: float) -> None:
        """Work really done, 0…1; cheap, may be called often."""
        ...

    async def checkpoint(self, note: str) -> None:
        """Save a note durably; a later attempt receives it."""
        ...


class Inspector(Protocol):
    """Reads what media is from its bytes."""

    def sniff(self, head: bytes) -> str | None:
        """The MIME type that the first 8,192 bytes of a file show, or None when they show none."""
        ...

    async def inspect(self, path: Path) -> Media:
        """Raises UnsupportedMedia when the bytes are no image, video or audio that can be read."""
        ...


class ImageGenerator(Protocol):
    async def images(self, plan: ImagePlan, sources: Sources, workspace: Path) -> Sequence[Made]:
        """Exactly `plan.n` images of the plan's size and format, as files in `workspace`.

        Raises SourceUnusable for a source that cannot be decoded, ProviderFailed otherwise. Cancelling the
        call stops the work.
        """
        ...


class VideoGenerator(Protocol):
    async def video(
        self, plan: VideoPlan, sources: Sources, workspace: Path, progress: Progress, checkpoint: str | None
    ) -> Made:
        """One clip as the plan says, in `workspace`; raises as `images`. Cancelling the call stops the work."""
        ...


class SpeechGenerator(Protocol):
    async def speech(self, plan: SpeechPlan, workspace: Path) -> Made:
        """The spoken input in the plan's format, with the transcript of what was said."""
        ...


class Transcriber(Protocol):
    async def transcribe(self, plan: TranscriptionPlan, audio: Path) -> Transcript:
        """What is said in the recording; an empty transcript when nothing is. Raises SourceUnusable."""
        ...


class Provider(ImageGenerator, VideoGenerator, SpeechGenerator, Transcriber, Protocol):
    """One that does all four."""

    name: str


PreviewVariant = Literal["partial", "thumbnail", "spritesheet"]


@runtime_checkable
class Previewer(Protocol):
    """A provider that makes smaller or coarser pictures of what it has made."""

    async def preview(self, media: Path, variant: PreviewVariant, count: int, workspace: Path) -> Sequence[Made]:
        """`count` stages of an image on its way, the coarsest first ("partial"), or one picture of a video.

        A thumbnail is WebP, a spritesheet is JPEG. Raises SourceUnusable.
        """
        ...
