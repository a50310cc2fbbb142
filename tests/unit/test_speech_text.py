"""Text normalization, numerals and language detection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.engine.sound import languages, normalization, numerals


def read(text: str) -> str:
    cleaned = normalization.clean(text)
    found = normalization.tokens(cleaned, languages.detect(cleaned))
    return " ".join(token.spoken for token in found if token.spoken)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("the 21st and the 3rd", "the twenty first and the third"),
        ("in 1984 and 2005", "in nineteen eighty four and two thousand five"),
        ("3.14", "three point one four"),
        ("-5°C", "minus five degrees Celsius"),
        ("$5.50 or €1", "five dollars and fifty cents or one euro"),
        ("£2.5m", "two point five million pounds"),
        ("25% of 3kg", "twenty five percent of three kilograms"),
        ("on 2024-06-01", "on June first twenty twenty four"),
        ("at 10:05 or 6:00pm", "at ten oh five or six p m"),
        ("pages 10-12", "pages ten to twelve"),
        ("Dr. No, e.g. Mr. Smith etc.", "doctor No for example mister Smith et cetera"),
        ("R&D + 1", "R and D plus one"),
        ("see https://example.com/a?b=c#d", "see example dot com slash a"),
        ("mail a.b@c.org", "mail a dot b at c dot org"),
        ("# Title\n\n- **one** `two` [three](http://x.y) ~~four~~", "Title one two three four"),
        ("<p>plain</p> _em_ snake_case", "plain em snake case"),
        ("2 * 3 = 6", "two three equals six"),
        ("12345678901234567", "one two three four five six seven eight nine zero one two three four five six seven"),
        ("٣ apples", "three apples"),
        ("I ❤️ NY 😀", "I NY"),
    ],
)
def test_english_is_read_in_words(text: str, spoken: str) -> None:
    assert read(text) == spoken


def test_scripts_are_read_in_their_languages() -> None:
    found = normalization.tokens("Hello 世界 Привет мир", "en")
    assert [(token.written, token.language, token.spaced) for token in found] == [
        ("Hello", "en", True),
        ("世", "zh", True),
        ("界", "zh", False),
        ("Привет", "ru", True),
        ("мир", "ru", True),
    ]


def test_pauses_follow_the_punctuation() -> None:
    found = normalization.tokens(normalization.clean("One, two. Dr. Who?\n\nEnd"), "en")
    assert [token.pause for token in found] == [",", ".", "", ".", ""]


@given(st.text(max_size=200))
def test_cleaned_text_is_stable_and_its_tokens_make_it_up(text: str) -> None:
    cleaned = normalization.clean(text)
    found = normalization.tokens(cleaned, "en")
    assert "".join(token.written for token in found) == "".join(cleaned.split())
    assert all(len(word) <= 60 for token in found for word in token.spoken.split())


@given(st.integers(0, 10**15 - 1))
def test_cardinals_name_every_group(value: int) -> None:
    words = numerals.cardinal(str(value)).split()
    total = group = 0
    units = {word: at for at, word in enumerate(numerals._SMALL)}
    tens = {word: 10 * at for at, word in enumerate(numerals._TENS) if at}
    for word in words:
        if word == "hundred":
            group *= 100
        elif word in numerals._GROUPS:
            total, group = total + group * 1000 ** numerals._GROUPS.index(word), 0
        else:
            group += {**tens, **units}[word]
    assert total + group == value


@given(st.integers(1000, 2999))
def test_years_are_words(year: int) -> None:
    assert numerals.year(str(year)).replace(" ", "").isalpha()


@pytest.mark.parametrize(
    ("given_code", "code"),
    [("en-US", "en"), ("ENG", "en"), ("German", "de"), ("pt_BR", "pt"), ("zh-Hans-CN", "zh"), ("no", "nb"), ("", None)],
)
def test_language_tags(given_code: str, code: str | None) -> None:
    assert languages.normalize(given_code) == code


@given(st.text(max_size=100))
def test_detection_always_names_a_known_language(text: str) -> None:
    code = languages.detect(text)
    assert languages.normalize(code) == code


def test_default_is_used_where_nothing_tells() -> None:
    assert languages.detect("Xyzzy 42", default="it") == "it"
    assert languages.detect("", default="fr") == "fr"
