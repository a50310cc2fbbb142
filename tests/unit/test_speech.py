"""Speech: any text in any voice, loudness, times, tempo, manner and determinism."""

import hashlib
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.engine.sound import diarization, espeak, flite, loudness, speech, voices
from opperlite.engine.sound.speech import Speech

LINE = "The quick brown fox jumps over the lazy dog, and then it goes home."

OPENAI = "alloy ash ballad coral echo fable nova onyx sage shimmer verse marin cedar"
XAI = "eve ara leo rex sal"
GEMINI = (
    "Zephyr Puck Charon Kore Fenrir Leda Orus Aoede Callirrhoe Autonoe Enceladus Iapetus Umbriel Algieba Despina "
    "Erinome Algenib Rasalgethi Laomedeia Achernar Alnilam Schedar Gacrux Pulcherrima Achird Zubenelgenubi "
    "Vindemiatrix Sadachbia Sadaltager Sulafat"
)
CATALOGUED = f"{OPENAI} {XAI} {GEMINI}".lower().split()


@pytest.fixture(params=["flite", "espeak"])
def synthesizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "espeak":
        monkeypatch.setattr(flite, "available", lambda name: False)
    elif not flite.available("slt"):
        pytest.skip("Flite is not installed")
    return str(request.param)


@pytest.fixture
def espeak_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flite, "available", lambda name: False)


def duration(said: Speech) -> float:
    return len(said.samples) / said.rate


def pitch(said: Speech) -> float:
    return float(np.median(diarization.pitches(said.samples, said.rate)))


def brightness(said: Speech) -> float:
    power = np.abs(np.fft.rfft(said.samples)) ** 2
    return float((power * np.arange(len(power))).sum() / power.sum() * said.rate / 2 / len(power))


@pytest.mark.parametrize("voice", ["alloy", "onyx", "ballad", "Zephyr", "bf_emma", "somebody unheard of"])
def test_level_peaks_and_ends(synthesizer: str, voice: str) -> None:
    said = speech.speak(LINE, voice=voice)
    assert said.rate == 24_000
    assert said.samples.dtype == np.float32
    assert loudness.integrated(said.samples, said.rate) == pytest.approx(-16.0, abs=1.0)
    oversampled = np.fft.irfft(np.fft.rfft(said.samples), 4 * len(said.samples)) * 4
    assert np.abs(oversampled).max() <= 10 ** (-0.5 / 20)
    edge = round(said.rate * 0.005)
    assert max(np.abs(said.samples[:edge]).max(), np.abs(said.samples[-edge:]).max()) < 0.005


