"""How many words of thirty sentences are written down wrongly, beside pocketsphinx's own command on the same sound.

The sentences are the first three lists of the Harvard sentences (IEEE 297-1969).
"""

import re
import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pocketsphinx

from opperlite.engine.sound import audio, flite, recognition, speech
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.e2e.server import Server, serving

GROUP = "recognition"
_RATE = 16_000
_VOICES = {"Flite": "rex", "espeak-ng": "rex"}
SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat.",
    "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.",
    "The girl at the booth sold fifty bonds.",
    "The small pup gnawed a hole in the sock.",
    "The fish twisted and turned on the bent hook.",
    "Press the pants and sew a button on the vest.",
    "The swan dive was far short of perfect.",
    "The beauty of the view stunned the young boy.",
    "Two blue fish swam in the tank.",
    "Her purse was full of useless trash.",
    "The colt reared and threw the tall rider.",
    "It snowed, rained, and hailed the same morning.",
    "Read verse out loud for pleasure.",
)


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with serving(folder) as server:
        recorded = [_round_trip(server, sentence) for sentence in SENTENCES]
    yield Row(GROUP, "wrong words, by the record", "%", (word_error_rate(recorded),), Aim("<=", 0))
    for synthesizer, voice in _VOICES.items():
        if synthesizer == "Flite" and not flite.available("rms"):
            continue
        with patch.object(flite, "available", flite.available if synthesizer == "Flite" else _absent):
            files = [_spoken(sentence, voice, folder / f"{number}.wav") for number, sentence in enumerate(SENTENCES)]
        ours = word_error_rate([recognition.transcribe(path).text for path in files])
        listen, name = _command()
        theirs = word_error_rate([listen(path) for path in files])
        row = f"wrong words, by listening to {synthesizer}"
        yield Row(GROUP, row, "%", (ours,), Aim("<=", 1), "", name, (max(theirs, 0.1),))


def word_error_rate(heard: Sequence[str]) -> float:
    """Percent of the sentences' words that are wrong, missing or too many."""
    said = [_words(sentence) for sentence in SENTENCES]
    errors = sum(edits(true, _words(text)) for true, text in zip(said, heard, strict=True))
    return 100.0 * errors / sum(map(len, said))


def edits(first: Sequence[str], second: Sequence[str]) -> int:
    """The fewest words to change, leave out or put in that make one of the other (Levenshtein)."""
    row = list(range(len(second) + 1))
    for count, one in enumerate(first, 1):
        diagonal, row[0] = row[0], count
        for at, other in enumerate(second, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (one != other))
    return row[-1]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _absent(name: str) -> bool:
    return False


def _spoken(sentence: str, voice: str, path: Path) -> Path:
    """The sentence as 16 kHz WAV, as pocketsphinx takes it."""
    said = speech.speak(sentence, voice=voice)
    audio.encode(audio.resample(said.samples, said.rate, _RATE), _RATE, "wav", path)
    return path


def _round_trip(server: Server, sentence: str) -> str:
    """What is written down of a sentence that the server spoke."""
    said: Any = server.post("/v3/audio/speech", {"model": "kokoro/kokoro", "input": sentence}).json()
    body = {"model": "openai/gpt-transcribe", "audio": said["audio"]["file_id"]}
    reply = server.post("/v3/audio/transcriptions", body)
    assert reply.headers["X-Opperlite-Recognizer"] == "record", reply.text[:500]
    return str(reply.json()["text"])


def _command() -> tuple[Callable[[Path], str], str]:
    """pocketsphinx's own command where there is one, else its decoder as the command sets it."""
    if program := shutil.which("pocketsphinx"):
        return lambda path: _said(program, path), "pocketsphinx single"
    decoder = pocketsphinx.Decoder(samprate=_RATE, loglevel="FATAL")
    return lambda path: _decoded(decoder, path), "pocketsphinx's decoder as its command `single` sets it"


def _said(program: str, path: Path) -> str:
    done = subprocess.run([program, "single", path], capture_output=True, check=True, text=True)
    return " ".join(re.findall(r'"t":"([^"]*)"', done.stdout.partition('"w"')[0]))


def _decoded(decoder: Any, path: Path) -> str:
    with wave.open(str(path)) as file:
        samples = file.readframes(file.getnframes())
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    return str(decoder.hyp().hypstr) if decoder.hyp() else ""
