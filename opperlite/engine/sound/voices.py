"""Voices: what each name sounds like, and what instructions change about it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

_ENGLISH = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc", "en-gb-x-gbclan", "en-029")
"""English accents of espeak-ng that a hashed voice may have; the first ones more often."""

_TIMBRES: Mapping[str, tuple[str, ...]] = {
    "f": ("f2", "f5", "f3"),
    "m": ("adam", "Mike", "klatt2", "edward", "klatt4"),
}
"""Variants of espeak-ng by sex: those whose English a recognizer understands best (measured)."""

_RECORDINGS: Mapping[str, tuple[str, ...]] = {"f": ("slt",), "m": ("rms", "awb")}
"""Flite's voices by sex."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The sound of a voice.

    `pitch` is the mean in Hz; `range` scales its movement; `size` scales the formants (above 1 a shorter vocal
    tract); `tempo` scales the speaking rate; `tilt` is the brightness in dB per octave; `accent` an espeak-ng
    voice; `timbre` an espeak-ng variant; `recording` a Flite voice.
    """

    name: str
    sex: str
    pitch: float
    range: float
    size: float
    tempo: float
    tilt: float
    accent: str
    timbre: str
    recording: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How to say it: factors on tempo, pitch, range and pauses; tilt in dB per octave, gain in LU."""

    tempo: float = 1.0
    pitch: float = 1.0
    range: float = 1.0
    pauses: float = 1.0
    tilt: float = 0.0
    gain: float = 0.0
    whisper: bool = False


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(files("opperlite.engine.sound").joinpath("voices.toml").read_text("utf-8"))


def names() -> tuple[str, ...]:
    """Return the names in the table, in its order."""
    return tuple(_tables()["voices"])


@lru_cache(maxsize=1024)
def find(name: str) -> Voice:
    """Return the voice of a name, whatever its letter case; a name not in the table has a voice of its own."""
    key = name.strip().casefold()
    entry = _tables()["voices"].get(key) or _by_prefix(key)
    sex = entry.get("sex") or "fm"[_digest(key)[0] % 2]
    drawn = _drawn(key, sex)
    fields = {field: value for field, value in entry.items() if field not in ("sex", "language")}
    return replace(drawn, **fields)


def _by_prefix(key: str) -> Mapping[str, Any]:
    """Read Kokoro's scheme of names: language letter, f or m, underscore."""
    match = re.match(r"([a-z])([fm])_", key)
    accent = _tables()["prefixes"].get(match.group(1)) if match else None
    return {"sex": match.group(2), "accent": accent} if match and accent else {}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _drawn(key: str, sex: str) -> Voice:
    """Return the voice that a name's hash stands for."""
    chance = _chances(key)
    low, high = (168.0, 238.0) if sex == "f" else (84.0, 142.0)
    return Voice(
        name=key,
        sex=sex,
        pitch=round(low * (high / low) ** next(chance), 1),
        range=round(0.75 + 0.6 * next(chance), 3),
        size=round(0.94 + 0.14 * next(chance), 3),
        tempo=round(0.93 + 0.16 * next(chance), 3),
        tilt=round(-1.2 + 2.4 * next(chance), 2),
        accent=_ENGLISH[int(next(chance) ** 2 * len(_ENGLISH))],
        timbre=_TIMBRES[sex][int(next(chance) * len(_TIMBRES[sex]))],
        recording=_RECORDINGS[sex][int(next(chance) * len(_RECORDINGS[sex]))],
    )


def _chances(key: str) -> Iterator[float]:
    """Yield numbers in [0, 1) that depend on the name alone."""
    digest = _digest(key)
    for start in range(1, 31, 3):
        yield int.from_bytes(digest[start : start + 3], "big") / 2**24


def manner(instructions: str | None) -> Manner:
    """Return what the known words of `instructions` ask for; unknown words change nothing."""
    words = set(re.findall(r"[^\W\d_]+", (instructions or "").casefold()))
    found = Manner()
    for entry in _tables()["manners"]:
        if words.isdisjoint(entry["words"].split()):
            continue
        found = Manner(
            tempo=found.tempo * entry.get("tempo", 1.0),
            pitch=found.pitch * entry.get("pitch", 1.0),
            range=found.range * entry.get("range", 1.0),
            pauses=found.pauses * entry.get("pauses", 1.0),
            tilt=found.tilt + entry.get("tilt", 0.0),
            gain=found.gain + entry.get("gain", 0.0),
            whisper=found.whisper or entry.get("whisper", False),
        )
    return replace(
        found,
        tempo=min(1.6, max(0.6, found.tempo)),
        pitch=min(1.3, max(0.75, found.pitch)),
        range=min(2.0, max(0.2, found.range)),
        gain=min(3.0, max(-6.0, found.gain)),
    )
