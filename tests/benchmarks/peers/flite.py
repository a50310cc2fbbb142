"""CMU Flite alone: text to samples, as its own program does it."""

import ctypes
from functools import lru_cache
from typing import Any

RATE = 16_000
VOICE = "slt"


class _Wave(ctypes.Structure):
    """cst_wave of cst_wave.h."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


@lru_cache
def _opened() -> tuple[Any, Any] | None:
    """The library and its voice, None where they are not installed."""
    try:
        library, voices = ctypes.CDLL("libflite.so.1"), ctypes.CDLL(f"libflite_cmu_us_{VOICE}.so.1")
    except OSError:
        return None
    library.flite_init()
    library.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
    library.flite_text_to_wave.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    library.delete_wave.argtypes = (ctypes.POINTER(_Wave),)
    register = getattr(voices, f"register_cmu_us_{VOICE}")
    register.restype = ctypes.c_void_p
    return library, register(None)


def installed() -> bool:
    return _opened() is not None


def speak(text: str) -> bytes:
    """16-bit samples at RATE."""
    opened = _opened()
    assert opened is not None, "Flite is not installed"
    library, voice = opened
    wave = library.flite_text_to_wave(text.encode("ascii"), voice)
    try:
        assert wave.contents.sample_rate == RATE
        return ctypes.string_at(wave.contents.samples, 2 * wave.contents.num_samples)
    finally:
        library.delete_wave(wave)
