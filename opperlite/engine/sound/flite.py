"""English speech by CMU Flite, where the system has the library (`libflite1` on Debian)."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import c_random

VOICES = ("slt", "rms", "awb", "kal16")
"""Voices by the name of their library, `libflite_cmu_us_<name>`."""

_TOKEN_START = b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_TOKEN_END = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"


class _Wave(ctypes.Structure):
    """cst_wave of cst_wave.h."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    """The head of cst_voice of cst_voice.h."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class Utterance:
    """Samples in [-1, 1] and the start and end of each white-space token, in seconds."""

    samples: NDArray[np.float32]
    rate: int
    times: tuple[tuple[float, float], ...]


def _find(name: str) -> ctypes.CDLL | None:
    """Load a library by its bare name."""
    for candidate in _file_names(name):
        try:
            return ctypes.CDLL(candidate)
        except OSError:
            continue
    return None


def _file_names(name: str) -> Iterator[str]:
    """What a library may be called: Debian's file and that of the built program first, as looking further is slow."""
    if sys.platform.startswith("linux"):
        yield f"lib{name}.so.1"
    found = ctypes.util.find_library(name)
    if found is not None:
        yield found


@lru_cache(maxsize=1)
def _library() -> Any:
    library = _find("flite")
    if library is None:
        return None
    for function, result, arguments in (
        ("flite_synth_text", ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_void_p)),
        ("utt_wave", ctypes.POINTER(_Wave), (ctypes.c_void_p,)),
        ("utt_relation", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
        ("relation_head", ctypes.c_void_p, (ctypes.c_void_p,)),
        ("item_next", ctypes.c_void_p, (ctypes.c_void_p,)),
        ("ffeature_float", ctypes.c_float, (ctypes.c_void_p, ctypes.c_char_p)),
        ("delete_utterance", None, (ctypes.c_void_p,)),
        ("flite_feat_set_float", None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)),
    ):
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    library.flite_init()
    return library


@lru_cache(maxsize=8)
def _voice(name: str) -> Any:
    """Return the registered voice, or None when its library is not installed."""
    if _library() is None:
        return None
    library = _find(f"flite_cmu_us_{name}")
    if library is None:
        return None
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype = ctypes.POINTER(_Voice)
    register.argtypes = (ctypes.c_char_p,)
    return register(None)


def available(name: str) -> bool:
    """Tell whether Flite and this voice of it are installed."""
    return name in VOICES and bool(_voice(name))


def synthesize(text: str, voice: str, *, pitch: float, range: float, stretch: float, seed: int) -> Utterance:
    """Speak one sentence of English.

    `pitch` and `range` (standard deviation) are in Hz, `stretch` multiplies durations, `seed` fixes the noise.
    """
    library, handle = _library(), _voice(voice)
    with c_random.lock:
        for feature, value in (
            (b"int_f0_target_mean", pitch),
            (b"int_f0_target_stddev", range),
            (b"duration_stretch", stretch),
        ):
            library.flite_feat_set_float(handle.contents.features, feature, value)
        c_random.seed(seed)
        utterance = library.flite_synth_text(text.encode("ascii", "replace"), handle)
        try:
            wave = library.utt_wave(utterance).contents
            data = ctypes.string_at(wave.samples, 2 * wave.num_samples)
            rate, times = wave.sample_rate, tuple(_token_times(library, utterance))
        finally:
            library.delete_utterance(utterance)
    return Utterance(np.frombuffer(data, "=i2").astype(np.float32) / np.float32(32768), rate, times)


def _token_times(library: Any, utterance: int) -> Iterator[tuple[float, float]]:
    token = library.relation_head(library.utt_relation(utterance, b"Token"))
    while token:
        yield library.ffeature_float(token, _TOKEN_START), library.ffeature_float(token, _TOKEN_END)
        token = library.item_next(token)
