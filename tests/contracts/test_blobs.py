"""The conformance suite of BlobStore: every implementation keeps every obligation of the port."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.adapters.blobs_local import PIECE, LocalBlobs
from opperlite.domain.errors import NotFound
from opperlite.domain.ports import AtHand, BlobStore, LocalPath
from opperlite.domain.types import BlobRef
from tests.fakes import MemoryBlobs


@contextmanager
def local(folder: Path) -> Iterator[BlobStore]:
    store = LocalBlobs(folder)
    yield store
    store.close()


@contextmanager
def memory(folder: Path) -> Iterator[BlobStore]:
    yield MemoryBlobs(folder)


IMPLEMENTATIONS = {"local": local, "memory": memory}


@pytest.fixture(params=IMPLEMENTATIONS)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    with IMPLEMENTATIONS[request.param](tmp_path) as store:
        yield store


async def put(blobs: BlobStore, data: bytes, piece: int = 1 << 16) -> BlobRef:
    async with blobs.stage() as staging:
        for place in range(0, len(data), piece):
            await staging.write(data[place : place + piece])
        return await staging.finish()


async def read(blobs: BlobStore, sha256: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.read(sha256, start, end)])


async def names(blobs: BlobStore) -> list[str]:
    return [name async for name, _ in blobs.all()]


def answer(value: bool) -> Callable[[], AsyncIterator[bool]]:
    async def wanted() -> bool:
        return value

    return wanted  # type: ignore[return-value]


@pytest.mark.parametrize("size", [0, 1, 65_537, PIECE - 1, PIECE, PIECE + 1, 6 * PIECE + 5])
async def test_bytes_come_back_under_their_hash(blobs: BlobStore, size: int) -> None:
    data = hashlib.shake_128(b"seed").digest(size)
    blob = await put(blobs, data)
    assert blob == BlobRef(hashlib.sha256(data).hexdigest(), size)
    assert await read(blobs, blob.sha256) == data
    assert await blobs.size(blob.sha256) == size
    assert await names(blobs) == [blob.sha256]


async def test_chunks_of_any_kind_and_size_are_taken(blobs: BlobStore) -> None:
    async with blobs.stage() as staging:
        await staging.write(b"one ")
        await staging.write(bytearray(b"two "))
        await staging.write(memoryview(b"three"))
        await staging.write(b"")
        blob = await staging.finish()
    assert await read(blobs, blob.sha256) == b"one two three"


async def test_the_digest_tells_what_was_written_so_far(blobs: BlobStore) -> None:
    async with blobs.stage() as staging:
        for _ in range(3):
            await staging.write(b"x" * PIECE)
        assert await staging.digest() == hashlib.sha256(b"x" * 3 * PIECE).hexdigest()
        await staging.write(b"y")
        blob = await staging.finish()
        assert await staging.digest() == blob.sha256 == hashlib.sha256(b"x" * 3 * PIECE + b"y").hexdigest()


async def test_any_range_reads_those_bytes_in_bounded_pieces(blobs: BlobStore) -> None:
    data = hashlib.shake_128(b"range").digest(2 * PIECE + 77)
    sha256 = (await put(blobs, data)).sha256
    for start, end in (
        (0, 1),
        (5, 5),
        (PIECE - 1, PIECE + 1),
        (10, None),
        (len(data) - 1, len(data)),
        (len(data), None),
    ):
        assert await read(blobs, sha256, start, end) == data[start:end]
    async for piece in blobs.read(sha256):
        assert 0 < len(piece) <= PIECE


async def test_what_is_at_hand_is_what_was_read_and_goes_with_the_blob(blobs: BlobStore) -> None:
    if not isinstance(blobs, AtHand):
        return
    small, large = await put(blobs, b"small" * 100), await put(blobs, bytes(1 << 20))
    assert blobs.at_hand(small.sha256) is None
    assert await read(blobs, small.sha256, 5, 10) == b"small"
    assert await read(blobs, large.sha256, 5, 10) == bytes(5)
    assert blobs.at_hand(small.sha256) == b"small" * 100
    assert blobs.at_hand(large.sha256) is None
    for number in range(600):  # far more than is kept
        await read(blobs, (await put(blobs, number.to_bytes(2) * (16 << 10))).sha256, 0, 1)
    assert blobs.at_hand(small.sha256) is None
    await read(blobs, small.sha256, 0, 1)
    assert blobs.at_hand(small.sha256) is not None
    assert await blobs.remove(small.sha256, answer(False))
    assert blobs.at_hand(small.sha256) is None


async def test_what_is_not_finished_leaves_no_trace(blobs: BlobStore, tmp_path: Path) -> None:
    async with blobs.stage() as staging:
        await staging.write(b"x" * (PIECE + 1))
    with pytest.raises(RuntimeError):
        await _stage_and_fail(blobs)
    task = asyncio.create_task(_stage_for_ever(blobs))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await names(blobs) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def _stage_and_fail(blobs: BlobStore) -> None:
    async with blobs.stage() as staging:
        await staging.write(b"x" * (PIECE + 1))
        raise RuntimeError


async def _stage_for_ever(blobs: BlobStore) -> None:
    async with blobs.stage() as staging:
        while True:
            await staging.write(b"x" * 100_000)
            await asyncio.sleep(0)


async def test_the_same_bytes_are_kept_once(blobs: BlobStore) -> None:
    refs = await asyncio.gather(*(put(blobs, b"same") for _ in range(8)), put(blobs, b"other"))
    assert len(set(refs)) == 2
    assert sorted(await names(blobs)) == sorted({ref.sha256 for ref in refs})


async def test_what_is_not_there_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        await read(blobs, "0" * 64)
    assert await blobs.size("0" * 64) is None
    assert not await blobs.remove("0" * 64, answer(True))


async def test_removing_takes_what_nobody_wants(blobs: BlobStore) -> None:
    blob = await put(blobs, b"data")
    assert not await blobs.remove(blob.sha256, answer(True))
    assert await read(blobs, blob.sha256) == b"data"
    assert await blobs.remove(blob.sha256, answer(False))
    assert await blobs.size(blob.sha256) is None
    assert await names(blobs) == []


async def test_a_blob_is_held_until_its_staging_ends(blobs: BlobStore, tmp_path: Path) -> None:
    async with blobs.stage() as staging:
        await staging.write(b"data")
        blob = await staging.finish()
        assert not await blobs.remove(blob.sha256, answer(False))
        assert await read(blobs, blob.sha256) == b"data"
    assert await blobs.remove(blob.sha256, answer(False))
    async with blobs.workspace() as folder:
        (folder / "a").write_bytes(b"data")
        async with blobs.adopt(folder / "a") as blob:
            assert not await blobs.remove(blob.sha256, answer(False))
    assert await blobs.remove(blob.sha256, answer(False))


async def test_holds_add_up(blobs: BlobStore) -> None:
    blob = await put(blobs, b"data")
    with blobs.hold(blob.sha256):
        with blobs.hold(blob.sha256):
            pass
        assert not await blobs.remove(blob.sha256, answer(False))
    with blobs.hold("1" * 64):
        pass
    assert await blobs.remove(blob.sha256, answer(False))


async def test_a_hold_that_comes_while_removal_asks_still_counts(blobs: BlobStore) -> None:
    blob = await put(blobs, b"data")
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wanted() -> bool:
        asked.set()
        await go_on.wait()
        return False

    removing = asyncio.create_task(blobs.remove(blob.sha256, wanted))
    await asked.wait()
    with blobs.hold(blob.sha256):
        go_on.set()
        assert not await removing
        assert await read(blobs, blob.sha256) == b"data"


async def test_removal_and_upload_of_the_same_bytes_never_lose_them(blobs: BlobStore) -> None:
    for _ in range(30):
        blob = await put(blobs, b"data")

        async def upload() -> bytes:
            async with blobs.stage() as staging:
                await staging.write(b"data")
                mine = await staging.finish()
                return await read(blobs, mine.sha256)

        results = await asyncio.gather(upload(), blobs.remove(blob.sha256, answer(False)), upload())
        assert (results[0], results[2]) == (b"data", b"data")


async def test_adopting_moves_a_file_in(blobs: BlobStore) -> None:
    async with blobs.workspace() as folder:
        path = folder / "made"
        path.write_bytes(b"made by a provider")
        async with blobs.adopt(path) as blob:
            assert blob == BlobRef(hashlib.sha256(b"made by a provider").hexdigest(), 18)
            assert not path.exists()
            assert await read(blobs, blob.sha256) == b"made by a provider"
        (folder / "again").write_bytes(b"made by a provider")
        async with blobs.adopt(folder / "again") as again:
            assert again == blob
    assert await names(blobs) == [blob.sha256]


async def test_a_workspace_is_fresh_and_goes_with_all_that_is_in_it(blobs: BlobStore) -> None:
    async with blobs.workspace() as one, blobs.workspace() as two:
        assert one != two
        assert list(one.iterdir()) == []
        (one / "folder").mkdir()
        (one / "folder" / "file").write_bytes(b"x")
    assert not one.exists()
    assert not two.exists()


async def test_work_in_progress_is_never_swept(blobs: BlobStore) -> None:
    """However old it looks: an upload may stall and a clip may take an hour."""
    async with blobs.workspace() as folder, blobs.stage() as staging:
        await staging.write(b"x" * (PIECE + 1))
        await asyncio.sleep(0.02)
        (folder / "file").write_bytes(b"x")
        assert await blobs.sweep_staging(10**12) == 0
        assert (folder / "file").exists()
        assert (await staging.finish()).bytes == PIECE + 1


@settings(max_examples=25)
@given(chunks=st.lists(st.binary(max_size=400), max_size=12), start=st.integers(0, 3000), length=st.integers(0, 3000))
async def test_whatever_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, chunks, start, length) -> None:  # type: ignore[no-untyped-def]
    for name, opened in IMPLEMENTATIONS.items():
        with opened(tmp_path_factory.mktemp(name)) as blobs:
            async with blobs.stage() as staging:
                for chunk in chunks:
                    await staging.write(chunk)
                blob = await staging.finish()
            assert await read(blobs, blob.sha256, start, start + length) == b"".join(chunks)[start : start + length]


async def test_local_paths_are_an_ability_of_some(tmp_path: Path) -> None:
    with local(tmp_path) as blobs:
        blob = await put(blobs, b"data")
        assert isinstance(blobs, LocalPath)
        assert blobs.local_path(blob.sha256).read_bytes() == b"data"
    assert not isinstance(MemoryBlobs(tmp_path), LocalPath)
