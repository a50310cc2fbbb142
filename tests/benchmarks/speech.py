"""Speech to mp3 and back to text, beside the libraries alone: Flite and an encoder, a decoder and pocketsphinx."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy
import pocketsphinx

from tests.benchmarks.peers import flite
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import in_turns
from tests.e2e.server import Server, serving

GROUP = "speech"
_ROUNDS = 5
_MP3_RATE, _MP3_BITS, _HEARD_RATE = 24_000, 64_000, 16_000
TEXT = (
    "The keeper climbed the stairs before dawn and counted the ships that lay in the bay. There were seven of them, "
    "three with tall masts and four that carried nothing but salt and rope. A cold wind came down from the hills, "
    "and the lamp above his head turned slowly, as it had done every night for forty years. He wrote their names "
    "in a large book, closed it with care, and waited for the sun to rise over the water. Nobody in the village "
    "had ever asked him why he did this, year after year, on the rock."
)


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with serving(folder) as server:
        file_id = _spoken(server)["audio"]["file_id"]
        link = server.get(f"/v3/files/{file_id}/content").json()["url"]
        mp3 = server.download(link)
        _heard(server, file_id)  # loads the worker's model
        usual, quick = _Ears(), _Ears(maxhmmpf=3000, fwdflat=False)
        said, alone, heard, by_usual, by_quick = in_turns(
            _ROUNDS,
            lambda: _took(lambda: _spoken(server)),
            (lambda: _took(lambda: _encoded(flite.speak(TEXT)))) if flite.installed() else None,
            lambda: _took(lambda: _heard(server, file_id)),
            lambda: _took(lambda: usual.transcribe(mp3)),
            lambda: _took(lambda: quick.transcribe(mp3)),
        )
    yield Row(GROUP, "500 characters to mp3", "ms", said, Aim("<=", 1.2), "", "Flite and libmp3lame alone", alone)
    name = "transcription of it, by listening"
    yield Row(GROUP, name, "ms", heard, Aim("<=", 1.2), "", "pocketsphinx alone, as it comes", by_usual)
    yield Row(GROUP, name, "ms", heard, None, "", "pocketsphinx alone, one quick pass", by_quick)


def _took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def _spoken(server: Server) -> Any:
    reply = server.post("/v3/audio/speech", {"model": "kokoro/kokoro", "input": TEXT})
    assert reply.status_code == 200, reply.text[:500]
    return reply.json()


def _heard(server: Server, file_id: str) -> str:
    body = {"model": "openai/gpt-transcribe", "audio": file_id, "parameters": {"recognizer": "acoustic"}}
    reply = server.post("/v3/audio/transcriptions", body)
    assert reply.status_code == 200, reply.text[:500]
    assert reply.headers["X-Opperlite-Recognizer"] == "acoustic"
    return str(reply.json()["text"])


def _encoded(samples: bytes) -> bytes:
    """As an mp3 like that of the server, by the encoder's usual settings."""
    held = io.BytesIO()
    with av.open(held, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=_MP3_RATE, layout="mono")
        stream.bit_rate = _MP3_BITS
        frame = av.AudioFrame.from_ndarray(numpy.frombuffer(samples, "<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = flite.RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return held.getvalue()


class _Ears:
    """pocketsphinx with its own English model, loaded once; the server's own decoder is set to one quick pass."""

    def __init__(self, **settings: float | bool) -> None:
        self._decoder = pocketsphinx.Decoder(samprate=_HEARD_RATE, loglevel="FATAL", **settings)

    def transcribe(self, mp3: bytes) -> str:
        resampler = av.AudioResampler("s16", "mono", _HEARD_RATE)
        with av.open(io.BytesIO(mp3), "r") as container:
            pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        pieces += resampler.resample(None)
        self._decoder.start_utt()
        self._decoder.process_raw(b"".join(piece.to_ndarray().tobytes() for piece in pieces), full_utt=True)
        self._decoder.end_utt()
        return str(self._decoder.hyp().hypstr)
