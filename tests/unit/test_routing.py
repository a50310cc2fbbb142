"""How a path finds its routes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.api.routes import ROUTES, ROUTING

SEGMENTS = st.text(st.characters(exclude_characters="/{}"), min_size=1, max_size=8)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@given(value=SEGMENTS.map("~{}".format))
def test_each_route_is_found_with_its_values(route, value: str) -> None:  # type: ignore[no-untyped-def]
    names = re.findall(r"{(\w+):", route.path)
    path = re.sub(r"{\w+:\w+}", lambda _: value, route.path)
    taken, values = ROUTING.find(path)
    assert taken[route.method] == (route, tuple(names))
    assert values == [value] * len(names)
    assert ("HEAD" in taken) == route.head
    assert ROUTING.find(f"/{path}/") == (taken, values)


@given(st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join))
def test_unknown_paths_have_no_routes(path: str) -> None:
    assert ROUTING.find(f"/none/{path}") == ({}, [])
    assert ROUTING.methods(f"/none/{path}") == ["OPTIONS"]


def test_a_parameter_may_take_the_rest_of_a_path() -> None:
    assert ROUTING.find("/v1/models/openai/sora-2")[1] == ["openai/sora-2"]
    assert ROUTING.find("/v3/files/a/b") == ({}, [])


def test_a_path_tells_its_methods() -> None:
    assert ROUTING.methods("/v3/files/file_1") == ["DELETE", "GET", "OPTIONS"]
    assert ROUTING.methods("/_opperlite/files/file_1") == ["GET", "HEAD", "OPTIONS"]
