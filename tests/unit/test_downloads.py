"""Range and Content-Disposition headers, and the names of files."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opperlite.api.downloads import content_disposition, wanted_range
from opperlite.domain.errors import RangeNotSatisfiable, ValidationFailed
from opperlite.domain.files import checked_filename

SIZES = st.integers(1, 10**12)
NAMES = st.text(min_size=1, max_size=255)


@given(SIZES, st.integers(0, 10**13), st.integers(0, 10**13))
def test_first_and_last_are_inclusive_and_cut_to_the_end(size: int, first: int, length: int) -> None:
    header = f"bytes={first}-{first + length}"
    if first >= size:
        with pytest.raises(RangeNotSatisfiable):
            wanted_range(header, size)
    else:
        assert wanted_range(header, size) == (first, min(first + length + 1, size))


@given(SIZES, st.integers(0, 10**13))
def test_a_suffix_counts_from_the_end(size: int, last: int) -> None:
    if last == 0:
        with pytest.raises(RangeNotSatisfiable):
            wanted_range("bytes=-0", size)
    else:
        assert wanted_range(f"bytes=-{last}", size) == (max(size - last, 0), size)


@given(SIZES, st.text())
@example(10, "bytes=0-1,2-3")
@example(10, "bytes=5-4")
@example(10, "bytes=٣-")
@example(10, "bytes=" + "9" * 5000 + "-")
def test_any_header_is_a_range_inside_the_whole_or_unsatisfiable(size: int, header: str) -> None:
    try:
        found = wanted_range(header, size)
    except RangeNotSatisfiable:
        return
    if found is not None:
        assert 0 <= found[0] < found[1] <= size


@given(NAMES, st.sampled_from(["inline", "attachment"]))
@example('a"; filename="evil.exe', "inline")
@example("a\r\nSet-Cookie: x=1", "inline")
@example("%22%0d%0a.png", "attachment")
def test_no_name_breaks_out_of_its_header(name: str, disposition: str) -> None:
    try:
        checked_filename(name)
    except ValidationFailed:
        return
    header = content_disposition(name, disposition)  # type: ignore[arg-type]
    match = re.fullmatch(
        r'(inline|attachment); filename="([^"\\%\x00-\x1f\x7f-\U0010ffff]*)"; filename\*=UTF-8\'\'(\S+)', header
    )
    assert match, header
    assert match.group(1) == disposition
    assert unquote(match.group(3)) == name
    assert re.fullmatch(r"(?:%[0-9A-F]{2}|[A-Za-z0-9!#$&+.^_`|~-])+", match.group(3))
    assert len(match.group(2)) == len(name)


@given(st.text(max_size=300))
@example("")
@example(".")
@example("..")
@example("../x")
@example("a\\b")
@example("a\x00")
@example("\ud800")
@example("x" * 256)
def test_a_name_is_kept_as_it_is_or_refused(name: str) -> None:
    safe = (
        0 < len(name) <= 255
        and name not in (".", "..")
        and not re.search(r"[/\\\x00-\x1f\x7f]", name)
        and not re.search(r"[\ud800-\udfff]", name)
    )
    if safe:
        assert checked_filename(name) == name
    else:
        with pytest.raises(ValidationFailed) as caught:
            checked_filename(name)
        assert caught.value.details["field"] == "filename"
