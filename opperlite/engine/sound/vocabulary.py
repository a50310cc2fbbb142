"""Words that a prompt makes likelier for the recognizer, with their pronunciations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from opperlite.engine.sound import espeak

MARK = "~"
"""First character of the decoder's name for a word of the prompt; the decoder's own words never have it."""

_WEIGHT = 40.0
"""Weight of a word of the prompt against the average word of the model; found on read sentences."""

_COMMON = -76_000
"""Log probability (base 1.0001) from which on a word is as likely already as the weight would make it."""

_MOST = 200
"""Words taken from a prompt; more make the decoder slow and the boost pointless."""

_ARPABET: Mapping[str, str] = {
    "tʃ": "CH",
    "dʒ": "JH",
    "aɪɚ": "AY ER",
    "aɪə": "AY AH",
    "aʊ": "AW",
    "aɪ": "AY",
    "eɪ": "EY",
    "oʊ": "OW",
    "əʊ": "OW",
    "ɔɪ": "OY",
    "iə": "IY AH",
    "ɪɹ": "IH R",
    "ɛɹ": "EH R",
    "ɔːɹ": "AO R",
    "oːɹ": "AO R",
    "ɑːɹ": "AA R",
    "ʊɹ": "UH R",
    "əl": "AH L",
    "ɑː": "AA",
    "ɔː": "AO",
    "oː": "AO",
    "ɜː": "ER",
    "iː": "IY",
    "uː": "UW",
    "ɚ": "ER",
    "ɐ": "AH",
    "ə": "AH",
    "ʌ": "AH",
    "æ": "AE",
    "a": "AA",
    "ɛ": "EH",
    "e": "EH",
    "ɪ": "IH",
    "i": "IY",
    "ᵻ": "IH",
    "ɔ": "AO",
    "o": "OW",
    "ʊ": "UH",
    "u": "UW",
    "ɒ": "AA",
    "p": "P",
    "b": "B",
    "t": "T",
    "d": "D",
    "k": "K",
    "ɡ": "G",
    "g": "G",
    "f": "F",
    "v": "V",
    "θ": "TH",
    "ð": "DH",
    "s": "S",
    "z": "Z",
    "ʃ": "SH",
    "ʒ": "ZH",
    "h": "HH",
    "m": "M",
    "n": "N",
    "ŋ": "NG",
    "l": "L",
    "ɹ": "R",
    "r": "R",
    "ɾ": "T",
    "ʔ": "T",
    "j": "Y",
    "w": "W",
    "x": "K",
}
"""espeak-ng's IPA for American English → the phones of the acoustic model (CMU's set)."""

_PHONE = re.compile("|".join(sorted(map(re.escape, _ARPABET), key=len, reverse=True)))


def add(decoder: Any, prompt: str) -> Mapping[str, str]:
    """Make the words of `prompt` likelier in `decoder`; return the decoder's names for them → as written.

    Words that its dictionary lacks are pronounced as espeak-ng reads them.
    """
    model = decoder.get_lm(decoder.current_search())
    written: dict[str, str] = {}
    for word, phones in _pronunciations(decoder, model, _words(prompt)):
        name = f"{MARK}{word}"
        while name in written:
            name += MARK
        written[name] = word
        model.add_word(name, _WEIGHT)
        decoder.add_word(name, phones, False)
    if written:
        decoder.add_word(f"{MARK}{MARK}", "SIL", True)
    return written


def _words(prompt: str) -> list[str]:
    found = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", prompt)
    return list(dict.fromkeys(word.replace("’", "'") for word in found if len(word) > 1))[:_MOST]


def _pronunciations(decoder: Any, model: Any, words: list[str]) -> Iterator[tuple[str, str]]:
    unknown = []
    for word in words:
        phones = decoder.lookup_word(word.lower())
        if phones is None:
            unknown.append(word)
        elif model.prob([word.lower()]) < _COMMON:
            yield word, phones
            second = decoder.lookup_word(f"{word.lower()}(2)")
            if second:
                yield word, second
    if not unknown:
        return
    with espeak.session() as synthesizer:
        for word in unknown:
            phones = " ".join(_ARPABET[sign] for sign in _PHONE.findall(synthesizer.phonemes(word)))
            if phones:
                yield word, phones
