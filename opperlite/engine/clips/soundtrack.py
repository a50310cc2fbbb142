"""The sound track of a generated clip: the scene's ambience, and the words that its prompt quotes, spoken."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.clips import ambience
from opperlite.engine.clips.video_writer import SOUND_RATE, Samples
from opperlite.engine.sound import audio, speech

_SPEECH_START: Final = 0.4
_SPEECH_VOICE: Final = "alloy"
_UNDER_SPEECH: Final = 0.3  # the ambience's level while somebody speaks
_RAMP_SECONDS: Final = 0.2
_SPEECH_TAIL: Final = 0.05


class Soundtrack:
    """Sound for a prompt: `block` gives any part of it, so that it can be written beside the pictures."""

    def __init__(self, prompt: str, quoted: Sequence[str], seconds: float, seed: int) -> None:
        self._ambience = ambience.Ambience(ambience.chosen(prompt), seed, seconds)
        self.samples = self._ambience.samples
        self._begin = round(min(_SPEECH_START, seconds / 10) * SOUND_RATE)
        self._speech = _spoken(" ".join(quoted), self.samples - self._begin, seed)

    def block(self, start: int, count: int) -> Samples:
        """Stereo samples from `start` on, at most `count` of them, fewer at the end."""
        mixed = self._ambience.block(start, count)
        if len(self._speech) and len(mixed):
            at = np.arange(start, start + len(mixed))
            mixed = mixed * self._duck(at)[:, None]
            first, last = max(start, self._begin), min(start + len(mixed), self._begin + len(self._speech))
            if first < last:
                words = self._speech[first - self._begin : last - self._begin]
                mixed[first - start : last - start] += words[:, None]
        # A soft ceiling: peaks of several sounds at once bend instead of clipping.
        return np.asarray(np.rint(np.tanh(mixed * 1.05) * 32000), np.int16)

    def _duck(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        ramp = _RAMP_SECONDS * SOUND_RATE
        away = np.maximum(self._begin - at, at - (self._begin + len(self._speech)))
        share = np.clip(away / ramp, 0.0, 1.0)
        return np.asarray(_UNDER_SPEECH + (1 - _UNDER_SPEECH) * share, np.float32)


def _spoken(text: str, room: int, seed: int) -> NDArray[np.float32]:
    """The text's sound, at most `room` samples; spoken faster, then cut off softly, when it is too long."""
    if not text.strip() or room <= 0:
        return np.zeros(0, np.float32)
    said = speech.speak(text, voice=_SPEECH_VOICE, seed=seed)
    needed = len(said.samples) * SOUND_RATE / said.rate
    if needed > room:
        said = speech.speak(text, voice=_SPEECH_VOICE, seed=seed, speed=min(1.6, needed / room))
    sound = audio.resample(said.samples, said.rate, SOUND_RATE)[:room].copy()
    tail = min(len(sound), round(_SPEECH_TAIL * SOUND_RATE))
    sound[len(sound) - tail :] *= np.linspace(1.0, 0.0, tail, dtype=np.float32)
    return np.asarray(sound, np.float32)
