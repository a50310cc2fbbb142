"""Speech by a neural model of the user's own, run by sherpa-onnx from a folder; nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from opperlite.engine.sound import audio, espeak, languages, loudness, model_folders, normalization, timbre, voices
from opperlite.engine.sound.model_folders import BadModel, ModelFolder
from opperlite.engine.sound.normalization import Token
from opperlite.engine.sound.speech import MAX_SPEED, MIN_SPEED, RATE, Samples, Speech, Word

_THREADS = 2
_PAUSE = 0.2
"""Seconds between sentences at speed 1, beside the silence that models make themselves."""

_EDGE = 0.05
_EMPTY = 0.3
_QUIET = 0.012
"""Level, relative to a sentence's peak, under which its ends are silence."""

_LONGEST = 320
"""Characters after which a sentence is cut at the next pause, or word; models fail on very long ones."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

_SWITCH = re.compile(r"\([a-z-]+\)")
"""Where espeak-ng tells that a word is in another language."""


@dataclass(frozen=True, slots=True)
class _Synthesizer:
    """A loaded model with its files, its number of speakers and their names where it tells them."""

    model: ModelFolder
    engine: Any
    speakers: int
    names: tuple[str, ...]


def speak(
    text: str,
    folder: Path,
    *,
    voice: str,
    language: str | None = None,
    speed: float = 1.0,
    instructions: str | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Speech:
    """Read `text` aloud by the model in `folder`, as `speech.speak` does; raises BadModel when that fails.

    `progress` is called with the fraction that is spoken. The times of words are spread over each sentence by the
    words' lengths.
    """
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise ValueError(f"speed is {speed!r}; allowed are {MIN_SPEED:g} to {MAX_SPEED:g}")
    cleaned = normalization.clean(text)
    code = languages.normalize(language) or languages.detect(cleaned)
    tokens = normalization.tokens(cleaned, code)
    written = "".join(f"{' ' if token.spaced and at else ''}{token.written}" for at, token in enumerate(tokens))
    manner = voices.manner(instructions)
    sentences = list(_sentences(tokens))
    if not any(token.spoken for token in tokens):
        return Speech(np.zeros(round(RATE * _EMPTY), np.float32), RATE, (), written, code)
    model = _load(folder)
    number = speaker(voice, model.names, model.speakers)
    pieces: list[Samples] = [np.zeros(round(RATE * _EDGE), np.float32)]
    words: list[Word] = []
    clock = _EDGE
    tempo = speed * manner.tempo
    scripts = _scripts(model.model, sentences, code)
    for done, (sentence, script) in enumerate(zip(sentences, scripts, strict=True)):
        if progress is not None:
            progress(done / len(sentences))
        sound = _sound(model, script, number, tempo, folder)
        words += _timed(sentence, sound, clock)
        pieces += [sound, np.zeros(round(RATE * (_PAUSE / tempo if len(sound) else 0.0)), np.float32)]
        clock += (len(pieces[-2]) + len(pieces[-1])) / RATE
    spoken = np.concatenate(pieces)
    if not spoken.any():
        raise BadModel(f"The model in {folder} made no sound of this text (language {code})")
    if manner.whisper:
        spoken = timbre.whisper(spoken, RATE, seed)
    levelled = loudness.level(spoken, RATE, loudness.TARGET + manner.gain)
    return Speech(loudness.fade(levelled, RATE), RATE, tuple(words), written, code)


def speaker(voice: str, names: Sequence[str], count: int) -> int:
    """Return the model's speaker for a voice: the one of that name or number, else one that the name stands for."""
    key = voice.strip().casefold()
    known = [name.casefold() for name in names[:count]]
    if key in known:
        return known.index(key)
    if key.isascii() and key.isdigit() and len(key) < 10:
        return int(key) % max(1, count)
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") % max(1, count)


# --------------------------------------------------------------------------------------------- the model


@lru_cache(maxsize=1)
def _load(folder: Path) -> _Synthesizer:
    """Return the model in a folder, loaded once."""
    import sherpa_onnx

    model = model_folders.voice(folder)
    if not hasattr(getattr(sherpa_onnx, "GenerationConfig", None), "phoneme_codepoints"):
        raise BadModel("The sherpa-onnx that is installed is too old; needed is version 2 or newer")
    configurations = {
        "kokoro": sherpa_onnx.OfflineTtsKokoroModelConfig,
        "matcha": sherpa_onnx.OfflineTtsMatchaModelConfig,
        "vits": sherpa_onnx.OfflineTtsVitsModelConfig,
    }
    part = configurations[model.kind](**model.parts)
    whole = sherpa_onnx.OfflineTtsModelConfig(**{model.kind: part}, num_threads=_THREADS, provider="cpu")
    config = sherpa_onnx.OfflineTtsConfig(model=whole)
    if not config.validate():
        raise BadModel(f"sherpa-onnx refuses the {model.kind} model in {folder}; its files do not fit together")
    engine = sherpa_onnx.OfflineTts(config)
    if engine.sample_rate <= 0:
        raise BadModel(f"sherpa-onnx could not load the {model.kind} model in {folder}")
    return _Synthesizer(model, engine, max(1, engine.num_speakers), _speaker_names(model))


