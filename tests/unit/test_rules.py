"""The vocabulary of rules and its checker."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.domain.errors import ValidationFailed
from opperlite.domain.models import Catalog, plan_image
from opperlite.domain.models.checking import check, check_rules
from opperlite.domain.models.geometry import parse_ratio
from opperlite.domain.models.rules import (
    Field,
    Rule,
    SizeRule,
    describe_size,
    effective,
    holds,
    is_type,
    merge,
    nested,
    parse_size,
    read,
    size_problem,
)
from opperlite.domain.types import ImageRequest

CATALOG = Catalog.load(())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b", "c"])


def kinds(fields: dict[str, Field], body: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(one.kind, one.path) for one in check(fields, body, closed=True, **options)]


@given(JSON)
def test_every_json_value_has_exactly_one_type_but_integers_are_numbers(value: Any) -> None:
    names = ["null", "boolean", "integer", "number", "string", "array", "object"]
    fitting = [name for name in names if is_type(value, name)]
    whole = isinstance(value, int) and not isinstance(value, bool)
    assert fitting == (["integer", "number"] if whole else fitting[:1])
    assert len(fitting) >= 1


@pytest.mark.parametrize(("value", "broken"), [("4", False), (4, True), (4.0, True), (True, True), (["4"], True)])
def test_a_text_is_not_a_number(value: Any, broken: bool) -> None:
    assert bool(kinds({"seconds": Field(type="string", enum=("4", "8"))}, {"seconds": value})) is broken


@pytest.mark.parametrize(("value", "broken"), [(1, False), (True, True), (1.0, True), ("1", True)])
def test_a_boolean_is_not_a_number(value: Any, broken: bool) -> None:
    assert bool(kinds({"n": Field(type="integer", enum=(1, 2))}, {"n": value})) is broken


@given(st.integers(-50, 50), st.integers(-20, 0), st.integers(1, 20), st.sampled_from([None, 1, 4]))
def test_range_and_multiple(value: int, low: int, high: int, multiple: int | None) -> None:
    field = Field(type="integer", minimum=low, maximum=high, multiple_of=multiple)
    inside = low <= value <= high and value % (multiple or 1) == 0
    assert (kinds({"x": field}, {"x": value}) == []) is inside


@given(st.text("ab", max_size=6), st.integers(0, 3), st.integers(3, 6))
def test_length(value: str, low: int, high: int) -> None:
    broken = kinds({"x": Field(type="string", min_length=low, max_length=high)}, {"x": value})
    assert broken == ([] if low <= len(value) <= high else [("length", "x")])


@given(st.lists(st.integers(0, 3), max_size=5))
def test_items_are_judged_one_by_one(values: list[int]) -> None:
    field = Field(type="array", max_length=4, items=Field(type="integer", maximum=2))
    broken = kinds({"x": field}, {"x": values})
    if len(values) > 4:
        assert broken == [("items", "x")]
    else:
        assert broken == [("maximum", f"x[{index}]") for index, value in enumerate(values) if value > 2]


@given(st.dictionaries(NAMES, st.integers(0, 2), max_size=3))
def test_closed_objects_take_no_other_names(body: dict[str, int]) -> None:
    fields = {"a": Field(type="integer")}
    assert kinds(fields, body) == [("unknown", name) for name in body if name != "a"]
    assert list(check(fields, body, closed=False)) == []


def test_nested_objects_are_judged_by_path() -> None:
    inner = Field(type="object", fields={"size": Field(type="string", enum=("1K",))})
    assert kinds({"config": inner}, {"config": {"size": "2K"}}) == [("enum", "config.size")]
    assert kinds({"config": inner}, {"config": {"other": 1}}) == [("unknown", "config.other")]
    assert kinds({"config": inner}, {"config": 1}) == [("type", "config")]


def test_null_is_absent_only_where_the_provider_says_so() -> None:
    fields = {"seed": Field(type="integer")}
    assert kinds(fields, {"seed": None}) == []
    assert kinds(fields, {"seed": None}, null_is_absent=False) == [("type", "seed")]
    assert kinds({"seed": Field(required=True)}, {"seed": None}) == [("missing", "seed")]


def test_words_need_not_obey_the_rest() -> None:
    field = Field(type="string", words=("auto",), size=SizeRule(multiple_of=16))
    assert kinds({"size": field}, {"size": "auto"}) == []
    assert kinds({"size": field}, {"size": "Auto"}) == [("size", "size")]
    assert kinds({"size": field}, {"size": "17x16"}) == [("size_multiple", "size")]


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_size_limits(width: int, height: int) -> None:
    rule = SizeRule(multiple_of=16, min_edge=64, max_edge=3840, max_ratio=3.0, min_pixels=655_360, max_pixels=8_294_400)
    problem = size_problem(rule, width, height)
    inside = (
        width % 16 == height % 16 == 0
        and min(width, height) >= 64
        and max(width, height) <= 3840
        and max(width, height) <= 3 * min(width, height)
        and 655_360 <= width * height <= 8_294_400
    )
    assert (problem is None) is inside
    assert size_problem(rule, height, width) == problem


@given(st.integers(1, 99_999), st.integers(1, 99_999), st.sampled_from(["x", "*"]))
def test_sizes_are_read_back(width: int, height: int, separator: str) -> None:
    assert parse_size(f"{width}{separator}{height}", separator) == (width, height)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1x",
        "1X1",
        "01x1",
        "1 x 1",
        "-1x1",
        "1.5x2",
        "1x1x1",
        "1x1\n",
        "９x９",
        "1٠x10",
        "9" * 30 + "x1",
        7,
        None,
    ],
)
def test_what_is_no_size(text: Any) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize("text", ["", ":", "16", "16/9", "0:1", "1:0", "-1:1", "1٦:9", "16:9\n", "nan:1", 7, None])
def test_what_is_no_ratio(text: Any) -> None:
    assert parse_ratio(text) is None


@pytest.mark.parametrize("model", ["local/image", "openai/gpt-image-2"])
def test_digits_of_other_scripts_make_no_ratio(model: str) -> None:
    request = ImageRequest(model=model, prompt="x", aspect_ratio="1٦:9")
    with pytest.raises(ValidationFailed) as caught:
        plan_image(CATALOG.find(model), request)
    assert caught.value.details["field"] == "aspect_ratio"


def test_the_words_for_a_size_name_every_limit() -> None:
    words = describe_size(
        SizeRule(multiple_of=16, min_edge=64, max_edge=3840, max_ratio=3.0, min_pixels=1, max_pixels=2)
    )
    assert all(part in words for part in ("16", "64", "3840", "3 times", "1 to 2"))


@given(JSON, st.lists(st.text("xyz", min_size=1, max_size=2), min_size=1, max_size=3))
def test_a_nested_value_is_read_at_its_path(value: Any, names: list[str]) -> None:
    path = ".".join(names)
    assert read(nested(path, value), path) == value


@given(st.dictionaries(NAMES, JSON, max_size=3), st.dictionaries(NAMES, st.integers(), max_size=3))
def test_merging_keeps_later_values_and_leaves_its_input_alone(first: dict[str, Any], second: dict[str, int]) -> None:
    before = repr(first)
    merged = merge(first, second)
    assert merged == {**first, **second}
    assert repr(first) == before


def broken_rules(rule: Rule, body: dict[str, Any], inputs: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    fields = {"format": Field(default="png"), "background": Field(), "level": Field()}
    return [(one.kind, one.path) for one in check_rules([rule], fields, body, inputs or {})]


def test_a_rule_holds_only_under_its_condition() -> None:
    rule = Rule(when={"background": "transparent"}, allow={"format": ("png", "webp")})
    assert broken_rules(rule, {"background": "transparent"}) == []
    assert broken_rules(rule, {"background": "transparent", "format": "jpeg"}) == [("conditional", "format")]
    assert broken_rules(rule, {"background": "opaque", "format": "jpeg"}) == []


def test_defaults_count_as_values_but_not_as_given() -> None:
    fields = {"format": Field(default="png"), "audio": Field(default=True)}
    assert effective(fields, {}, "format") == "png"
    assert holds({"format": "png", "audio": True}, fields, {})
    assert not holds({"format": True}, fields, {})
    assert holds({"format": False}, fields, {})


def test_requires_excludes_and_limits() -> None:
    needs = Rule(when={"level": True}, require=("background", "@image"), forbid=("@mask",))
    assert broken_rules(needs, {"level": 1}, {"@mask": True}) == [
        ("requires", "background"),
        ("requires", "@image"),
        ("excludes", "@mask"),
    ]
    assert broken_rules(needs, {}, {"@mask": True}) == []
    longest = Rule(maximum={"@video.duration": 8.7}, minimum={"@video.duration": 2})
    assert broken_rules(longest, {}, {"@video.duration": 8.8}) == [("input_maximum", "@video.duration")]
    assert broken_rules(longest, {}, {"@video.duration": 1.0}) == [("input_minimum", "@video.duration")]
    assert broken_rules(longest, {}, {}) == []
    above = Rule(when={"@audio.duration": {"above": 30}}, require=("level",))
    assert broken_rules(above, {}, {"@audio.duration": 30.0}) == []
    assert broken_rules(above, {}, {"@audio.duration": 30.1}) == [("requires", "level")]
