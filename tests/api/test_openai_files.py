"""`/v1/files`: the same files under UUIDs, paging that ends, soft deletion, and bad input."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from opperlite.domain.ids import id_of, new_id, uuid_of
from tests.api.conftest import World, world_of
from tests.api.openai import problem
from tests.fakes import NOW, png

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def upload(client: httpx.AsyncClient, data: bytes = b"x", name: str = "a.txt", **fields: str) -> dict[str, Any]:
    reply = await client.post("/v1/files", files={"file": (name, data)}, data={"purpose": "user_data"} | fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_uuid_and_an_id_are_two_names_of_one_thing() -> None:
    for _ in range(50):
        own = new_id("file")
        named = uuid_of(own)
        assert uuid.UUID(named).version == 4
        assert id_of("file", named) == own
    for text in ("", "file_1", UNKNOWN.replace("-", ""), UNKNOWN.upper() + "x", f"{UNKNOWN}\n"):
        assert id_of("file", text) is None


async def test_a_file_of_any_bytes_and_purpose(world: World) -> None:
    made = await upload(world.client, b"\x00\x01\x02", "data.bin", purpose="évals 7")
    named = made.pop("id")
    assert uuid.UUID(named).version == 4
    assert made == {
        "object": "file",
        "bytes": 3,
        "created_at": int(NOW),
        "expires_at": int(NOW) + 30 * 86400,
        "filename": "data.bin",
        "purpose": "évals 7",
        "status": "processed",
        "status_details": None,
    }
    assert (await world.client.get(f"/v1/files/{named}")).json() == made | {"id": named}
    content = await world.client.get(f"/v1/files/{named}/content")
    assert content.content == b"\x00\x01\x02"
    assert content.headers["content-type"] == "application/octet-stream"
    part = await world.client.get(f"/v1/files/{named}/content", headers={"Range": "bytes=1-1"})
    assert (part.status_code, part.content) == (206, b"\x01")


async def test_both_surfaces_have_the_same_files(world: World) -> None:
    theirs = await world.upload(png(), "a.png")
    ours = await upload(world.client, png(note="b"), "b.png", purpose="vision")
    listed = (await world.client.get("/v1/files")).json()
    assert [file["id"] for file in listed["data"]] == [ours["id"], uuid_of(theirs["id"])]
    there = (await world.client.get("/v3/files")).json()
    assert [file["id"] for file in there["data"]] == [id_of("file", ours["id"]), theirs["id"]]
    assert there["data"][0]["mime_type"] == "image/png"
    body = {"model": "gpt-image-2", "prompt": "in winter", "images": [{"file_id": ours["id"]}]}
    assert (await world.client.post("/v1/images/edits", json=body)).status_code == 200


async def test_parts_in_any_order_and_without_a_length(world: World) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc\r\n'
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--b--\r\n'
    )

    async def chunks() -> Any:
        for place in range(0, len(body), 7):
            yield body[place : place + 7]

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    made = (await world.client.post("/v1/files", content=chunks(), headers=headers)).json()
    assert (made["bytes"], made["purpose"]) == (3, "fine-tune")


async def test_pages_by_cursor_offset_order_and_purpose(world: World) -> None:
    ids = [(await upload(world.client, name=f"{n}.txt", purpose="ab"[n % 2]))["id"] for n in range(7)]

    async def page(**query: Any) -> dict[str, Any]:
        reply = await world.client.get("/v1/files", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    whole = await page()
    assert [file["id"] for file in whole["data"]] == ids[::-1]
    assert (whole["object"], whole["total"], whole["has_more"]) == ("list", 7, False)
    assert (whole["first_id"], whole["last_id"]) == (ids[6], ids[0])
    first = await page(limit=3)
    assert ([file["id"] for file in first["data"]], first["has_more"]) == (ids[:3:-1], True)
    second = await page(limit=3, after=first["last_id"])
    assert [file["id"] for file in second["data"]] == ids[3:0:-1]
    last = await page(limit=3, after=second["last_id"])
    assert ([file["id"] for file in last["data"]], last["has_more"], last["total"]) == ([ids[0]], False, 7)
    assert [file["id"] for file in (await page(order="asc", limit=2, after=ids[2]))["data"]] == ids[3:5]
    assert [file["id"] for file in (await page(offset=5))["data"]] == [ids[1], ids[0]]
    even = await page(purpose="a", limit=2, order="asc")
    assert ([file["id"] for file in even["data"]], even["total"], even["has_more"]) == ([ids[0], ids[2]], 4, True)
    none = await page(purpose="A")
    assert (none["data"], none["total"], none["first_id"], none["last_id"]) == ([], 0, None, None)


async def test_a_deleted_file_is_gone_at_once_and_swept_later(world: World) -> None:
    kept, ended = await upload(world.client, b"kept"), await upload(world.client, b"ended")
    link = (await world.client.get(f"/v3/files/{id_of('file', ended['id'])}/content")).json()["url"]
    reply = await world.client.delete(f"/v1/files/{ended['id']}")
    assert reply.json() == {"id": ended["id"], "object": "file", "deleted": True}
    for again in (
        await world.client.get(f"/v1/files/{ended['id']}"),
        await world.client.get(f"/v1/files/{ended['id']}/content"),
        await world.client.delete(f"/v1/files/{ended['id']}"),
    ):
        problem(again, 404, "not_found_error")
    assert (await world.client_of(None).get(link)).status_code == 404
    listed = (await world.client.get("/v1/files")).json()
    assert ([file["id"] for file in listed["data"]], listed["total"]) == ([kept["id"]], 1)
    assert len(world.remains()) == 2
    behind = (await world.client.get("/v1/files", params={"after": ended["id"]})).json()
    assert [file["id"] for file in behind["data"]] == [kept["id"]]
    await world.services.sweep()
    assert len(world.remains()) == 1
    problem(await world.client.get("/v1/files", params={"after": ended["id"]}), 400, "invalid_request_error", "after")


async def test_purposes_are_counted_through_every_end(world: World) -> None:
    async def total(purpose: str) -> int:
        return (await world.client.get("/v1/files", params={"purpose": purpose})).json()["total"]

    short = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    one, two, _ = [await upload(world.client, purpose="p", **more) for more in ({}, {}, short)]
    assert await total("p") == 3
    await world.client.delete(f"/v1/files/{one['id']}")
    await world.client.delete(f"/v3/files/{id_of('file', two['id'])}")
    assert await total("p") == 1
    world.clock.advance(3600)
    assert await total("p") == 0
    await world.services.sweep()
    assert await total("p") == 0


async def test_other_projects_see_nothing(world: World) -> None:
    made = await upload(world.client)
    async with world.client_of("other") as other:
        problem(await other.get(f"/v1/files/{made['id']}"), 404, "not_found_error")
        problem(await other.get(f"/v1/files/{made['id']}/content"), 404, "not_found_error")
        problem(await other.delete(f"/v1/files/{made['id']}"), 404, "not_found_error")
        problem(await other.get("/v1/files", params={"after": made["id"]}), 400, "invalid_request_error", "after")
        assert (await other.get("/v1/files")).json()["total"] == 0
    async with world.client_of(None) as nobody:
        assert problem(await nobody.get("/v1/files"), 401, "authentication_error")["code"] == "invalid_api_key"


async def test_what_cannot_be_stored_is_told(tmp_path: Path) -> None:
    async with world_of(tmp_path, zero_data_retention=True) as world:
        made = await upload(world.client)
        assert (made["status"], made["expires_at"]) == ("error", made["created_at"])
        assert "keeps no data" in made["status_details"]
        problem(await world.client.get(f"/v1/files/{made['id']}"), 404, "not_found_error")
        assert world.remains() == []


async def test_limits_of_size_and_quota(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_file_size=10, quota_files=1) as world:
        large = await world.client.post("/v1/files", files={"file": ("a", b"x" * 11)}, data={"purpose": "p"})
        assert problem(large, 413, "invalid_request_error", "file")["code"] == "payload_too_large"
        await upload(world.client)
        full = await world.client.post("/v1/files", files={"file": ("a", b"x")}, data={"purpose": "p"})
        assert problem(full, 413, "invalid_request_error")["code"] == "quota_exceeded"


@pytest.mark.parametrize(
    ("files", "fields", "param"),
    [
        ({}, {"purpose": "p"}, None),
        ({"file": ("a", b"x")}, {}, "purpose"),
        ({"file": ("a", b"x")}, {"purpose": " "}, "purpose"),
        ({"file": ("a", b"x")}, {"purpose": "x" * 257}, "purpose"),
        ({"file": ("a", b"")}, {"purpose": "p"}, "file"),
        ({"file": ("a/b", b"x")}, {"purpose": "p"}, "filename"),
        ({"file": ("a", b"x")}, {"purpose": "p", "expires_after[seconds]": "3600"}, "expires_after[anchor]"),
        *(
            (
                {"file": ("a", b"x")},
                {"purpose": "p", "expires_after[anchor]": "created_at", "expires_after[seconds]": seconds},
                "expires_after[seconds]",
            )
            for seconds in ("3599", "2592001", "-1", "1.5", "x", "", "9" * 30)
        ),
    ],
)
async def test_bad_uploads_leave_nothing(
    world: World, files: dict[str, Any], fields: dict[str, str], param: str | None
) -> None:
    reply = await world.client.post("/v1/files", files=files or {"other": (None, "x")}, data=fields)
    problem(reply, 400, "invalid_request_error", param)
    assert world.remains() == []


async def test_a_form_is_needed(world: World) -> None:
    problem(await world.client.post("/v1/files", json={"purpose": "p"}), 415, "invalid_request_error", "Content-Type")


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "order=up", "after=x"])
async def test_bad_queries_are_refused(world: World, query: str) -> None:
    problem(await world.client.get(f"/v1/files?{query}"), 400, "invalid_request_error", query.partition("=")[0])


async def test_a_large_limit_is_cut(world: World) -> None:
    assert (await world.client.get("/v1/files?limit=10000&purpose=&after=")).status_code == 200


@pytest.mark.parametrize("name", ["file-abc", "file_1", UNKNOWN, UNKNOWN.replace("-", ""), "%00", "..%2f..", "x" * 500])
async def test_unknown_ids_are_not_found(world: World, name: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        error = problem(await world.client.request(method, f"/v1/files/{name}{path}"), 404, "not_found_error")
        assert re.search(r"UUID|No file", error["message"])


async def test_the_same_upload_is_replayed(world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    made = [
        await world.client.post("/v1/files", files={"file": ("a", b"x")}, data={"purpose": "p"}, headers=headers)
        for _ in range(2)
    ]
    assert made[0].json() == made[1].json()
    assert made[1].headers["idempotency-replayed"] == "true"
    other = await world.client.post("/v1/files", files={"file": ("a", b"y")}, data={"purpose": "p"}, headers=headers)
    problem(other, 422, "invalid_request_error")
