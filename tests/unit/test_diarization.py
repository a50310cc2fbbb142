"""Diarization: two alternating voices are told apart, one voice stays one."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters.offline_tasks import Transcribe, perform
from opperlite.domain.types import Transcript, TranscriptionPlan
from opperlite.engine.errors import BadMedia
from opperlite.engine.sound import audio, diarization, flite, recognition, speech

LINES = (
    "It is easy to tell the depth of a well.",
    "The box was thrown beside the parked truck.",
    "Four hours of steady work faced us.",
    "The boy was there when the sun rose.",
)


@pytest.fixture(params=["flite", "espeak"])
def synthesizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "espeak":
        monkeypatch.setattr(flite, "available", lambda name: False)
    elif not flite.available("rms"):
        pytest.skip("Flite is not installed")
    return str(request.param)


def dialogue(voices: Sequence[str], path: Path) -> list[tuple[str, float, float]]:
    """Write the lines in alternating voices; return (voice, start, end)."""
    parts, turns, clock = [], [], 0.0
    for at, line in enumerate(LINES):
        said = speech.speak(line, voice=voices[at % len(voices)])
        parts += [said.samples, np.zeros(said.rate // 4, np.float32)]
        turns.append((voices[at % len(voices)], clock, clock + len(said.samples) / said.rate))
        clock = turns[-1][2] + 0.25
    audio.encode(np.concatenate(parts), speech.RATE, "wav", path)
    return turns


def test_two_alternating_voices_have_two_labels(synthesizer: str, tmp_path: Path) -> None:
    voices = ("alloy", "onyx")
    turns = dialogue(voices, tmp_path / "dialogue.wav")
    transcript = recognition.transcribe(tmp_path / "dialogue.wav", diarize=True)
    label = {voices[0]: "A", voices[1]: "B"}
    right = wrong = 0.0
    for segment in transcript.segments:
        for voice, start, end in turns:
            shared = max(0.0, min(end, segment.end) - max(start, segment.start))
            if segment.speaker == label[voice]:
                right += shared
            else:
                wrong += shared
    assert right > 3.0
    assert right / (right + wrong) > 0.8  # 0.89 was seen once, in a process that other tests had used


def test_one_voice_has_one_label(synthesizer: str, tmp_path: Path) -> None:
    turns = dialogue(["rex"], tmp_path / "monologue.wav")
    sound = audio.decode(tmp_path / "monologue.wav", 16_000, max_seconds=60)
    parts = [sound[round(start * 16_000) : round(end * 16_000)] for _, start, end in turns]
    assert set(diarization.speakers([diarization.signature(part, 16_000) for part in parts])) == {"A"}


def test_signatures_of_our_voices_lie_apart(synthesizer: str) -> None:
    def signature(voice: str, line: str) -> np.ndarray:
        said = speech.speak(line, voice=voice)
        found = diarization.signature(audio.resample(said.samples, said.rate, 16_000), 16_000)
        assert found is not None
        return found

    alloy, onyx = signature("alloy", LINES[0]), signature("onyx", LINES[0])
    assert np.linalg.norm(alloy - onyx) > diarization.THRESHOLD
    assert np.linalg.norm(alloy - signature("alloy", LINES[1])) < diarization.THRESHOLD


@given(st.integers(1, 4), st.integers(1, 60), st.integers(0, 1000))
def test_separate_groups_are_found_in_order(groups: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    centres = np.arange(groups)[:, None] * np.full(13, 20.0)
    truth = [int(random.integers(groups)) for _ in range(count)]
    vectors = (centres[truth] + 0.3 * random.standard_normal((count, 13))).astype(np.float32)
    order = {group: number for number, group in enumerate(dict.fromkeys(truth))}
    assert diarization.cluster(vectors) == [order[group] for group in truth]


def test_hours_of_turns_are_clustered_in_parts() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 1500)
    vectors = (truth[:, None] * 20.0 + 0.5 * random.standard_normal((1500, 13))).astype(np.float32)
    found = np.array(diarization.cluster(vectors))
    assert len(set(found)) == 3
    assert all(len(set(found[truth == group])) == 1 for group in range(3))


@pytest.mark.parametrize(("frequency", "rate"), [(80, 16_000), (120, 24_000), (210, 16_000), (320, 22_050)])
def test_pitch_of_a_known_tone(frequency: int, rate: int) -> None:
    time = np.arange(rate) / rate
    tone = sum(np.sin(2 * np.pi * frequency * part * time) / part for part in range(1, 8))
    found = diarization.pitches((0.2 * tone).astype(np.float32), rate)
    assert len(found) > 80
    assert np.median(found) == pytest.approx(frequency, rel=0.02)


def test_short_and_silent_turns_have_the_label_before_them() -> None:
    high, low = np.full(13, 9.0, np.float32), np.full(13, -9.0, np.float32)
    assert diarization.speakers([None, high, None, low, None, high]) == ["A", "A", "A", "B", "B", "A"]
    assert diarization.speakers([None, None]) == ["A", "A"]
    assert diarization.speakers([]) == []
    assert diarization.signature(np.zeros(16_000, np.float32), 16_000) is None


@pytest.mark.parametrize(("number", "label"), [(0, "A"), (1, "B"), (25, "Z"), (26, "AA"), (52, "BA")])
def test_labels(number: int, label: str) -> None:
    assert diarization.label(number) == label


def sample(voice: str, path: Path) -> Path:
    """A sample of a voice that says something else than the dialogue."""
    said = speech.speak("My name is of no matter, this is how my voice sounds today.", voice=voice)
    audio.encode(said.samples, said.rate, path.suffix[1:], path)
    return path


def test_known_voices_have_their_names_whoever_speaks_first(synthesizer: str, tmp_path: Path) -> None:
    dialogue(("alloy", "onyx"), tmp_path / "dialogue.wav")
    voices = {"Olga": sample("onyx", tmp_path / "olga.mp3"), "Zed": sample("echo", tmp_path / "zed.wav")}
    voices["Al"] = sample("alloy", tmp_path / "al.flac")
    heard = recognition.transcribe(tmp_path / "dialogue.wav", diarize=True, voices=voices)
    order = list(dict.fromkeys(segment.speaker for segment in heard.segments))
    assert order == ["Al", "Olga"]


def test_a_voice_that_is_not_known_keeps_its_letter(synthesizer: str, tmp_path: Path) -> None:
    dialogue(("alloy", "onyx"), tmp_path / "dialogue.wav")
    voices = {"Olga": sample("onyx", tmp_path / "olga.wav")}
    heard = recognition.transcribe(tmp_path / "dialogue.wav", diarize=True, voices=voices)
    assert list(dict.fromkeys(segment.speaker for segment in heard.segments))[:2] == ["A", "Olga"]


def test_samples_come_as_data_uris(tmp_path: Path) -> None:
    dialogue(("alloy", "onyx"), tmp_path / "dialogue.wav")
    uri = "data:audio/wav;base64," + base64.b64encode(sample("onyx", tmp_path / "o.wav").read_bytes()).decode()
    parameters = {"known_speaker_names": ["Olga"], "known_speaker_references": [uri]}
    plan = TranscriptionPlan("openai/gpt-4o-transcribe-diarize", diarize=True, parameters=parameters)
    heard = perform(Transcribe(plan, tmp_path / "dialogue.wav"), lambda _: None)
    assert isinstance(heard, Transcript)
    assert {segment.speaker for segment in heard.segments} == {"A", "Olga"}


@pytest.mark.parametrize("uri", ["data:audio/wav;base64,????", "data:,x", "data:audio/wav;base64,AAAA"])
def test_samples_without_sound_are_refused_by_their_place(tmp_path: Path, uri: str) -> None:
    audio.encode(np.zeros(16_000, np.float32), 16_000, "wav", tmp_path / "silence.wav")
    parameters = {"known_speaker_names": ["Olga"], "known_speaker_references": [uri]}
    plan = TranscriptionPlan("openai/gpt-4o-transcribe-diarize", diarize=True, parameters=parameters)
    with pytest.raises(BadMedia) as refused:
        perform(Transcribe(plan, tmp_path / "silence.wav"), lambda _: None)
    assert refused.value.__notes__ == ["known_speaker_references[0]"]
