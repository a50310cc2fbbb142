"""Recognition by a model of the user's own, run by sherpa-onnx or faster-whisper from a folder without network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import diarization, languages, model_folders, recognition
from opperlite.engine.sound.model_folders import BadModel, ModelFolder
from opperlite.engine.sound.recognition import Segment, Transcript
from opperlite.engine.sound.speech import Word
from opperlite.engine.sound.stretches import RATE, Meter, Samples, floating, stretches

_THREADS = 2
_TURN_PAUSE = 0.3
"""Seconds between words at which another speaker may begin."""

_SLOWEST = 0.15
"""Seconds that a character lasts at most: models tell where words begin, and not that a pause follows."""

_PIECE = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)")
"""A word with the space before it; Chinese and Japanese characters stand alone."""

_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟")

_WHISPER = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi "
    "ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd "
    "gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
)
"""Languages of Whisper (openai/whisper, tokenizer.py, but the one that came last); any other ends the process."""

_SENSE_VOICE = "zh en ko ja yue"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word with the space before it, and its start and end in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a stretch of sound says, and the language that the model took it for, if it tells."""

    pieces: tuple[_Piece, ...]
    language: str | None = None


class _Listener(Protocol):
    """A loaded model; the times of what it hears count from the start of the samples (at `RATE`)."""

    def hear(self, samples: Samples, language: str | None, prompt: str | None) -> _Heard: ...