def test_words_are_those_written_in_order_of_time(synthesizer: str) -> None:
    said = speech.speak("**Dr. Smith** paid $5.50 on 2024-06-01 😀, at 10:30pm!", voice="alloy")
    assert said.text == "Dr. Smith paid $5.50 on 2024-06-01 , at 10:30pm!"
    assert " ".join(word.word for word in said.words) == said.text
    times = [moment for word in said.words for moment in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= duration(said)
    lengths = {word.word: word.end - word.start for word in said.words}
    assert lengths["2024-06-01"] > 3 * lengths["on"]
    assert all(length > 0.03 for word, length in lengths.items() if word != ",")


def test_word_times_match_the_sound(synthesizer: str) -> None:
    said = speech.speak("Stop. Stop. Stop. Stop.", voice="onyx")
    envelope = np.sqrt(np.convolve(said.samples**2, np.full(240, 1 / 240), "same"))
    loud = envelope > 0.02 * envelope.max()
    assert len(said.words) == 4
    for before, after in zip(said.words, said.words[1:], strict=False):
        gap = loud[round(before.end * said.rate) + 1200 : round(after.start * said.rate) - 480]
        assert gap.size > 1000
        assert not gap.any()
    for word in said.words:
        assert loud[round(word.start * said.rate) : round(word.end * said.rate)].mean() > 0.6


_DIGEST = """
import hashlib
from opperlite.engine.sound import flite, speech
for switch in (False, True):
    if switch:
        flite.available = lambda name: False
    speech.speak("Something else first.", voice="nova")
    for voice, manner in (("alloy", None), ("onyx", "whisper"), ("zf_xiaobei", "excited")):
        said = speech.speak("Hello there, world. Привет! 你好。", voice=voice, instructions=manner, seed=7)
        print(hashlib.sha256(said.samples.tobytes()).hexdigest(), said.words)
"""


def test_two_processes_and_repetitions_agree() -> None:
    runs = []
    for pause in (1.1, 0.0):
        runs.append(subprocess.run([sys.executable, "-c", _DIGEST], check=True, capture_output=True, text=True).stdout)
        # espeak-ng seeds itself with the second of the day.
        time.sleep(pause)
    assert runs[0] == runs[1]
    assert len(set(runs[0].splitlines())) >= 3
    here = speech.speak("Hello there, world. Привет! 你好。", voice="alloy", seed=7)
    assert hashlib.sha256(here.samples.tobytes()).hexdigest() == runs[0].split()[0]


def test_catalogued_voices_are_all_distinct() -> None:
    assert set(CATALOGUED) <= set(voices.names())
    kokoro = [name for name in voices.names() if name[1:3] in ("f_", "m_")]
    assert len(kokoro) >= 50
    for synthesizer in ("recording", "timbre"):
        sounds = [
            (getattr(voice, synthesizer), voice.pitch, voice.size, voice.tempo, voice.tilt, voice.range)
            for voice in map(voices.find, voices.names())
        ]
        assert len(set(sounds)) == len(sounds)


def test_voices_sound_distinct(synthesizer: str) -> None:
    digests = {speech.speak("Yes.", voice=name).samples.tobytes() for name in CATALOGUED}
    assert len(digests) == len(CATALOGUED) == 48


@given(st.lists(st.text(max_size=30), min_size=2, max_size=6, unique_by=lambda name: name.strip().casefold()))
def test_unknown_names_have_voices_of_their_own(names: list[str]) -> None:
    found = [voices.find(name) for name in names]
    assert len({(voice.pitch, voice.range, voice.size, voice.tempo, voice.tilt) for voice in found}) == len(names)
    assert found == [voices.find(name.upper().lower()) for name in (voice.name for voice in found)]


def test_voices_have_their_pitch(synthesizer: str) -> None:
    for name in ("alloy", "nova", "ash", "verse"):
        assert pitch(speech.speak(LINE, voice=name)) == pytest.approx(voices.find(name).pitch, rel=0.15)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_changes_the_tempo_and_keeps_the_pitch(synthesizer: str, speed: float) -> None:
    plain, changed = speech.speak(LINE, voice="alloy"), speech.speak(LINE, voice="alloy", speed=speed)
    assert duration(plain) / duration(changed) == pytest.approx(speed, rel=0.25)
    assert pitch(changed) == pytest.approx(pitch(plain), rel=0.1)
    assert len(changed.words) == len(plain.words)
    assert changed.words[-1].end <= duration(changed)


@pytest.mark.parametrize("speed", [0.0, 0.24, 4.01, -1.0, float("nan"), float("inf")])
def test_other_speeds_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"allowed are 0\.25 to 4"):
        speech.speak("Hello.", voice="alloy", speed=speed)


def test_instructions_act(synthesizer: str) -> None:
    def say(instructions: str | None) -> Speech:
        return speech.speak(LINE, voice="onyx", instructions=instructions)

    plain = say(None)
    assert say("Frobnicate the qux.").samples.tobytes() == plain.samples.tobytes()
    assert duration(say("Speak slowly, please")) > 1.15 * duration(plain) > 1.3 * duration(say("very FAST"))
    assert pitch(say("in a deep tone")) < pitch(say("a high, squeaky tone"))
    assert loudness.integrated(say("softly").samples, 24_000) < loudness.integrated(say("loud").samples, 24_000) - 3
    voiced = len(diarization.pitches(plain.samples, plain.rate)) / duration(plain)
    whispered = say("Whisper this")
    assert len(diarization.pitches(whispered.samples, whispered.rate)) / duration(whispered) < 0.3 * voiced
    assert brightness(say("soft")) < brightness(say("angry"))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Guten Tag, wie geht es Ihnen?", "de"),
        ("Bonjour, je voudrais un café s'il vous plaît.", "fr"),
        ("¿Dónde está la biblioteca?", "es"),
        ("Dzień dobry, co słychać?", "pl"),
        ("Привет, как дела?", "ru"),
        ("Привіт, як справи?", "uk"),
        ("你好，世界。", "zh"),
        ("こんにちは、世界。", "ja"),
        ("안녕하세요 세계", "ko"),
        ("مرحبا بالعالم", "ar"),
        ("नमस्ते दुनिया", "hi"),
        ("Γειά σου Κόσμε", "el"),
        ("These days a chicken leg is a rare dish.", "en"),
        ("Hello!", "en"),
        ("12345", "en"),
    ],
)
def test_languages_are_detected_and_spoken(text: str, language: str) -> None:
    said = speech.speak(text, voice="nova")
    assert said.language == language
    assert duration(said) > 0.4
    assert all(word.end > word.start for word in said.words)


