"""The API's own description: valid, whole, and the page that shows it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from msgspec import Struct
from msgspec.structs import fields
from openapi_spec_validator import OpenAPIV31SpecValidator

from opperlite.api import schemas
from opperlite.api.routes import ROUTES
from opperlite.api.system import description
from opperlite.domain.errors import all_errors
from tests.api.conftest import IN_SESSION, World, error_of

DOCUMENT: dict[str, Any] = json.loads(json.dumps(description()))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
WIRE = [value for value in vars(schemas).values() if getattr(value, "__module__", "") == schemas.__name__]
WIRE = [value for value in WIRE if isinstance(value, type) and issubclass(value, Struct)]


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_in_it() -> None:
    described = {(path, method) for path, method, _ in OPERATIONS}
    for route in ROUTES:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        assert (path, route.method.lower()) in described
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_every_operation_says_what_it_does() -> None:
    for path, method, operation in OPERATIONS:
        assert operation["summary"], (method, path)
        assert operation["tags"]
        for response in operation["responses"].values():
            assert response["description"]


@pytest.mark.parametrize("struct", WIRE, ids=lambda struct: struct.__name__)
def test_every_field_of_the_wire_is_in_it(struct: type[Struct]) -> None:
    if struct.__name__ not in SCHEMAS:
        pytest.fail(f"{struct.__name__} is described nowhere")
    schema = SCHEMAS[struct.__name__]
    assert set(schema["properties"]) == {field.encode_name for field in fields(struct)}
    assert schema["description"]


def part_of(struct: str, field: str) -> dict[str, Any]:
    schema = SCHEMAS[struct]["properties"][field]
    merged = dict(schema)
    for part in schema.get("anyOf", ()):
        merged |= {name: value for name, value in part.items() if part.get("type") != "null"}
    return merged


def test_limits_are_in_it() -> None:
    assert part_of("ImageRequest", "n").items() >= {"minimum": 1, "maximum": 4}.items()
    assert part_of("ImageRequest", "prompt").items() >= {"minLength": 1, "maxLength": 32_000}.items()
    assert part_of("VideoRequest", "prompt").items() >= {"minLength": 1, "maxLength": 32_000}.items()
    assert part_of("SpeechRequest", "speed").items() >= {"minimum": 0.25, "maximum": 4.0}.items()
    assert set(part_of("SpeechRequest", "format")["enum"]) - {None} == {"mp3", "wav", "opus", "aac", "flac", "pcm"}
    assert set(part_of("ImageRequest", "response_format")["enum"]) - {None} == {"b64_json", "url"}
    assert part_of("ArtifactStatus", "status")["enum"] == ["completed", "failed", "processing"]
    assert SCHEMAS["ImageRequest"]["required"] == ["model", "prompt"]
    assert SCHEMAS["SpeechRequest"]["required"] == ["model", "input"]
    assert SCHEMAS["TranscriptionRequest"]["required"] == ["model", "audio"]
    form = DOCUMENT["paths"]["/v3/files"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
    assert set(form["properties"]) == {"file", "filename", "purpose", "ttl_seconds"}
    assert form["properties"]["ttl_seconds"]["minimum"] == 1
    page = {one["name"]: one["schema"] for one in DOCUMENT["paths"]["/v3/files"]["get"]["parameters"]}
    assert page["limit"].items() >= {"minimum": 1, "default": 20}.items()
    assert page["offset"].items() >= {"minimum": 0, "default": 0}.items()


def test_every_error_code_is_in_it() -> None:
    text = json.dumps(DOCUMENT)
    for error in all_errors():
        assert f"`{error.code}`" in text, error.code
    for path, method, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            if not path.startswith("/v1/") and (status == "default" or int(status) >= 400):
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, (method, path, status)


def test_what_needs_no_key_says_so() -> None:
    assert DOCUMENT["security"] == [{"BearerAuth": []}]
    assert DOCUMENT["components"]["securitySchemes"]["BearerAuth"] == {"type": "http", "scheme": "bearer"}
    said: dict[str, Any] = {"required": None, "none": []}
    for route in ROUTES:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        operation = DOCUMENT["paths"][path][route.method.lower()]
        assert ("401" in operation["responses"]) == (route.key != "none")
        assert operation.get("security") == said.get(route.key, [{}, {"BearerAuth": []}])


def test_posts_take_an_idempotency_key() -> None:
    for path, method, operation in OPERATIONS:
        names = [one["name"] for one in operation.get("parameters", ())]
        assert ("Idempotency-Key" in names) == (method == "post"), path


def test_examples_are_good_requests() -> None:
    from jsonschema import Draft202012Validator

    count = 0
    for _, _, operation in OPERATIONS:
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in media:
            count += 1
            Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]}).validate(media["example"])
    assert count >= 4


def test_what_is_our_own_is_marked() -> None:
    for path, method, operation in OPERATIONS:
        if path.startswith(("/_opperlite/", "/docs")) or path.endswith("/cancel"):
            assert "addition" in operation["description"], (method, path)


def test_our_names_for_functions_make_clients() -> None:
    for _, _, operation in OPERATIONS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", operation["operationId"])


# ------------------------------------------------------------------------------------------------ as served


@IN_SESSION
async def test_it_is_served_as_json_and_yaml(refusing: World) -> None:
    reply = await refusing.client.get("/v3/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == DOCUMENT
    reply = await refusing.client.get("/v3/openapi.yaml")
    assert reply.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(reply.text) == DOCUMENT


@IN_SESSION
async def test_the_page_and_its_assets_come_from_here(refusing: World) -> None:
    page = await refusing.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"https?://[^\s\"']+", page.text) == []
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) >= 3
    for asset in assets:
        assert asset.startswith("/docs/")
        reply = await refusing.client.get(asset)
        assert reply.status_code == 200
        assert len(reply.content) > 500
        kinds = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
        assert reply.headers["content-type"].startswith(kinds["." + asset.rpartition(".")[2]])
        if asset.endswith(".css"):
            assert re.findall(r"(?:url\(|@import)\s*['\"]?https?:", reply.text) == []
    assert "/v3/openapi.json" in page.text


@IN_SESSION
@pytest.mark.parametrize("name", ["index.html", "swagger-ui.css.map", "..%2f__init__.py", "%2e%2e", "%00", "x" * 3000])
async def test_only_the_pages_assets_are_served(refusing: World, name: str) -> None:
    error_of(await refusing.client.get(f"/docs/{name}"), 404, "not_found")
