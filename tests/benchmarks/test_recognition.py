"""Word error rates are counted as the field counts them."""

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.recognition import SENTENCES, edits, word_error_rate

words = st.lists(st.sampled_from(("one", "two", "three")), max_size=7)


@given(words, words, words)
def test_edits_are_a_distance(first: list[str], second: list[str], third: list[str]) -> None:
    assert edits(first, first) == 0
    assert edits(first, second) == edits(second, first) >= abs(len(first) - len(second))
    assert edits(first, third) <= edits(first, second) + edits(second, third)


def test_thirty_sentences_are_counted() -> None:
    assert len(set(SENTENCES)) == 30
    assert word_error_rate(SENTENCES) == 0
    assert word_error_rate([""] * 30) == 100
    assert 0 < word_error_rate([*SENTENCES[:-1], "Read prose out loud for pleasure."]) < 1