def _speaker_names(model: ModelFolder) -> tuple[str, ...]:
    """Return the speakers' names in the order of their numbers: Kokoro's from its metadata, Piper's from its JSON."""
    told = model.metadata.get("speaker_names", "")
    if told:
        return tuple(name.strip() for name in told.split(","))
    listed = Path(model.parts.get("model", "") + ".json")
    if not listed.is_file():
        return ()
    try:
        numbers = json.loads(listed.read_text("utf-8")).get("speaker_id_map") or {}
        return tuple(sorted(numbers, key=lambda name: int(numbers[name])))
    except (ValueError, TypeError, AttributeError):
        return ()


def _sound(model: _Synthesizer, script: _Script, number: int, speed: float, folder: Path) -> Samples:
    """Return a sentence's sound at `RATE`, its ends trimmed; empty where the model has nothing to say."""
    import sherpa_onnx

    if not script.text:
        return np.zeros(0, np.float32)
    config = sherpa_onnx.GenerationConfig()
    config.sid, config.speed = number, speed
    if script.phonemes:
        config.phoneme_codepoints = [[ord(sign) for sign in script.phonemes]]
    made = model.engine.generate(script.text, config)
    samples = np.asarray(made.samples, np.float32)
    if not samples.size:
        return samples
    if made.sample_rate <= 0 or not np.isfinite(samples).all():
        raise BadModel(f"The model in {folder} made samples that are no sound")
    sound = audio.resample(samples, made.sample_rate, RATE)
    loud = np.flatnonzero(np.abs(sound) > _QUIET * float(np.abs(sound).max()))
    if not loud.size:
        return np.zeros(0, np.float32)
    margin = round(RATE * 0.02)
    return loudness.fade(sound[max(0, int(loud[0]) - margin) : int(loud[-1]) + margin], RATE, 0.004)


# ---------------------------------------------------------------------------------------------- the text


@dataclass(frozen=True, slots=True)
class _Script:
    """What a model is given of a sentence: the text, and its phonemes in IPA where the model reads those."""

    text: str
    phonemes: str = ""


def _scripts(model: ModelFolder, sentences: Sequence[Sequence[Token]], language: str) -> list[_Script]:
    """Return what the model reads; espeak-ng pronounces for those that were trained on it.

    Those that have word lists as well read by them Chinese and every English sentence whose words are all listed,
    since they leave out the others.
    """
    texts = [_text(sentence) for sentence in sentences]
    listed = model.parts.get("lexicon", "") if language in ("en", "zh") else ""
    if not model_folders.reads_phonemes(model) or (listed and language == "zh"):
        return [_Script(text) for text in texts]
    own = model.metadata.get("voice", "")
    voice = own if own and languages.normalize(own) == language else language
    if model.kind != "kokoro":  # only Kokoro knows several languages; others pronounce all as their own
        voice = own or language
    with espeak.session() as session:
        return [
            _Script(text, "" if listed and _all_listed(text, listed) else _phonemes(text, voice, session))
            for text in texts
        ]


def _all_listed(text: str, lists: str) -> bool:
    return {word.casefold() for word in _WORD.findall(text)} <= _listed(lists)


@lru_cache(maxsize=1)
def _listed(lists: str) -> frozenset[str]:
    """Return the words of some lists (paths with commas between), each the first on its line."""
    found: set[str] = set()
    for path in lists.split(","):
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            found.update(line.replace("\t", " ").partition(" ")[0].casefold() for line in lines)
    return frozenset(found)


def _phonemes(text: str, voice: str, session: espeak.Synthesizer) -> str:
    """Return the IPA of a sentence as Piper writes it: marks of pauses kept, accents apart from their letters."""
    if not text:
        return ""
    parts = [_SWITCH.sub("", session.pronounce(part, voice)) for part in text[:-1].split(",")]
    return unicodedata.normalize("NFD", ", ".join(filter(None, parts)) + text[-1])


def _sentences(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    group: list[Token] = []
    length = 0
    for token in tokens:
        group.append(token)
        length += len(token.spoken) + 1
        if token.pause == "." or (token.pause and length > _LONGEST) or length > 2 * _LONGEST:
            yield tuple(group)
            group, length = [], 0
    if group:
        yield tuple(group)


def _text(sentence: Sequence[Token]) -> str:
    """Return what the model is to read: words in full, with the marks that make pauses and questions."""
    text = ""
    for token in sentence:
        if token.spoken:
            text += (" " if text and token.spaced else "") + token.spoken + ("," if token.pause == "," else "")
    asked = sentence[-1].written.rstrip("\"')”").endswith(("?", "？", "؟"))
    return text.rstrip(",") + ("?" if asked else ".") if text else ""


def _timed(sentence: Sequence[Token], sound: Samples, start: float) -> Iterator[Word]:
    """Spread the words over the sound by the length of what is said of each."""
    lengths = [len(token.spoken) + 1 if token.spoken else 0 for token in sentence]
    ends = start + np.cumsum([0, *lengths]) * (len(sound) / RATE / max(1, sum(lengths)))
    for token, first, last in zip(sentence, ends, ends[1:], strict=False):
        yield Word(token.written, round(float(first), 3), round(float(last), 3))
