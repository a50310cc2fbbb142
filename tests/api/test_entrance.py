"""The way in: keys, hosts, unknown routes and methods, bodies, the order of checks, the envelope everywhere."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from opperlite.adapters.fetch_http import HttpFetcher
from opperlite.api.errors import STATUS
from opperlite.domain.errors import all_errors
from tests.api.conftest import IN_SESSION, World, drive, error_of, scope_of, world_of
from tests.api.test_images import data_uri
from tests.fakes import png

IMAGE = {"model": "openai/gpt-image-1", "prompt": "x"}
JSON = {"Content-Type": "application/json"}
PROTECTED = [
    ("POST", "/v3/files"),
    ("GET", "/v3/files"),
    ("GET", "/v3/files/file_x"),
    ("GET", "/v3/files/file_x/content"),
    ("DELETE", "/v3/files/file_x"),
    ("POST", "/v3/images"),
    ("POST", "/v3/videos"),
    ("GET", "/v3/artifacts/gen_x/status"),
    ("POST", "/v3/artifacts/gen_x/cancel"),
    ("POST", "/v3/audio/speech"),
    ("POST", "/v3/audio/transcriptions"),
]
JSON_ROUTES = ["/v3/images", "/v3/videos", "/v3/audio/speech", "/v3/audio/transcriptions"]


# --------------------------------------------------------------------------------------------------- keys


@IN_SESSION
@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_every_route_wants_a_key_before_anything_else(refusing: World, method: str, path: str) -> None:
    async with refusing.client_of(None) as anyone:
        for header in (None, "", "Bearer", "Bearer ", "Bearer    ", "Basic eA==", "test", "Bearer" + "x" * 50):
            headers = {} if header is None else {"Authorization": header}
            reply = await anyone.request(method, path, headers=headers, content=b"not even JSON")
            error_of(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"


@IN_SESSION
async def test_open_takes_any_token_in_any_case_of_the_scheme(refusing: World) -> None:
    async with refusing.client_of(None) as anyone:
        for header in (b"bearer x", b"BEARER x", b"Bearer \xff\xfe", "Bearer 鍵".encode(), b"Bearer a b", b"Bearer x "):
            assert (await anyone.get("/v3/files", headers=[(b"Authorization", header)])).status_code == 200
        error_of(
            await anyone.get("/v3/files", headers={"Authorization": "Bearer " + "k" * 60_000}), 401, "unauthorized"
        )


async def test_each_token_is_a_project_of_its_own(world: World) -> None:
    files = {}
    for token in ("a", "b", "a b", "A"):
        async with world.client_of(token) as client:
            reply = await client.post("/v3/files", files={"file": ("a.png", png())}, data={"filename": f"{token}.png"})
            files[token] = reply.json()["id"]
    for token, file_id in files.items():
        async with world.client_of(token) as client:
            assert [file["id"] for file in (await client.get("/v3/files")).json()["data"]] == [file_id]


async def test_projects_survive_a_restart(tmp_path: Path) -> None:
    async with world_of(tmp_path) as world:
        file = await world.upload()
    async with world_of(tmp_path) as world:
        assert (await world.client.get(f"/v3/files/{file['id']}")).json() == file


async def test_keys_mode_takes_only_keys_made_here(tmp_path: Path) -> None:
    async with world_of(tmp_path, auth="keys") as world:
        first = await world.services.projects.ensure_first_key()
        assert first is not None
        assert first.startswith("opl_")
        assert await world.services.projects.ensure_first_key() is None
        key, second = await world.services.projects.create_key("second")
        for token in ("test", "", first + "x", first[:-1], first.upper(), key.id, key.hint):
            async with world.client_of(token) as client:
                error_of(await client.get("/v3/files"), 401, "unauthorized")
                error_of(await client.get("/v3/models"), 401, "unauthorized")
        async with world.client_of(first) as one, world.client_of(second) as two:
            file = (await one.post("/v3/files", files={"file": ("a.png", png())})).json()
            assert (await two.get(f"/v3/files/{file['id']}")).status_code == 200, "both keys are of the default project"
            await world.services.projects.revoke_key(key.id)
            error_of(await two.get("/v3/files"), 401, "unauthorized")
            assert (await one.get("/v3/files")).status_code == 200
        text = (tmp_path / "opperlite.db").read_bytes() + (tmp_path / "opperlite.db-wal").read_bytes()
        assert first.encode() not in text
        assert second.encode() not in text


@IN_SESSION
async def test_public_routes_need_no_key(refusing: World) -> None:
    async with refusing.client_of(None) as anyone:
        for path in ("/health", "/v3/openapi.json", "/v3/openapi.yaml", "/docs", "/v3/models"):
            assert (await anyone.get(path)).status_code == 200
        assert (await anyone.get("/health", headers={"Authorization": "nonsense"})).json() == {"status": "ok"}


# -------------------------------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "[fe80::1]:80",
        "\xff",
        "localhost:80:80",
        "a b",
        "127.0.0.1/",
        "x@localhost",
    ],
)
@IN_SESSION
async def test_a_foreign_host_is_refused_on_loopback(refusing: World, host: str) -> None:
    for path in ("/health", "/v3/files", "/v3/models", "/unknown"):
        headers = [(b"Host", host.encode("latin-1"))]
        error_of(await refusing.client.get(path, headers=headers), 403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8080"])
@IN_SESSION
async def test_loopback_names_are_answered(refusing: World, host: str) -> None:
    assert (await refusing.client.get("/health", headers={"Host": host})).status_code == 200


async def test_other_hosts_are_answered_where_that_was_allowed(tmp_path: Path) -> None:
    async with world_of(tmp_path / "a", allow_host=("Dev.example",), public_url="https://pub.example/x") as world:
        for host, status in (("dev.example:80", 200), ("PUB.example", 200), ("other.example", 403)):
            assert (await world.client.get("/health", headers={"Host": host})).status_code == status
    async with world_of(tmp_path / "b", host="0.0.0.0") as world:
        assert (await world.client.get("/health", headers={"Host": "anything.example"})).status_code == 200


# --------------------------------------------------------------------------------- unknown routes and methods


@IN_SESSION
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v3",
        "/v3/",
        "/v2/files",
        "/v3/filess",
        "/v3/files/a/b",
        "/V3/files",
        "/v3/files/a/content/x",
        "/v3/openapi",
        "/v3/files/..%2f..%2fetc%2fpasswd",
        "/docs/../secret",
        "/docs/x.js",
        "/%00",
        "/%FF",
        "/" + "a" * 5000,
    ],
)
async def test_an_unknown_route_is_not_found_in_the_envelope(refusing: World, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        reply = await refusing.client.request(method, path)
        if reply.status_code != 405:
            error_of(reply, 404, "not_found")
        assert len(reply.text) < 1500


@IN_SESSION
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v3/files", {"GET", "POST"}),
        ("/v3/files/file_x", {"GET", "DELETE"}),
        ("/v3/files/file_x/content", {"GET"}),
        ("/v3/images", {"POST"}),
        ("/v3/videos", {"POST"}),
        ("/v3/artifacts/gen_x/status", {"GET"}),
        ("/v3/artifacts/gen_x/cancel", {"POST"}),
        ("/v3/audio/speech", {"POST"}),
        ("/v3/models", {"GET"}),
        ("/health", {"GET"}),
        ("/_opperlite/files/file_x", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(refusing: World, path: str, allow: set[str]) -> None:
    for method in ("PUT", "PATCH", "DELETE", "GET", "POST", "TRACE", "BREW"):
        if method in allow:
            continue
        reply = await refusing.client.request(method, path)
        error_of(reply, 405, "method_not_allowed")
        assert set(reply.headers["allow"].split(", ")) - {"OPTIONS", "HEAD"} == allow - {"HEAD"}


# ------------------------------------------------------------------------------------------------- bodies


@IN_SESSION
@pytest.mark.parametrize("path", JSON_ROUTES)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"{]", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b"{'a':1}", "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"model":"\xff"}', "invalid_json"),
        (b'{"model":"\xed\xa0\x80","prompt":"x"}', "invalid_json"),
        (b'{"model":"\\ud800","prompt":"x","input":"x","audio":"x"}', "invalid_json"),
        (b'{"model":"\\udfff","prompt":"x","input":"x","audio":"x"}', "invalid_json"),
        (b'{"n":NaN}', "invalid_json"),
        (b'{"n":Infinity}', "invalid_json"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json"),
        (b'{"parameters":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, "invalid_json"),
        (b'{"model":"x","prompt":"x","input":"x","audio":"x"}{}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"model":5,', "invalid_json"),
        (b'{"model":5}{}', "invalid_json"),
        (b'{"prompt":[1,2', "invalid_json"),
        (b'{"input":{},"model":5,"x":tru}', "invalid_json"),
        (b"[]", "validation_error"),
        (b"null", "validation_error"),
        (b"true", "validation_error"),
        (b'"text"', "validation_error"),
        (b"5", "validation_error"),
        (b"{}", "validation_error"),
        (b'{"model":{}}', "validation_error"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(refusing: World, path: str, body: bytes, code: str) -> None:
    reply = await refusing.client.post(path, content=body, headers=JSON)
    error = error_of(reply, 400, code)
    assert error["details"]["field"]


@IN_SESSION
@pytest.mark.parametrize("path", JSON_ROUTES)
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "\xff"])
async def test_a_wrong_content_type_is_415(refusing: World, path: str, kind: str) -> None:
    headers = [(b"Content-Type", kind.encode("latin-1"))] if kind else []
    reply = await refusing.client.post(path, content=b"{}", headers=headers)
    error = error_of(reply, 415, "unsupported_media_type", "Content-Type")
    assert error["details"]["allowed"] == ["application/json"]


@IN_SESSION
@pytest.mark.parametrize("coding", ["gzip", "br", "x-unknown", "gzip, identity"])
async def test_a_compressed_body_is_415(refusing: World, coding: str) -> None:
    client = refusing.client
    told = {"Content-Encoding": coding}
    for path in JSON_ROUTES:
        reply = await client.post(path, content=gzip.compress(b"{}"), headers=JSON | told)
        error_of(reply, 415, "unsupported_media_type", "Content-Encoding")
    for path in ("/v3/files", "/v1/files", "/v1/audio/transcriptions"):
        reply = await client.post(
            path, content=gzip.compress(b"--b--"), headers=told | {"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert reply.status_code == 415
    plain = await client.post("/v3/images", content=b"{", headers=JSON | {"Content-Encoding": "Identity"})
    error_of(plain, 400, "invalid_json")


async def test_the_content_type_may_have_parameters_and_capitals(world: World) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json;x"):
        reply = await world.client.post(
            "/v3/images", content=b'{"model":"openai/gpt-image-1","prompt":"x"}', headers={"Content-Type": kind}
        )
        assert reply.status_code == 200


async def test_a_body_over_the_limit_is_413_with_and_without_a_length(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_json_size=2000) as world:
        body = b'{"model":"openai/gpt-image-1","prompt":"' + b"x" * 1950

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 100

        reply = await world.client.post("/v3/images", content=body + b'"}', headers=JSON)
        assert reply.status_code == 200
        for content in (body + b"x" * 20 + b'"}', chunks()):
            error = error_of(
                await world.client.post("/v3/images", content=content, headers=JSON), 413, "payload_too_large", "body"
            )
            assert error["details"]["allowed"] == {"max_bytes": 2000}


async def test_a_length_over_the_limit_is_refused_unread(world: World) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x", "Host": "127.0.0.1"}
    scope = scope_of("POST", "/v3/images", headers | {"Content-Length": str(2**40)})
    sent = await drive(world.app, scope, [{"type": "http.disconnect"}])
    assert sent[0]["status"] == 413


# --------------------------------------------------------------------------------------- the order of checks


@IN_SESSION
async def test_the_first_thing_wrong_is_the_one_told(refusing: World) -> None:
    """Route, key, body, fields, model, the model's rules, sources: each request below lacks one thing more."""
    unread = "http://pictures.example/never-asked.png"
    ladder: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"image": unread}, 400, "validation_error", "model"),
        ({"image": unread, "model": "no/such"}, 400, "validation_error", "prompt"),
        ({"image": unread, "model": "no/such", "prompt": "x", "size": "7x7"}, 400, "model_not_found", "model"),
        ({"image": unread, "model": "openai/tts-1", "prompt": "x", "size": "7x7"}, 400, "validation_error", "model"),
        ({"image": unread, **IMAGE, "size": "7x7"}, 400, "validation_error", "size"),
        ({"image": unread, **IMAGE}, 400, "invalid_source", "image"),
    ]
    asked = len(refusing.fetcher.asked)
    async with refusing.client_of(None) as anyone:
        error_of(await anyone.post("/v3/imagess", content=b"x"), 404, "not_found")
        error_of(await anyone.put("/v3/images", content=b"x"), 405, "method_not_allowed")
        error_of(await anyone.post("/v3/images", content=b"x"), 401, "unauthorized")
    error_of(await refusing.client.post("/v3/images", content=b"x"), 415, "unsupported_media_type")
    error_of(await refusing.client.post("/v3/images", content=b"x", headers=JSON), 400, "invalid_json")
    for body, status, code, field in ladder[:-1]:
        reply = await refusing.client.post("/v3/images", json=body)
        assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (status, field)
        assert reply.json()["error"]["code"] in (code, "provider_error")
    assert len(refusing.fetcher.asked) == asked
    error_of(await refusing.client.post("/v3/images", json=ladder[-1][0]), 400, "invalid_source", "image")


