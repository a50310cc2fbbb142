"""`/v3/files`: upload, list, metadata, link, delete."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.api.conftest import IN_SESSION, World, drive, error_of, scope_of, world_of
from tests.fakes import PDF, jpeg, mp4, png, sound

BOUNDARY = "b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, value: bytes, filename: str | None = None, extra: str = "") -> bytes:
    shown = f'; filename="{filename}"' if filename is not None else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n{extra}\r\n'.encode()
        + value
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


# ------------------------------------------------------------------------------------------------- upload


async def test_an_upload_answers_the_file_object(world: World) -> None:
    reply = await world.client.post("/v3/files", files={"file": ("photo.jpg", jpeg(), "text/plain")})
    assert reply.status_code == 200
    file = reply.json()
    assert file.pop("id").startswith("file_")
    assert file == {
        "object": "file",
        "bytes": len(jpeg()),
        "created_at": "2026-09-21T14:13:20.000Z",
        "expires_at": "2026-10-21T14:13:20.000Z",
        "filename": "photo.jpg",
        "mime_type": "image/jpeg",
        "purpose": "reference_media",
        "status": "ready",
    }


async def test_ids_have_at_least_22_url_safe_characters(world: World) -> None:
    ids = {(await world.upload())["id"] for _ in range(5)}
    assert len(ids) == 5
    for one in ids:
        prefix, _, rest = one.partition("_")
        assert prefix == "file"
        assert len(rest) >= 22
        assert rest.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [(jpeg, "image/jpeg"), (png, "image/png"), (mp4, "video/mp4"), (lambda: sound("wav"), "audio/wav")]
    + [(lambda kind=kind: sound(kind), name) for kind, name in (("mp3", "audio/mpeg"), ("flac", "audio/flac"))],
)
async def test_the_type_is_judged_by_the_bytes(world: World, data: Callable[[], bytes], mime_type: str) -> None:
    reply = await world.client.post("/v3/files", files={"file": ("a.txt", data(), "application/x-lies")})
    assert reply.json()["mime_type"] == mime_type


async def test_documents_are_for_ocr_only(world: World) -> None:
    taken = await world.client.post("/v3/files", files={"file": ("a.pdf", PDF)}, data={"purpose": "ocr_input"})
    assert (taken.json()["mime_type"], taken.json()["purpose"]) == ("application/pdf", "ocr_input")
    await world.upload(purpose="ocr_input")
    refused = await world.client.post("/v3/files", files={"file": ("a.pdf", PDF)})
    error = error_of(refused, 400, "unsupported_media_type", "file")
    assert error["details"]["found"] == "application/pdf"
    refused = await world.client.post("/v3/files", files={"file": ("a.mp4", mp4())}, data={"purpose": "ocr_input"})
    error_of(refused, 400, "unsupported_media_type", "file")


async def test_the_filename_field_wins_over_the_parts_own(world: World) -> None:
    assert (await world.upload(filename="part.png"))["filename"] == "part.png"
    reply = await world.client.post("/v3/files", files={"file": ("part.png", png())}, data={"filename": "field.png"})
    assert reply.json()["filename"] == "field.png"
    reply = await world.client.post("/v3/files", files={"file": ("part.png", png())}, data={"filename": ""})
    assert reply.json()["filename"] == "part.png"
    unnamed = await world.client.post("/v3/files", content=form(part("file", png(), "")), headers=FORM)
    assert unnamed.json()["filename"] == "upload"


async def test_names_beyond_ascii_are_kept(world: World) -> None:
    assert (await world.upload(filename="čaj 🫖.png"))["filename"] == "čaj 🫖.png"


async def test_a_shorter_life_may_be_asked_for_and_no_longer_one(world: World) -> None:
    assert (await world.upload(ttl_seconds="60"))["expires_at"] == "2026-09-21T14:14:20.000Z"
    assert (await world.upload(ttl_seconds=str(10**12)))["expires_at"] == "2026-10-21T14:13:20.000Z"
    assert (await world.upload(ttl_seconds=""))["expires_at"] == "2026-10-21T14:13:20.000Z"


async def test_retention_caps_every_life(tmp_path: Path) -> None:
    async with world_of(tmp_path, retention=100.0) as world:
        assert (await world.upload())["expires_at"] == "2026-09-21T14:15:00.000Z"
        made = (await world.client.post("/v3/audio/speech", json={"model": "openai/tts-1", "input": "a"})).json()
        file = (await world.client.get(f"/v3/files/{made['audio']['file_id']}")).json()
        assert file["expires_at"] == "2026-09-21T14:15:00.000Z"


async def test_parts_come_in_any_order_and_size_of_chunk(world: World) -> None:
    fields = [part("purpose", b"ocr_input"), part("ttl_seconds", b"60"), part("unknown", b"x")]
    file = part("file", png(300, 300), "a.png", "Content-Type: image/png\r\n")
    for parts in ([*fields, file], [file, *fields], [fields[0], file, *fields[1:]]):
        for size in (1, 7, 100_000):
            body = form(*parts)

            async def chunks(body: bytes = body, size: int = size) -> AsyncIterator[bytes]:
                for place in range(0, len(body), size):
                    yield body[place : place + size]

            reply = await world.client.post("/v3/files", content=chunks(), headers=FORM)
            assert reply.status_code == 200, reply.text
            shown = reply.json()
            assert (shown["purpose"], shown["expires_at"], shown["bytes"]) == (
                "ocr_input",
                "2026-09-21T14:14:20.000Z",
                len(png(300, 300)),
            )


async def test_bytes_that_look_like_a_boundary_are_bytes(world: World) -> None:
    data = png(2, 2, f"\r\n--{BOUNDARY[:-1]} --{BOUNDARY}--\r\n\r\n")
    reply = await world.client.post("/v3/files", content=form(part("file", data, "a.png")), headers=FORM)
    assert reply.json()["bytes"] == len(data)


async def test_what_follows_the_last_boundary_means_nothing(world: World) -> None:
    body = form(part("file", png(), "a.png"))

    async def chunks() -> AsyncIterator[bytes]:
        for piece in (body[:-2], body[-2:], b"epilogue", b"--b0undary--"):
            yield piece

    for content in (chunks(), body[:-2], body + b"epilogue"):
        reply = await world.client.post("/v3/files", content=content, headers=FORM)
        assert reply.status_code == 200, reply.text


async def test_an_epilogue_without_end_is_too_large(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_file_size=1000) as world:

        async def chunks() -> AsyncIterator[bytes]:
            yield form(part("file", png(), "a.png"))
            while True:
                yield bytes(100_000)

        error_of(await world.client.post("/v3/files", content=chunks(), headers=FORM), 413, "payload_too_large")
        await clean(world)


async def test_the_same_bytes_twice_are_two_files_and_one_blob(world: World) -> None:
    first, second = await world.upload(), await world.upload(filename="b.png")
    assert first["id"] != second["id"]
    assert len(world.remains()) == 1
    await world.client.delete(f"/v3/files/{first['id']}")
    assert len(world.remains()) == 1
    await world.client.delete(f"/v3/files/{second['id']}")
    assert world.remains() == []


async def test_many_uploads_at_once_are_all_kept(world: World) -> None:
    datas = [png(note=str(number)) for number in range(30)]
    files = await asyncio.gather(*(world.upload(data) for data in datas))
    assert [file["bytes"] for file in files] == [len(data) for data in datas]
    assert len(world.remains()) == 30
    names = {name.rpartition("/")[2] for name in world.remains()}
    assert names == {hashlib.sha256(data).hexdigest() for data in datas}


# ---------------------------------------------------------------------------------------------- bad input


async def clean(world: World) -> None:
    """Nothing was stored and nothing half-written remains."""
    listed = (await world.client.get("/v3/files")).json()
    assert listed["meta"]["total"] == 0
    assert world.remains() == []


@IN_SESSION
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (form(part("purpose", b"reference_media")), "file"),
        (form(), "file"),
        (form(part("file", b"", "empty.png")), "file"),
        (form(part("file", png(), "a.png"), part("file", png(), "b.png")), "file"),
        (form(part("file", png(), "a" * 300 + ".png")), "filename"),
        (form(part("file", png(), "../../etc/passwd")), "filename"),
        (form(part("file", png(), "..")), "filename"),
        (form(part("file", png(), "a%0D%0AX-Evil: 1.png")), "filename"),
        (form(part("file", png(), "a\tb.png")), "filename"),
        (form(part("file", png(), "a\x00b.png")), "filename"),
        (form(part("file", png(), "a\x7fb.png")), "filename"),
        (form(part("filename", b"x/y.png"), part("file", png(), "a.png")), "filename"),
        (form(part("filename", b"a\r\nb.png"), part("file", png(), "a.png")), "filename"),
        (form(part("filename", "ä".encode() * 256), part("file", png(), "a.png")), "filename"),
        (form(part("filename", b"\xff\xfe"), part("file", png(), "a.png")), "filename"),
        (form(part("filename", b"\xed\xa0\x80"), part("file", png(), "a.png")), "filename"),
        (form(part("purpose", b"fine-tune"), part("file", png(), "a.png")), "purpose"),
        (form(part("purpose", b"\x00"), part("file", png(), "a.png")), "purpose"),
        (form(part("file", png(), "a.png"), part("purpose", b"x" * 5000)), "purpose"),
        *(
            (form(part("file", png(), "a.png"), part("ttl_seconds", text)), "ttl_seconds")
            for text in (b"0", b"-1", b"1.5", b"abc", b"1_0", b" 5", b"5 ", "٥".encode(), b"9" * 5000, b"0x10", b"1e3")
        ),
        (form(part("file", png(), "a.png"))[:-8], "body"),
        (form(part("file", png(), "a.png"))[:60], "body"),
        (form(part("file", png(), "a.png"))[:-20], "body"),
        (b"", "body"),
        (b"no multipart at all", "body"),
        (form(part("file", png(), "a.png")).replace(BOUNDARY.encode(), b"another"), "body"),
        (part("file", png(), "a.png") * 40, None),
        (form(*[part(f"f{number}", b"x") for number in range(40)], part("file", png(), "a.png")), "body"),
        (form(part("file", png(), "a.png", "X: " + "y" * 9000 + "\r\n")), "body"),
        (form(b"--" + BOUNDARY.encode() + b"\r\nContent-Type: image/png\r\n\r\nx\r\n"), None),
        (form(part("file", png(), "a.png").replace(b"form-data", b"attachment")), None),
    ],
)
async def test_a_bad_form_is_refused_and_leaves_nothing(refusing: World, body: bytes, field: str | None) -> None:
    reply = await refusing.client.post("/v3/files", content=body, headers=FORM)
    error_of(reply, 400, "validation_error", field)


@IN_SESSION
@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is text",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>1</script>",
        b"PK\x03\x04" * 9,
        b"MZ" + bytes(200),
        b"\x00" * 100,
        PDF,
        b"\x1f\x8b\x08" + bytes(50),
        b"{}",
    ],
)
async def test_bytes_of_other_types_are_refused(refusing: World, data: bytes) -> None:
    reply = await refusing.client.post("/v3/files", files={"file": ("a.png", data, "image/png")})
    error = error_of(reply, 400, "unsupported_media_type", "file")
    assert error["details"]["allowed"] == ["image/", "video/", "audio/"]


@IN_SESSION
@pytest.mark.parametrize(
    ("content_type", "status", "code", "field"),
    [
        ("multipart/form-data", 400, "validation_error", "Content-Type"),
        ("multipart/form-data; boundary=", 400, "validation_error", "Content-Type"),
        ("multipart/form-data; boundary=" + "b" * 300, 400, "validation_error", "Content-Type"),
        ('multipart/form-data; boundary="a\x80b"', 400, "validation_error", "Content-Type"),
        ("application/json", 415, "unsupported_media_type", "Content-Type"),
        ("application/x-www-form-urlencoded", 415, "unsupported_media_type", "Content-Type"),
        ("multipart/mixed; boundary=" + BOUNDARY, 415, "unsupported_media_type", "Content-Type"),
        ("", 415, "unsupported_media_type", "Content-Type"),
        ("é" * 50, 415, "unsupported_media_type", "Content-Type"),
    ],
)
async def test_the_content_type_must_be_a_form(
    refusing: World, content_type: str, status: int, code: str, field: str
) -> None:
    headers = [(b"Content-Type", content_type.encode("latin-1"))]
    reply = await refusing.client.post("/v3/files", content=form(part("file", png(), "a.png")), headers=headers)
    error_of(reply, status, code, field)


async def test_the_form_may_be_written_in_capitals(world: World) -> None:
    headers = {"Content-Type": f'Multipart/Form-Data; charset=utf-8; Boundary="{BOUNDARY}"'}
    reply = await world.client.post("/v3/files", content=form(part("file", png(), "a.png")), headers=headers)
    assert reply.status_code == 200


async def test_a_file_over_the_limit_is_refused_with_and_without_a_length(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_file_size=100_000) as world:
        fits = png() + bytes(100_000 - len(png()))
        assert (await world.upload(fits))["bytes"] == 100_000
        body = form(part("file", fits + b"x", "a.png"))

        async def chunks() -> AsyncIterator[bytes]:
            for place in range(0, len(body), 1000):
                yield body[place : place + 1000]

        for content in (body, chunks()):
            reply = await world.client.post("/v3/files", content=content, headers=FORM)
            error = error_of(reply, 413, "payload_too_large", "file")
            assert error["details"]["allowed"] == {"max_bytes": 100_000}
        assert len(world.remains()) == 1


async def test_a_length_over_the_limit_is_refused_before_the_body_is_read(world: World) -> None:
    asked = 0

    async def receive() -> dict[str, object]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = {**FORM, "Authorization": "Bearer test", "Host": "127.0.0.1", "Content-Length": str(10**12)}
    await world.app(scope_of("POST", "/v3/files", headers), receive, send)
    assert (sent[0]["status"], asked) == (413, 0)


@IN_SESSION
@pytest.mark.parametrize("pieces", [1, 3, 40])
async def test_a_client_that_goes_away_leaves_nothing(refusing: World, pieces: int) -> None:
    body = form(part("file", png() + bytes(3_000_000), "a.png"))
    size = len(body) // 41
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": body[n * size : (n + 1) * size], "more_body": True} for n in range(pieces)
    ]
    headers = {**FORM, "Authorization": "Bearer test", "Host": "127.0.0.1"}
    await drive(refusing.app, scope_of("POST", "/v3/files", headers), [*messages, {"type": "http.disconnect"}])


@IN_SESSION
async def test_a_lost_client_is_no_crash(refusing: World, caplog: pytest.LogCaptureFixture) -> None:
    headers = {**FORM, "Authorization": "Bearer test", "Host": "127.0.0.1"}
    await drive(refusing.app, scope_of("POST", "/v3/files", headers), [{"type": "http.disconnect"}])
    headers = {"Content-Type": "application/json", "Authorization": "Bearer test", "Host": "127.0.0.1"}
    await drive(refusing.app, scope_of("POST", "/v3/images", headers), [{"type": "http.disconnect"}])
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# ---------------------------------------------------------------------------------------------- the list


async def test_the_list_is_newest_first_in_pages(world: World) -> None:
    ids = [(await world.upload())["id"] for _ in range(25)][::-1]
    first = (await world.client.get("/v3/files")).json()
    assert [file["id"] for file in first["data"]] == ids[:20]
    assert first["meta"] == {"limit": 20, "offset": 0, "total": 25}
    rest = (await world.client.get("/v3/files", params={"limit": 7, "offset": 20})).json()
    assert [file["id"] for file in rest["data"]] == ids[20:]
    assert rest["meta"] == {"limit": 7, "offset": 20, "total": 25}
    beyond = (await world.client.get("/v3/files", params={"offset": 10**17})).json()
    assert (beyond["data"], beyond["meta"]["total"]) == ([], 25)


async def test_the_limit_in_force_is_told(world: World) -> None:
    for asked, used in (("100", 100), ("101", 100), ("999999999999999999", 100), ("1", 1), ("", None)):
        reply = await world.client.get(f"/v3/files?limit={asked}")
        if used is not None:
            assert reply.json()["meta"]["limit"] == used


@IN_SESSION
@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.0", "1e2", "%00", "%FF", "1;2", "٣", " 1", "9" * 5000, "0x1"])
async def test_numbers_of_the_query_are_strict(refusing: World, value: str) -> None:
    for name in ("limit", "offset"):
        if (name, value) == ("offset", "0"):
            continue
        error_of(await refusing.client.get(f"/v3/files?{name}={value}"), 400, "validation_error", name)


async def test_expired_files_are_invisible_at_once(world: World) -> None:
    short, long = await world.upload(ttl_seconds="10"), await world.upload(ttl_seconds="11")
    world.clock.advance(10)
    listed = (await world.client.get("/v3/files")).json()
    assert [file["id"] for file in listed["data"]] == [long["id"]]
    assert listed["meta"]["total"] == 1
    for path in ("", "/content"):
        error_of(await world.client.get(f"/v3/files/{short['id']}{path}"), 404, "not_found")
    error_of(await world.client.delete(f"/v3/files/{short['id']}"), 404, "not_found")
    body = {"model": "openai/gpt-image-1", "prompt": "x", "image": short["id"]}
    error_of(await world.client.post("/v3/images", json=body), 400, "file_not_found", "image")
    await world.services.sweep()
    world.clock.advance(1)
    await world.services.sweep()
    assert world.remains() == []


# ---------------------------------------------------------------------------------------- one file, isolation


async def test_metadata_link_and_delete(world: World) -> None:
    file = await world.upload()
    path = f"/v3/files/{file['id']}"
    assert (await world.client.get(path)).json() == file
    link = (await world.client.get(path + "/content")).json()
    assert (link["bytes"], link["mime_type"]) == (file["bytes"], "image/png")
    gone = await world.client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    for reply in (
        await world.client.delete(path),
        await world.client.get(path),
        await world.client.get(path + "/content"),
        await world.client.get(link["url"]),
    ):
        error_of(reply, 404, "not_found")
    assert world.remains() == []


@IN_SESSION
@pytest.mark.parametrize(
    "name", ["file_unknown", "x", "file_%00", "%FF%FE", "%ED%A0%80", "..", "%20", "a" * 5000, "🫖"]
)
async def test_an_unknown_id_is_not_found(refusing: World, name: str) -> None:
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        error_of(await refusing.client.request(method, f"/v3/files/{name}{path}"), 404, "not_found")


async def test_projects_never_meet(world: World) -> None:
    file = await world.upload()
    async with world.client_of("another") as other:
        assert (await other.get("/v3/files")).json()["meta"]["total"] == 0
        for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
            foreign = await other.request(method, f"/v3/files/{file['id']}{path}")
            unknown = await other.request(method, f"/v3/files/file_{'0' * 32}{path}")
            error_of(foreign, 404, "not_found")
            assert foreign.json()["error"]["message"].replace(file["id"], "") == unknown.json()["error"][
                "message"
            ].replace("file_" + "0" * 32, "")
        body = {"model": "openai/gpt-image-1", "prompt": "x", "image": file["id"]}
        error_of(await other.post("/v3/images", json=body), 400, "file_not_found", "image")
    assert (await world.client.get(f"/v3/files/{file['id']}")).status_code == 200


async def test_a_link_read_as_a_source_needs_no_network(world: World) -> None:
    file = await world.upload(png(64, 64))
    url = (await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"]
    body = {"model": "openai/gpt-image-1", "prompt": "x", "image": url}
    assert (await world.client.post("/v3/images", json=body)).status_code == 200
    assert world.fetcher.asked == []
    await world.client.delete(f"/v3/files/{file['id']}")
    error_of(await world.client.post("/v3/images", json=body), 400, "file_not_found", "image")


async def test_requests_speaks_the_same_form(world: World) -> None:
    """What `requests` and curl send: a part header with a type, names in quotes."""
    body = form(
        part("file", png(), "a b.png", "Content-Type: image/png\r\n"),
        part("purpose", b"reference_media", None, "Content-Type: text/plain; charset=utf-8\r\n"),
    )
    reply = await world.client.post("/v3/files", content=body, headers={**FORM, "Expect": "100-continue"})
    assert reply.json()["filename"] == "a b.png"
