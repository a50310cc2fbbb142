"""Fakes of what a test must hold in its hand: the clock, blobs without local paths, the outside, a quick provider."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path

from opperlite.adapters import mime_filetype, offline_tasks
from opperlite.domain.errors import NotFound, PayloadTooLarge, SourceUnusable, UnsupportedMedia
from opperlite.domain.ports import Clock, Made, PreviewVariant, Progress, Sources
from opperlite.domain.types import (
    BlobRef,
    ImagePlan,
    Media,
    Segment,
    SpeechPlan,
    Transcript,
    TranscriptionPlan,
    VideoPlan,
    Word,
)

NOW = 1_790_000_000.0  # 2026-09-21; the models that most tests use are not retired then


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class MemoryStaging:
    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._data = bytearray()
        self.held: str | None = None

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self._data += chunk

    async def digest(self) -> str:
        return hashlib.sha256(self._data).hexdigest()

    async def finish(self) -> BlobRef:
        blob = self._blobs.put(bytes(self._data))
        self._blobs.held[blob.sha256] += 1
        self.held = blob.sha256
        return blob


class MemoryBlobs:
    """A blob store without `LocalPath`: its blobs must be streamed."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or FakeClock()
        self._blobs: dict[str, tuple[bytes, float]] = {}
        self.held: Counter[str] = Counter()

    def put(self, data: bytes) -> BlobRef:
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = (data, self._clock.now())
        return BlobRef(digest, len(data))

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[MemoryStaging]:
        staging = MemoryStaging(self)
        try:
            yield staging
        finally:
            if staging.held is not None:
                self.held[staging.held] -= 1

    @asynccontextmanager
    async def adopt(self, path: Path) -> AsyncIterator[BlobRef]:
        blob = self.put(path.read_bytes())
        path.unlink()
        with self.hold(blob.sha256):
            yield blob

    @contextmanager
    def hold(self, sha256: str) -> Iterator[None]:
        self.held[sha256] += 1
        try:
            yield
        finally:
            self.held[sha256] -= 1

    async def read(self, sha256: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if sha256 not in self._blobs:
            raise NotFound()
        data = self._blobs[sha256][0][start:end]
        for place in range(0, len(data), 1 << 16):
            yield data[place : place + (1 << 16)]

    async def size(self, sha256: str) -> int | None:
        return len(self._blobs[sha256][0]) if sha256 in self._blobs else None

    async def remove(self, sha256: str, wanted: Callable[[], Awaitable[bool]]) -> bool:
        if self.held[sha256] or await wanted() or self.held[sha256]:
            return False
        self._blobs.pop(sha256, None)
        return True

    async def all(self) -> AsyncIterator[tuple[str, float]]:
        for digest, (_, staged) in list(self._blobs.items()):
            yield digest, staged

    async def sweep_staging(self, older_than: float) -> int:
        return 0

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[Path]:
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


class FakeFetcher:
    """The outside as a dictionary from URL to bytes, or to the error that reading it gives."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    async def fetch(self, url: str, sink: Callable[[bytes], Awaitable[None]], limit: int) -> None:
        self.asked.append(url)
        page = self.pages.get(url, SourceUnusable("no such page", url=url, unreachable=True))
        if isinstance(page, Exception):
            raise page
        if len(page) > limit:
            raise PayloadTooLarge(limit=limit)
        await sink(page)


class QuickProvider:
    """Makes small real media at once, or waits at `gate`, or raises `failure`; it notes what it was asked."""

    name = "quick"

    def __init__(self) -> None:
        self.asked: list[ImagePlan | VideoPlan | SpeechPlan | TranscriptionPlan] = []
        self.sources: list[Sources] = []
        self.gate: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.failure: Exception | None = None

    def sniff(self, head: bytes) -> str | None:
        return mime_filetype.sniff(head)

    async def inspect(self, path: Path) -> Media:
        from opperlite.engine.errors import BadMedia

        try:
            return offline_tasks.inspect(path)
        except BadMedia as error:
            raise UnsupportedMedia(str(error)) from None

    async def _work(self, plan: ImagePlan | VideoPlan | SpeechPlan | TranscriptionPlan) -> None:
        self.asked.append(plan)
        self.begun.set()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.stopped.set()
                raise
        if self.failure is not None:
            raise self.failure

    async def images(self, plan: ImagePlan, sources: Sources, workspace: Path) -> Sequence[Made]:
        self.sources.append(sources)
        await self._work(plan)
        assert plan.width is not None
        assert plan.height is not None
        made = []
        for index in range(plan.n):
            path = workspace / f"{index}.png"
            path.write_bytes(png(plan.width, plan.height, note=f"{plan.prompt} {plan.seed + index}"))
            media = Media("image", "image/png", path.stat().st_size, width=plan.width, height=plan.height)
            made.append(Made(path, media))
        return made

    async def video(
        self, plan: VideoPlan, sources: Sources, workspace: Path, progress: Progress, checkpoint: str | None
    ) -> Made:
        self.sources.append(sources)
        progress.report(0.5)
        await self._work(plan)
        path = workspace / "clip.mp4"
        path.write_bytes(mp4() + box(b"free", plan.prompt.encode()))
        return Made(path, Media("video", "video/mp4", path.stat().st_size, duration=0.2))

    async def speech(self, plan: SpeechPlan, workspace: Path) -> Made:
        await self._work(plan)
        from opperlite.engine.sound import audio

        path = workspace / f"speech.{plan.format}"
        path.write_bytes(sound(plan.format) + (b"" if plan.format != "wav" else plan.input.encode()))
        said = Transcript(
            plan.input, "en", 0.25, (Segment(0.0, 0.25, plan.input),), (Word(plan.input.split()[0], 0.0, 0.25),)
        )
        media = Media("audio", audio.MIME_TYPES[plan.format], path.stat().st_size, duration=0.25, has_audio=True)
        return Made(path, media, transcript=said)

    async def transcribe(self, plan: TranscriptionPlan, audio: Path) -> Transcript:
        await self._work(plan)
        speaker = "A" if plan.diarize else None
        return Transcript("heard", "en", 0.25, (Segment(0.0, 0.25, "heard", speaker),), (Word("heard", 0.0, 0.25),))


class PreviewingProvider(QuickProvider):
    """One that makes previews too: a small white picture each, told apart by its note."""

    async def preview(self, media: Path, variant: PreviewVariant, count: int, workspace: Path) -> Sequence[Made]:
        made = []
        for index in range(count):
            path = workspace / f"{variant}-{index}.png"
            path.write_bytes(png(note=f"{variant} {index}"))
            made.append(Made(path, Media("image", "image/png", path.stat().st_size, width=2, height=2)))
        return made


# ------------------------------------------------------------------------------------------- small media


def png(width: int = 2, height: int = 2, note: str = "") -> bytes:
    """A white picture of one bit a pixel; `note` makes its bytes differ."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", _white(width, height))
        + (chunk(b"tEXt", b"Comment\0" + note.encode()) if note else b"")
        + chunk(b"IEND", b"")
    )


@cache
def _white(width: int, height: int) -> bytes:
    return zlib.compress((b"\0" + b"\xff" * ((width + 7) // 8)) * height, 9)


def box(kind: bytes, body: bytes) -> bytes:
    """An MP4 box."""
    return struct.pack(">I", 8 + len(body)) + kind + body


@cache
def _encoded(kind: str) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(out, kind)
    return out.getvalue()


def jpeg() -> bytes:
    """A red picture of 16 × 16."""
    return _encoded("JPEG")


@cache
def mp4() -> bytes:
    """A clip of 64 × 48 with five frames."""
    import io

    import av
    import numpy

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(5):
            frame = av.VideoFrame.from_ndarray(numpy.full((48, 64, 3), shade * 40, numpy.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


@cache
def sound(kind: str = "wav") -> bytes:
    """A quarter of a second of a tone, in one of the formats of speech."""
    import tempfile

    import numpy

    from opperlite.engine.sound import audio

    tone = (0.3 * numpy.sin(numpy.arange(6000) * 0.115)).astype(numpy.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tone"
        audio.encode(tone, 24_000, kind, path)
        return path.read_bytes()


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