async def test_sources_are_judged_before_the_quota(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_files=0) as world:
        reply = await world.client.post("/v3/files", files={"file": ("a.png", png())})
        error = error_of(reply, 413, "quota_exceeded")
        assert error["details"]["quota_files"] == 0
        assert world.remains() == []
        reply = await world.client.post("/v3/images", json=IMAGE | {"image": "file_unknown"})
        error_of(reply, 400, "file_not_found", "image")
        assert (await world.client.post("/v3/images", json=IMAGE | {"image": data_uri(png())})).status_code == 200


async def test_no_source_is_a_door_to_the_machines_own_network(tmp_path: Path) -> None:
    fetcher = HttpFetcher(timeout=5, redirects=3)
    async with world_of(tmp_path, fetcher=fetcher) as world:
        for url in (
            "http://127.0.0.1:8080/health",
            "http://localhost/",
            "http://[::1]/",
            "http://169.254.169.254/latest",
        ):
            for path, field in (("images", "image"), ("videos", "image"), ("audio/transcriptions", "audio")):
                model = {"images": "openai/gpt-image-1", "videos": "openai/sora-2"}.get(path, "openai/whisper-1")
                reply = await world.client.post(f"/v3/{path}", json={"model": model, "prompt": "x", field: url})
                error = error_of(reply, 400, "invalid_source", field)
                assert "not a public address" in error["message"]
        assert world.remains() == []


