"""Recognition: words of speech, nothing for music, prompts, and damaged or foreign input."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from opperlite.engine.errors import BadMedia
from opperlite.engine.sound import audio, ears, flite, recognition, speech, stretches, vocabulary
from opperlite.engine.sound.recognition import Transcript

RATE = 16_000

SENTENCES = (
    "It is easy to tell the depth of a well.",
    "The box was thrown beside the parked truck.",
    "Four hours of steady work faced us.",
    "The boy was there when the sun rose.",
    "Help the woman get back to her feet.",
    "We will meet at the station tomorrow morning.",
    "The weather is going to be nice this week.",
    "She opened the door and walked into the garden.",
    "There are many people in the city today.",
)

SYNTHESIZERS = {"flite": 0.15, "espeak": 0.60}
"""Synthesizer → highest share of wrong words; the model was not made for espeak's voices."""


@pytest.fixture(scope="module", params=sorted(SYNTHESIZERS))
def synthesizer(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "espeak":
            patch.setattr(flite, "available", lambda name: False)
        elif not flite.available("rms"):
            pytest.skip("Flite is not installed")
        yield request.param


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def edits(left: list[str], right: list[str]) -> int:
    row = list(range(len(right) + 1))
    for count, one in enumerate(left, 1):
        diagonal, row[0] = row[0], count
        for at, other in enumerate(right, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (one != other))
    return row[-1]


def spoken(text: str, path: Path, voice: str = "rex", format: str = "wav") -> Path:
    said = speech.speak(text, voice=voice)
    audio.encode(said.samples, said.rate, format, path)
    return path


@pytest.fixture(scope="module")
def heard(synthesizer: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[speech.Word, ...], Transcript]:
    """Return the true words and the transcript of all sentences in one file, half a second apart."""
    parts, truth, clock = [], [], 0.0
    for sentence in SENTENCES:
        said = speech.speak(sentence, voice="rex")
        parts += [said.samples, np.zeros(said.rate // 2, np.float32)]
        truth += [speech.Word(word.word, clock + word.start, clock + word.end) for word in said.words]
        clock += len(said.samples) / said.rate + 0.5
    path = tmp_path_factory.mktemp(synthesizer) / "sentences.wav"
    audio.encode(np.concatenate(parts), speech.RATE, "wav", path)
    return tuple(truth), recognition.transcribe(path)


def test_word_error_rate(synthesizer: str, heard: tuple[tuple[speech.Word, ...], Transcript]) -> None:
    said = words(" ".join(word.word for word in heard[0]))
    rate = edits(said, words(heard[1].text)) / len(said)
    print(f"word error rate on {synthesizer}: {rate:.1%} of {len(said)} words")
    assert rate <= SYNTHESIZERS[synthesizer]


def test_transcript_is_well_formed(heard: tuple[tuple[speech.Word, ...], Transcript]) -> None:
    transcript = heard[1]
    assert transcript.language == "en"
    times = [moment for word in transcript.words for moment in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= moment <= transcript.duration for moment in times)
    assert transcript.text == " ".join(segment.text for segment in transcript.segments)
    assert words(transcript.text) == words(" ".join(word.word for word in transcript.words))
    assert len(transcript.segments) >= len(SENTENCES) - 2
    for segment in transcript.segments:
        assert segment.start < segment.end
        assert segment.text[0].isupper()
        assert segment.text.endswith(".")
        assert segment.speaker is None


def test_heard_and_spoken_times_agree(heard: tuple[tuple[speech.Word, ...], Transcript]) -> None:
    truth, transcript = heard
    starts = {(words(word.word)[0], round(word.start)): word.start for word in truth}
    errors = [
        abs(word.start - starts[key])
        for word in transcript.words
        if (key := (word.word.lower(), round(word.start))) in starts
    ]
    assert len(errors) > 10
    assert np.median(errors) < 0.06


def test_the_same_file_gives_the_same_transcript_whatever_came_before(tmp_path: Path) -> None:
    path = spoken("Good morning.", tmp_path / "one.wav")
    first = recognition.transcribe(path)
    recognition.transcribe(spoken("See you there.", tmp_path / "two.wav", voice="nova"))
    assert recognition.transcribe(path) == first


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac"])
def test_every_format_is_heard(format: str, tmp_path: Path) -> None:
    transcript = recognition.transcribe(spoken(SENTENCES[0], tmp_path / f"speech.{format}", format=format))
    assert len(transcript.words) >= 5
    assert abs(transcript.duration - speech.speak(SENTENCES[0], voice="rex").words[-1].end) < 0.4


@pytest.mark.parametrize("container", ["mp4", "webm", "mov", "mpeg"])
def test_the_sound_of_films_is_heard(container: str, tmp_path: Path) -> None:
    said = speech.speak(SENTENCES[0], voice="rex")
    path = tmp_path / f"film.{container}"
    codecs = {"webm": ("libvpx", "libopus"), "mpeg": ("mpeg2video", "mp2")}.get(container, ("libx264", "aac"))
    with av.open(str(path), "w") as film:
        pictures = film.add_stream(codecs[0], rate=25)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound = film.add_stream(codecs[1], rate=48_000, layout="mono")
        for _ in range(25):
            film.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
        film.mux(pictures.encode(None))
        samples = audio.resample(said.samples, said.rate, 48_000)
        for start in range(0, len(samples), 48_000):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 48_000], format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    assert len(recognition.transcribe(path).words) >= 5


def _melody() -> np.ndarray:
    random = np.random.default_rng(3)
    out = np.zeros(RATE * 5, np.float32)
    for start in range(0, RATE * 4, RATE // 3):
        time = np.arange(RATE // 2) / RATE
        pitch = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
        note = sum(np.sin(2 * np.pi * pitch * part * time) / part for part in range(1, 9)) * np.exp(-time / 0.3)
        out[start : start + len(note)] += 0.2 * note.astype(np.float32)
    return out


def _chords() -> np.ndarray:
    time = np.arange(RATE * 3) / RATE
    steps = (1, 1.2599, 1.4983, 2)
    return sum(0.1 * np.sin(2 * np.pi * 196 * step * time + step) for step in steps).astype(np.float32)


def _hum() -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 50 * np.arange(RATE * 3) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    "sound",
    [
        lambda: np.zeros(RATE * 3, np.float32),
        lambda: (np.random.default_rng(1).standard_normal(RATE * 2) * 1e-4).astype(np.float32),
        lambda: (np.random.default_rng(1).standard_normal(RATE * 2) * 0.1).astype(np.float32),
        _melody,
        _chords,
        _hum,
        lambda: np.ones(1, np.float32),
    ],
    ids=["silence", "faint noise", "noise", "melody", "chords", "hum", "one sample"],
)
def test_what_is_not_speech_has_no_words(sound: Callable[[], np.ndarray], tmp_path: Path) -> None:
    samples = sound()
    audio.encode(samples, RATE, "wav", tmp_path / "sound.wav")
    transcript = recognition.transcribe(tmp_path / "sound.wav", diarize=True)
    assert (transcript.text, transcript.segments, transcript.words) == ("", (), ())
    assert transcript.duration == pytest.approx(len(samples) / RATE, abs=0.001)


@pytest.mark.skipif(not flite.available("rms"), reason="Flite is not installed")
def test_a_prompt_makes_its_words_likelier(tmp_path: Path) -> None:
    path = spoken("Please open the Opper dashboard.", tmp_path / "speech.wav")
    assert "opper" not in recognition.transcribe(path).text.lower()
    assert "Opper dashboard" in recognition.transcribe(path, prompt="Opper, dashboard").text
    assert "opper" not in recognition.transcribe(path).text.lower()


def test_a_prompt_adds_pronunciations_for_rare_and_unknown_words() -> None:
    decoder = ears._new_decoder()
    model = decoder.get_lm(decoder.current_search())
    names = vocabulary.add(decoder, "Kubernetes, canoe and the Opper")
    assert set(names.values()) == {"Kubernetes", "canoe", "Opper"}
    assert decoder.lookup_word("~canoe") == decoder.lookup_word("canoe") == "K AH N UW"
    assert decoder.lookup_word("~Kubernetes") == "K UW B ER N EH T IY Z"
    assert model.prob(["~canoe"]) > model.prob(["canoe"])


@pytest.mark.parametrize("prompt", ["12 !? 😀 ~ ~~ <s> [x] ++a++", "Zażółć gęślą 世界", "x" * 3000])
def test_any_prompt_is_taken(prompt: str, tmp_path: Path) -> None:
    path = spoken("Hello there.", tmp_path / "speech.wav")
    assert recognition.transcribe(path, prompt=prompt).duration > 0.5


@pytest.mark.parametrize(
    ("language", "code"), [(None, "en"), ("en-US", "en"), ("German", "de"), ("pt_BR", "pt"), ("tlh", "tlh")]
)
def test_language_is_the_hint(language: str | None, code: str, tmp_path: Path) -> None:
    audio.encode(np.zeros(RATE // 2, np.float32), RATE, "wav", tmp_path / "silence.wav")
    assert recognition.transcribe(tmp_path / "silence.wav", language=language).language == code


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    audio.encode(np.zeros(RATE * 12, np.float32), RATE, "flac", tmp_path / "long.flac")
    seen: list[float] = []
    recognition.transcribe(tmp_path / "long.flac", progress=seen.append)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(12.0, abs=0.01)


def test_speech_without_a_pause_is_cut_into_bounded_stretches(tmp_path: Path) -> None:
    said = speech.speak(SENTENCES[5], voice="rex")
    pressed = np.concatenate([said.samples[2000:-4000]] * 10)
    audio.encode(pressed, said.rate, "wav", tmp_path / "long.wav")
    meter = stretches.Meter(tmp_path / "long.wav", None)
    found = list(stretches.stretches(meter))
    assert sum(len(stretch.samples) for stretch in found) > 0.9 * meter.seconds * RATE
    assert max(len(stretch.samples) for stretch in found) <= (stretches._LONGEST + 0.5) * RATE
    starts = [stretch.start for stretch in found]
    assert len(starts) > 1
    assert starts == sorted(starts)


def test_sources_without_sound_are_refused(tmp_path: Path) -> None:
    (tmp_path / "note.mp3").write_text("not a sound")
    with pytest.raises(BadMedia, match="allowed"):
        recognition.transcribe(tmp_path / "note.mp3")


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ears._decoder.cache_clear()
    recognition.transcribe(spoken("Hello there.", tmp_path / "speech.wav"))
    assert capfd.readouterr() == ("", "")
