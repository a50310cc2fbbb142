"""Checks that every reply is one that the OpenAPI document describes, to the last member."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

_REQUEST_ID = re.compile(r"req_[0-9a-f]{18,}")


class Conformance:
    """Validates replies against the document. Objects are closed: a member that is not described is a failure."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._components = _closed(document["components"])
        self._paths = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))), item)
            for path, item in sorted(document["paths"].items(), key=lambda entry: "{" in entry[0])
        ]
        self._validators: dict[str, Draft202012Validator] = {}
        self.seen: set[tuple[str, int]] = set()

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        assert _REQUEST_ID.fullmatch(response.headers["x-request-id"])
        if response.status_code >= 400 and request.method != "HEAD":
            openai = request.url.path == "/v1" or request.url.path.startswith("/v1/")
            self._check_error(response, "OpenAIErrorEnvelope" if openai else "ErrorEnvelope")
        operation = self._operation(request)
        if operation is None:
            return
        self.seen.add((operation["operationId"], response.status_code))
        described = operation["responses"].get(str(response.status_code)) or operation["responses"].get("default")
        assert described is not None, f"{operation['operationId']} answers an undocumented {response.status_code}"
        if request.method == "HEAD":
            return
        if "content" not in described:
            assert response.content == b""
            return
        self._check_content(described["content"], response)

    def _check_content(self, content: dict[str, Any], response: httpx.Response) -> None:
        kind = response.headers["content-type"].partition(";")[0]
        media = content.get(kind, content.get("*/*"))
        assert media is not None, f"an undocumented media type: {kind}"
        if "$ref" in media.get("schema", {}):
            self._validator(media["schema"]["$ref"]).validate(response.json())

    def _check_error(self, response: httpx.Response, envelope: str) -> None:
        assert response.headers["content-type"] == "application/json"
        self._validator(f"#/components/schemas/{envelope}").validate(response.json())
        assert response.json()["error"]["message"]

    def _operation(self, request: httpx.Request) -> dict[str, Any] | None:
        path = request.url.path.rstrip("/")
        for pattern, item in self._paths:
            if pattern.fullmatch(path):
                return item.get(request.method.lower())
        return None

    def _validator(self, reference: str) -> Draft202012Validator:
        if reference not in self._validators:
            self._validators[reference] = Draft202012Validator({"$ref": reference, "components": self._components})
        return self._validators[reference]


def _closed(value: Any) -> Any:
    """The same schemas, with no members but those that they name."""
    closed = copy.deepcopy(json.loads(json.dumps(value)))
    for schema in closed["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return closed