# -------------------------------------------------------------------------------------------- every reply


@IN_SESSION
async def test_every_reply_has_an_id_of_its_own(refusing: World) -> None:
    ids = [(await refusing.client.get(path)).headers["x-request-id"] for path in ("/health", "/x", "/v3/files") * 5]
    assert len(set(ids)) == len(ids)


async def test_pages_of_other_origins_read_replies_only_where_allowed(world: World, tmp_path: Path) -> None:
    headers = {"Origin": "https://app.example"}
    assert "access-control-allow-origin" not in (await world.client.get("/health", headers=headers)).headers
    async with world_of(tmp_path / "cors", cors_origin=("https://app.example",)) as allowing:
        reply = await allowing.client.get("/health", headers=headers)
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        other = await allowing.client.get("/health", headers={"Origin": "https://evil.example"})
        assert other.headers.get("access-control-allow-origin") != "https://evil.example"
        file = await allowing.upload()
        url = (await allowing.client.get(f"/v3/files/{file['id']}/content")).json()["url"]
        for path in ("/health", "/v3/nothing", "/v3/files", url):
            for sent in ({}, headers, {"Origin": "https://evil.example"}):
                told = await allowing.client.get(path, headers=sent)
                assert [value for name, value in told.headers.multi_items() if name == "vary"] == ["Origin"]
        assert reply.headers["vary"] == other.headers["vary"] == "Origin"
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        before = await allowing.client.options("/v3/files", headers=headers | asked)
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == "https://app.example"
        assert "authorization" in before.headers["access-control-allow-headers"]
        assert "POST" in before.headers["access-control-allow-methods"]
        refused = await allowing.client.options("/v3/files", headers={"Origin": "https://evil.example"} | asked)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


def test_every_error_has_one_status() -> None:
    assert set(STATUS) == set(all_errors())
    assert all(400 <= status < 600 for status in STATUS.values())
