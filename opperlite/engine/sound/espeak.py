"""Speech by espeak-ng, bound with ctypes: every language, no system package."""

from __future__ import annotations

import _ctypes
import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import c_random

MIN_RATE, MAX_RATE = 80, 450
"""Words per minute between which espeak-ng itself sets the tempo."""

_NAMES = {"zh": "cmn", "en": "en-us", "fr": "fr-fr", "chr": "chr-US-Qaaa-x-west"}
"""espeak-ng's own names for languages that it does not list under their ISO code."""

# Asynchronous retrieval (1) works on a thread of the library's, whose end is waited for in vain now and then.
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_IPA = 2
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_WORD_EVENT, _END_EVENT = 1, 5
_LOUDEST = 80
"""Volume below espeak's 100, so that loud vowels are not clipped before our own level control."""


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Utterance:
    """Samples in [-1, 1] and, for each word heard, its character offset in the text and its time in seconds."""

    samples: NDArray[np.float32]
    rate: int
    marks: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Style:
    """A voice: language or accent, timbre variant, words per minute, pitch and its range (0 to 99)."""

    voice: str
    variant: str
    rate: int
    pitch: int
    range: int


class Synthesizer:
    """A freshly loaded espeak-ng; made by `session`."""

    def __init__(self, library: Any, rate: int) -> None:
        self._library = library
        self._rate = rate

    def synthesize(self, text: str, style: Style) -> Utterance:
        """Speak `text`; an unknown voice falls back to English."""
        blocks: list[bytes] = []
        marks: list[tuple[int, float]] = []

        def receive(samples: Any, count: int, events: Any) -> int:
            if samples and count > 0:
                blocks.append(ctypes.string_at(samples, 2 * count))
            index = 0
            while events[index].type:
                if events[index].type == _WORD_EVENT:
                    marks.append((events[index].text_position - 1, events[index].sample / self._rate))
                index += 1
            return 0

        callback = _Callback(receive)
        self._configure(style)
        self._library.espeak_SetSynthCallback(callback)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        samples = np.frombuffer(b"".join(blocks), "<i2").astype(np.float32) / np.float32(32768)
        return Utterance(samples, self._rate, tuple(marks))

    def phonemes(self, word: str) -> str:
        """Return the American English pronunciation of a word in IPA, its signs apart by spaces."""
        self._library.espeak_SetVoiceByName(b"en-us")
        buffer = ctypes.create_string_buffer(word.encode())
        text = ctypes.c_void_p(ctypes.addressof(buffer))
        read: bytes = self._library.espeak_TextToPhonemes(ctypes.byref(text), _UTF8, _IPA | ord(" ") << 8)
        return read.decode()

    def pronounce(self, text: str, voice: str) -> str:
        """Return the pronunciation of a text in IPA, clause after clause; an unknown voice falls back to English."""
        if self._library.espeak_SetVoiceByName(_NAMES.get(voice, voice).encode()):
            self._library.espeak_SetVoiceByName(b"en-us")
        buffer = ctypes.create_string_buffer(text.encode())
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses: list[str] = []
        while place.value:
            read: bytes = self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _IPA)
            clauses.append(read.decode())
        return " ".join(filter(None, clauses))

    def _configure(self, style: Style) -> None:
        name = _NAMES.get(style.voice, style.voice)
        variant = f"+{style.variant}" if style.variant else ""
        if self._library.espeak_SetVoiceByName(f"{name}{variant}".encode()):
            self._library.espeak_SetVoiceByName(f"en-us{variant}".encode())
        rate = min(MAX_RATE, max(MIN_RATE, style.rate))
        settings = ((_RATE, rate), (_VOLUME, _LOUDEST), (_PITCH, style.pitch), (_RANGE, style.range))
        for parameter, value in settings:
            self._library.espeak_SetParameter(parameter, value, 0)


@contextmanager
def session(seed: int = 0) -> Iterator[Synthesizer]:
    """Load espeak-ng afresh, so that the same calls and seed give the same samples; one session at a time."""
    # The library holds one voice at a time, and its noise is the C library's.
    with c_random.lock:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        try:
            data = espeakng_loader.get_data_path().encode()
            rate = library.espeak_Initialize(_SYNCHRONOUS, 500, data, _DO_NOT_EXIT)
            if rate <= 0:
                raise RuntimeError(f"espeak-ng could not start with its data at {data.decode()}")
            # It seeds its noise with the time of day.
            library.espeak_ng_SetRandSeed(ctypes.c_long(seed & 0x7FFFFFFF))
            c_random.seed(seed)
            yield Synthesizer(library, rate)
        finally:
            library.espeak_Terminate()
            _unload(library)


def _unload(library: ctypes.CDLL) -> None:
    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)
