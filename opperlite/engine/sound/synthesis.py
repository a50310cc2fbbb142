"""Lines of text spoken by the synthesizers: the same lines give the same samples, however many processors help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from opperlite.engine.sound import c_random, espeak, flite, forking

_CHUNK = 1000
"""Characters after which lines are spoken by a synthesizer that starts afresh: what is worth a process of its own."""


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """A sentence of English for a voice of Flite; pitch and range in Hz, stretch multiplies durations."""

    text: str
    voice: str
    pitch: float
    range: float
    stretch: float


@dataclass(frozen=True, slots=True)
class ModelledLine:
    """A sentence of any language for espeak-ng."""

    text: str
    style: espeak.Style


Line = RecordedLine | ModelledLine
Utterance = flite.Utterance | espeak.Utterance


def spoken(lines: Sequence[Line], seed: int) -> list[Utterance]:
    """Each line as its synthesizer says it."""
    chunks = list(_chunks(lines))
    with c_random.lock:  # a forked process would wait for ever for what another thread holds
        return [heard for chunk in forking.shared(partial(_spoken, seed=seed), chunks) for heard in chunk]


def _chunks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    for line in lines:
        chunk.append(line)
        if sum(len(one.text) for one in chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _spoken(lines: Sequence[Line], seed: int) -> list[Utterance]:
    heard: list[Utterance] = []
    with ExitStack() as stack:
        session: espeak.Synthesizer | None = None
        for line in lines:
            if isinstance(line, ModelledLine):
                session = session or stack.enter_context(espeak.session(seed))
                heard.append(session.synthesize(line.text, line.style))
            else:
                manner = {"pitch": line.pitch, "range": line.range, "stretch": line.stretch}
                heard.append(flite.synthesize(line.text, line.voice, **manner, seed=seed))
    return heard
