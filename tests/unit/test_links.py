"""Signed links: what was signed is good until its time, and nothing else is."""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from opperlite.domain.errors import LinkInvalid
from opperlite.domain.links import PATH, mint, own_file, sign, verify

SECRET = b"k" * 32
IDS = st.integers(0, 2**128 - 1).map(lambda number: f"file_{number:032x}")
TIMES = st.integers(1, 10**11)
DISPOSITIONS = st.sampled_from(["inline", "attachment"])


def good(file_id: str, query: str, now: float, secret: bytes = SECRET) -> bool:
    try:
        verify(secret, file_id, query, now)
    except LinkInvalid:
        return False
    return True


@given(IDS, TIMES, DISPOSITIONS)
def test_a_minted_link_is_good_until_its_second(file_id: str, expires: int, disposition: str) -> None:
    url = mint(SECRET, "https://host:1", file_id, expires + 0.7, disposition)  # type: ignore[arg-type]
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "host:1", PATH + file_id)
    assert verify(SECRET, file_id, parts.query, expires - 0.001) == disposition
    assert own_file(SECRET, url, expires - 1) == file_id
    assert not good(file_id, parts.query, expires)
    assert own_file(SECRET, url, expires) is None


@given(IDS, TIMES, st.sampled_from(["https://a.example", "https://a.example:8443/media", "http://[::1]/a/b"]))
def test_a_link_is_known_under_every_base(file_id: str, expires: int, base: str) -> None:
    assert own_file(SECRET, mint(SECRET, base, file_id, expires), expires - 1) == file_id


@given(IDS, TIMES, DISPOSITIONS, st.data())
def test_any_tampering_is_refused(file_id: str, expires: int, disposition: str, data: st.DataObject) -> None:
    query = dict(parse_qsl(urlsplit(mint(SECRET, "", file_id, expires, disposition)).query))  # type: ignore[arg-type]
    name = data.draw(st.sampled_from(["id", "exp", "sig", "disposition", "secret"]))
    if name == "id":
        other = data.draw(IDS)
        assume(other != file_id)
        assert not good(other, urlencode(query), 0)
    elif name == "secret":
        assert not good(
            file_id, urlencode(query), 0, data.draw(st.binary(min_size=1).filter(lambda one: one != SECRET))
        )
    else:
        before = query.get(name, "inline")
        similar = st.sampled_from([f"0{before}", f"{before} ", f" {before}", f"+{before}", before.upper(), before[:-1]])
        query[name] = data.draw(st.one_of(st.text(), st.integers().map(str), similar))
        assume(query[name] != before)
        assert not good(file_id, urlencode(query, errors="surrogatepass"), 0)


@given(st.text(max_size=200))
@example("exp=1&sig=")
@example("exp=999999999999&sig=%FF")
@example("exp=&sig=&exp=5")
@example("sig=x")
def test_no_query_but_a_signed_one_is_good(query: str) -> None:
    assert not good("file_x", query, 0)


@given(IDS, TIMES)
def test_a_signature_is_hmac_sha256_of_all_that_matters(file_id: str, expires: int) -> None:
    digests = {sign(SECRET, file_id, expires), sign(SECRET, file_id, expires, "attachment")}
    assert len(digests) == 2
    expected = hmac.digest(SECRET, f"{file_id}\n{expires}\ninline".encode(), sha256)
    assert len(expected) == 32
    assert all(len(digest) == 43 for digest in digests)


@pytest.mark.parametrize("url", ["", "http://[::1", "http://host/other/file_x?exp=9&sig=x", "//", "http://h" + PATH])
def test_foreign_urls_are_not_ours(url: str) -> None:
    assert own_file(SECRET, url, 0) is None


@given(st.text())
def test_no_text_breaks_the_question(url: str) -> None:
    assert own_file(SECRET, url, 0) is None
    assert own_file(SECRET, f"http://h{PATH}{url}", 0) is None