def test_the_language_parameter_wins() -> None:
    as_german = speech.speak("Die Hand", voice="nova", language="de-DE")
    as_english = speech.speak("Die Hand", voice="nova", language="English")
    assert (as_german.language, as_english.language) == ("de", "en")
    assert as_german.samples.tobytes() != as_english.samples.tobytes()
    assert speech.speak("Hello.", voice="nova", language="no such tongue").language == "en"


def test_a_voice_of_a_language_speaks_it_when_the_text_does_not_tell() -> None:
    assert speech.speak("Marco Paolo", voice="if_sara").language == "it"


@pytest.mark.parametrize("text", ["", " \n\t ", "😀🎉", "***", "```\n```", "\x00\x1f", "\ud800", "—…!?", "ᚠᚢᚦ"])
def test_nothing_to_say_is_a_short_silence(text: str) -> None:
    said = speech.speak(text, voice="alloy")
    assert 0.1 <= duration(said) <= 1.0
    assert not said.samples.any()
    assert said.words == ()


_SIGNS = (
    "aZ9é ß Ω ж 世 あ 한 ع ש ह ไ ქ Ա 😀 \n\t . , ! ? ' \" * _ # ` | < > & $ € % @ / \\ ~ ^ ( ) [ ] { } - – ’"
    " \u200d \ufeff \u0301"
)
_SNIPPETS = ["1.5", "$3", "10:30", "2024-99-99", "a@b.c", "http://x.y/z?q", "3kg", "**x**", "é", "1e5", "٣", "½"]


@settings(max_examples=50)
@given(
    st.one_of(
        st.text(max_size=60),
        st.text(alphabet=_SIGNS, max_size=80),
        st.text(alphabet=st.characters(), max_size=40),
        st.lists(st.sampled_from(_SNIPPETS), max_size=8).map(" ".join),
    )
)
def test_any_text_is_spoken(text: str) -> None:
    said = speech.speak(text, voice="nova", speed=4.0)
    assert np.isfinite(said.samples).all()
    assert np.abs(said.samples).max() <= 10 ** (-1 / 20)
    assert duration(said) >= 0.1
    times = [moment for word in said.words for moment in (word.start, word.end)]
    assert times == sorted(times)
    assert not times or times[-1] <= duration(said) + 0.001
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in said.text if character != "\n")


@pytest.mark.parametrize(
    "text", ["a" * 4096, "9" * 500, "!" * 4096, "é́́" * 500, "word " * 800, "(" * 2000, "**" * 2000, "世" * 300]
)
def test_monotonous_text_is_spoken(espeak_only: None, text: str) -> None:
    said = speech.speak(text, voice="rex", speed=4.0)
    assert duration(said) < 600
    assert np.abs(said.samples).max() <= 10 ** (-1 / 20)


def test_a_seed_varies_the_noise_and_repeats_itself() -> None:
    one, two = (speech.speak("Shhh, hush.", voice="onyx", instructions="whisper", seed=seed) for seed in (1, 2))
    assert one.samples.tobytes() != two.samples.tobytes()
    again = speech.speak("Shhh, hush.", voice="onyx", instructions="whisper", seed=1)
    assert again.samples.tobytes() == one.samples.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted by /proc")
def test_espeak_works_without_a_thread_of_its_own() -> None:
    """Its end was waited for in vain now and then."""
    tasks = Path("/proc/self/task")
    before = set(tasks.iterdir())
    with espeak.session() as session:
        assert session.pronounce("hello", "en-us")
        assert set(tasks.iterdir()) <= before
