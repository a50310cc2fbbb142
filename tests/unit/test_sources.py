"""Media sources: telling their form, decoding data-URIs, and reading them from a store without local paths."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.domain.errors import PayloadTooLarge, ValidationFailed
from opperlite.domain.files import Files
from opperlite.domain.sources import SourceReader, decode_data, parse
from opperlite.domain.types import Organisation, Policy, Project
from tests.fakes import FakeClock, FakeFetcher, MemoryBlobs, QuickProvider, png


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("http://a.example/b.png", "url"),
        ("HTTPS://a.example/", "url"),
        ("data:image/png;base64,AAAA", "data"),
        ("data:,x", "data"),
        ("Data:;BASE64,AAAA", "data"),
        ("data:audio/x-wav;codecs=1;rate=2;base64,AAAA", "data"),
        ("gs://bucket/a", "gs"),
        ("file_9f86d081884c7d659a2feaa0c55ad015", "file"),
        ("file_a-b_C", "file"),
    ],
)
def test_the_form_is_told(value: str, form: str) -> None:
    assert parse(value, "image").form == form


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "x",
        "file_",
        "file_é",
        "file_a b",
        "file_" + "x" * 200,
        "data:",
        "data:x",
        "data:a/b;c,x",
        "ftp://x",
        "//x",
    ],
)
def test_what_is_none_is_refused_with_its_field(value: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse(value, "mask")
    assert caught.value.details["field"] == "mask"
    assert len(caught.value.message) < 500


@given(st.text())
def test_any_text_is_a_source_or_a_clear_refusal(value: str) -> None:
    try:
        source = parse(value, "image")
    except ValidationFailed:
        return
    assert (source.value, source.field) == (value, "image")


@given(st.binary(min_size=1), st.sampled_from(["image/png", "", "a/b;x=y"]))
def test_data_comes_back(data: bytes, kind: str) -> None:
    encoded = b64encode(data).decode()
    escaped = quote(encoded, safe="")
    for value in (
        f"data:{kind};base64,{encoded}",
        f"data:{kind};base64,{escaped}",
        f"data:{kind},{quote_from_bytes(data)}",
    ):
        assert decode_data(value, "image", len(data)) == data
        with pytest.raises(PayloadTooLarge):
            decode_data(value, "image", len(data) - 1)


@given(st.text())
def test_any_base64_decodes_or_is_refused(text: str) -> None:
    try:
        data = decode_data("data:image/png;base64," + text, "image", 10_000)
    except ValidationFailed:
        return
    assert b64encode(data).decode().rstrip("=") == text.rstrip("=")


async def test_a_store_without_paths_is_copied_from(tmp_path: Path) -> None:
    blobs, clock, provider = MemoryBlobs(tmp_path / "work"), FakeClock(), QuickProvider()
    project = Project("p", "o", "p", 100.0, 100.0, clock.now())
    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        await store.ensure_project(Organisation("o", "o", 10**9, 10, clock.now()), project)
        files = Files(store, blobs, clock, provider, Policy(), b"s" * 32)
        async with files.receive(project) as incoming:
            await incoming.write(png(9, 7))
            stored = await incoming.finish("a.png", None, None)
        reader = SourceReader(files, store, FakeFetcher(), provider, clock, b"s" * 32)
        async with (
            blobs.workspace() as workspace,
            reader.open(project, parse(stored.file.id, "image"), workspace) as local,
        ):
            assert local.path.parent == workspace
            assert local.path.read_bytes() == png(9, 7)
            assert (local.media.width, local.media.height, local.sha256) == (9, 7, stored.file.sha256)
            await files.delete(project, stored.file.id)
            assert await blobs.size(stored.file.sha256) is not None, "held while it is read"