def transcribe(
    path: Path | str,
    folder: Path,
    *,
    language: str | None = None,
    prompt: str | None = None,
    diarize: bool = False,
    voices: Mapping[str, Path] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Recognize the speech in an audio file by the model in `folder`, as `recognition.transcribe` does.

    `language` goes to models that know several; else they find out. `prompt` goes to faster-whisper alone. Silence
    gives an empty transcript. Raises BadMedia for a source without sound, BadModel when the model cannot be loaded.
    """
    code = languages.normalize(language)
    listener = load(folder, code)
    meter = Meter(path, progress)
    known = diarization.known_voices(voices or {}) if diarize else {}
    turns: list[tuple[_Piece, ...]] = []
    signatures: list[diarization.Signature | None] = []
    found: str | None = None
    for stretch in stretches(meter):
        samples = floating(stretch)
        heard = listener.hear(samples, code or found, prompt)
        found = found or languages.normalize(heard.language)
        for turn in _turns(heard.pieces, diarize):
            turns.append(tuple(_Piece(p.text, p.start + stretch.start, p.end + stretch.start) for p in turn))
            first, last = round(turn[0].start * RATE), round(turn[-1].end * RATE)
            signatures.append(diarization.signature(samples[first:last], RATE) if diarize else None)
    segments = tuple(_segments(turns, diarization.speakers(signatures, known) if diarize else None))
    text = " ".join(segment.text for segment in segments)
    return Transcript(
        text=text,
        language=code or language or found or languages.detect(text, default=recognition.LANGUAGE),
        duration=meter.seconds,
        segments=segments,
        words=tuple(Word(p.text.strip(), round(p.start, 3), round(p.end, 3)) for turn in turns for p in turn),
    )


def _turns(pieces: Sequence[_Piece], diarize: bool) -> Iterator[tuple[_Piece, ...]]:
    """Split words at the ends of sentences, and at pauses where another speaker may begin."""
    turn: list[_Piece] = []
    for piece in pieces:
        if diarize and turn and piece.start - turn[-1].end >= _TURN_PAUSE:
            yield tuple(turn)
            turn = []
        turn.append(piece)
        if piece.text.rstrip("\"'”’)»」").endswith(_ENDS):
            yield tuple(turn)
            turn = []
    if turn:
        yield tuple(turn)


def _segments(turns: Sequence[tuple[_Piece, ...]], labels: Sequence[str] | None) -> Iterator[Segment]:
    for number, turn in enumerate(turns):
        text = "".join(piece.text for piece in turn).strip()
        yield Segment(round(turn[0].start, 3), round(turn[-1].end, 3), text, labels[number] if labels else None)


# -------------------------------------------------------------------------------------------- the models


def load(folder: Path, language: str | None = None) -> _Listener:
    """Return the model in a folder, loaded once and tried on silence; raises BadModel."""
    model = model_folders.recognizer(folder)
    told = {"whisper": _WHISPER, "sense-voice": _SENSE_VOICE}.get(model.kind, "")
    return _loaded(folder, language if language in told.split() else None)


@lru_cache(maxsize=1)
def _loaded(folder: Path, language: str | None) -> _Listener:
    model = model_folders.recognizer(folder)
    if model.library == "faster_whisper":
        return _FasterWhisper(folder)
    return _Sherpa(model, language)


class _FasterWhisper:
    """Whisper by CTranslate2."""

    def __init__(self, folder: Path) -> None:
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ[variable] = "1"
        from faster_whisper import WhisperModel

        try:
            self._model = WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=_THREADS, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise BadModel(f"faster-whisper could not load the model in {folder}: {error}") from error

    def hear(self, samples: Samples, language: str | None, prompt: str | None) -> _Heard:
        known = language if language in self._model.supported_languages else None
        segments, told = self._model.transcribe(
            samples,
            language=known,
            initial_prompt=prompt,
            word_timestamps=True,
            condition_on_previous_text=False,
            temperature=0.0,  # the fallback to higher ones draws at random
        )
        pieces = [
            _Piece(word.word, float(word.start), float(word.end)) for part in segments for word in part.words or ()
        ]
        return _Heard(tuple(pieces), told.language)


class _Sherpa:
    """Any of the recognizers of sherpa-onnx."""

    def __init__(self, model: ModelFolder, language: str | None) -> None:
        self._recognizer = _sherpa_recognizer(model, language)
        # A model that does not fit its files is found out by use alone.
        if not isinstance(self._decoded(np.zeros(RATE, np.float32)).text, str):
            raise BadModel(f"sherpa-onnx could not load the {model.kind} model in {model.folder}")

    def _decoded(self, samples: Samples) -> Any:
        stream = self._recognizer.create_stream()
        stream.accept_waveform(RATE, samples)
        self._recognizer.decode_stream(stream)
        return stream.result

    def hear(self, samples: Samples, language: str | None, prompt: str | None) -> _Heard:
        result = self._decoded(samples)
        text = result.text.strip()
        times = list(result.timestamps)
        pieces = spread(text, list(result.tokens), times, len(samples) / RATE)
        return _Heard(tuple(pieces), getattr(result, "lang", "").strip("<|>") or None)


def _sherpa_recognizer(model: ModelFolder, language: str | None) -> Any:
    import sherpa_onnx

    makers: dict[str, tuple[str, dict[str, Any]]] = {
        "whisper": ("from_whisper", {"language": language or ""}),
        "sense-voice": ("from_sense_voice", {"language": language or "auto", "use_itn": True}),
        "transducer": ("from_transducer", {"model_type": ""}),  # told by the model's own metadata
        "moonshine": ("from_moonshine", {}),
        "nemo-ctc": ("from_nemo_ctc", {}),
        "zipformer-ctc": ("from_zipformer_ctc", {}),
        "paraformer": ("from_paraformer", {}),
    }
    maker, options = makers[model.kind]
    parts = dict(model.parts)
    if model.kind == "paraformer":
        parts["paraformer"] = parts.pop("model")
    try:
        return getattr(sherpa_onnx.OfflineRecognizer, maker)(**parts, **options, num_threads=_THREADS, provider="cpu")
    except (AssertionError, RuntimeError, ValueError) as error:
        raise BadModel(f"sherpa-onnx could not load the {model.kind} model in {model.folder}: {error}") from error


# --------------------------------------------------------------------------------------------- the times


def spread(text: str, tokens: Sequence[str], starts: Sequence[float], duration: float) -> list[_Piece]:
    """Return the words of `text` with times from those of its tokens, or evenly by length where there are none.

    Times are read off by the share of characters before a word, so that tokens need not spell the text exactly.
    """
    found = [match.group() for match in _PIECE.finditer(text)]
    lengths = [len(word.strip()) for word in found]
    if not found:
        return []
    shares = np.cumsum([0, *lengths]) / sum(lengths)
    moments = np.clip(_moments(shares, tokens, starts, duration), 0.0, duration)
    timed = len(starts) == len(tokens) > 0
    longest = [_SLOWEST * (length + 1) if timed else duration for length in lengths]
    return [
        _Piece(word, float(first), float(min(last, first + most)))
        for word, first, last, most in zip(found, moments, moments[1:], longest, strict=False)
    ]


def _moments(
    shares: NDArray[np.float64], tokens: Sequence[str], starts: Sequence[float], duration: float
) -> NDArray[np.float64]:
    counts = [len(token.replace("▁", "").replace("@@", "").strip()) for token in tokens]
    if len(starts) != len(tokens) or not sum(counts):
        return shares * duration
    places = np.cumsum([0, *counts]) / sum(counts)
    timed = np.maximum.accumulate([*starts, max(duration, *starts)])
    return np.interp(shares, places, timed)
