"""Models of the user's own: told by their files, refused with one clear line, and used where their library is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.adapters.provider_offline import OfflineProvider, recognition_model_fault
from opperlite.adapters.workers import Workers
from opperlite.config import ConfigError, Settings, load
from opperlite.domain.errors import ProviderFailed
from opperlite.domain.types import SpeechPlan, TranscriptionPlan
from opperlite.engine.sound import (
    audio,
    espeak,
    local_recognition,
    local_voice,
    loudness,
    model_folders,
    normalization,
    speech,
)
from opperlite.engine.sound.model_folders import BadModel
from opperlite.wiring import open_services
from tests.unit.model_samples import (
    SAMPLES_PER_LETTER,
    VOICE_RATE,
    deaf_recognizer,
    fill,
    humming_voice,
    one_word_whisper,
)
from tests.unit.model_samples import bare_onnx as onnx_bytes

Files = Mapping[str, bytes | Mapping[str, str]]

VOICE = {"sample_rate": "22050"}
T = b"a 0\n"
ESPEAK: Files = {"espeak-ng-data/": b""}
CTRANSLATE2: Files = {"model.bin": b"x", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.json": b"[]"}

needs_sherpa = pytest.mark.skipif(
    not (find_spec("sherpa_onnx") and find_spec("onnx")),
    reason="sherpa-onnx, or onnx to make a model for it, is missing",
)


# -------------------------------------------------------------------------------------------- detection


@pytest.mark.parametrize(
    ("files", "kind", "parts"),
    [
        ({"en.onnx": VOICE, "tokens.txt": T, **ESPEAK}, "vits", {"model": "en.onnx"}),
        ({"m.onnx": VOICE, "tokens.txt": T, "lexicon.txt": T}, "vits", {"lexicon": "lexicon.txt"}),
        ({"m.onnx": {**VOICE, "frontend": "characters"}, "tokens.txt": T}, "vits", {"tokens": "tokens.txt"}),
        (
            {"model.onnx": VOICE, "model.int8.onnx": VOICE, "voices.bin": b"v", "tokens.txt": T, **ESPEAK},
            "kokoro",
            {"model": "model.int8.onnx", "voices": "voices.bin"},
        ),
        (
            {"model-steps-3.onnx": VOICE, "vocos-22khz-univ.onnx": {}, "tokens.txt": T, **ESPEAK},
            "matcha",
            {"acoustic_model": "model-steps-3.onnx", "vocoder": "vocos-22khz-univ.onnx"},
        ),
    ],
)
def test_voices_are_told_by_their_files(tmp_path: Path, files: Files, kind: str, parts: Mapping[str, str]) -> None:
    model = model_folders.voice(fill(tmp_path / "model", files))
    assert (model.kind, model.library) == (kind, "sherpa_onnx")
    assert {part: Path(model.parts[part]).name for part in parts} == parts
    assert all(Path(path).exists() for path in model.parts.values())


def test_kokoro_reads_by_one_english_word_list_and_the_others(tmp_path: Path) -> None:
    lists = {f"lexicon-{name}.txt": T for name in ("us-en", "gb-en", "zh")}
    files: Files = {"model.onnx": VOICE, "voices.bin": b"v", "tokens.txt": T, **lists}
    model = model_folders.voice(fill(tmp_path / "model", files))
    names = [Path(path).name for path in model.parts["lexicon"].split(",")]
    assert names == ["lexicon-us-en.txt", "lexicon-zh.txt"]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (
            {"tiny-encoder.onnx": {"model_type": "whisper-tiny"}, "tiny-decoder.onnx": {}, "tiny-tokens.txt": T},
            "whisper",
        ),
        ({"encoder.onnx": {}, "decoder.onnx": {}, "joiner.onnx": {}, "tokens.txt": T}, "transducer"),
        ({"model.int8.onnx": {"model_type": "sense_voice_ctc"}, "tokens.txt": T}, "sense-voice"),
        ({"model.onnx": {"model_type": "EncDecCTCModelBPE"}, "tokens.txt": T}, "nemo-ctc"),
        ({"model.onnx": {"model_type": "zipformer2_ctc"}, "tokens.txt": T}, "zipformer-ctc"),
        ({"model.onnx": {"model_type": "paraformer"}, "tokens.txt": T}, "paraformer"),
        (
            {
                "preprocess.onnx": {},
                "encode.int8.onnx": {},
                "uncached_decode.int8.onnx": {},
                "cached_decode.int8.onnx": {},
                "tokens.txt": T,
            },
            "moonshine",
        ),
        (CTRANSLATE2, "Whisper (CTranslate2)"),
    ],
)
def test_recognizers_are_told_by_their_files(tmp_path: Path, files: Files, kind: str) -> None:
    model = model_folders.recognizer(fill(tmp_path / "model", files))
    assert model.kind == kind
    assert len(set(model.parts.values())) == len(model.parts)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds nothing; missing is a .onnx file and tokens.txt; needed is Kokoro"),
        (
            {"en.onnx": VOICE, "en.onnx.json": b"{}"},
            r"holds en\.onnx, en\.onnx\.json; missing is a \.onnx file and tok",
        ),
        ({"m.onnx": VOICE, "tokens.txt": T}, r"missing is lexicon\.txt"),
        ({"m.onnx": {"model_type": "matcha-tts"}, "tokens.txt": T, **ESPEAK}, "missing is the vocoder"),
        ({"m.onnx": {"model_type": "x"}, "tokens.txt": T, **ESPEAK}, "does not tell its sample rate"),
        ({"m.onnx": b"version https://git-lfs", "tokens.txt": T, **ESPEAK}, "no whole ONNX model"),
        ({"m.onnx": b"", "tokens.txt": T, **ESPEAK}, "no whole ONNX model"),
        ({f"file-{number}": b"" for number in range(30)}, "file-0, .*, …; missing"),
    ],
)
def test_what_is_no_voice_is_refused(tmp_path: Path, files: Files, message: str) -> None:
    with pytest.raises(BadModel, match=message) as caught:
        model_folders.check_voice(fill(tmp_path / "model", files))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds nothing; missing is model.bin, or .onnx files and tokens.txt; needed is Whisper"),
        ({"model.bin": b"x", "config.json": b"{}"}, r"missing is tokenizer\.json, vocabulary\.json"),
        ({"encoder.onnx": {"model_type": "canary"}, "decoder.onnx": {}, "tokens.txt": T}, "not taken: canary"),
        ({"model.onnx": {"model_type": "tdnn"}, "tokens.txt": T}, "not taken: tdnn"),
        ({"model.onnx": {}, "tokens.txt": T}, "not taken: no model_type in its metadata"),
        ({"encoder.onnx": {}, "decoder.onnx": b"", "joiner.onnx": {}, "tokens.txt": T}, "no whole ONNX model"),
    ],
)
def test_what_is_no_recognizer_is_refused(tmp_path: Path, files: Files, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        model_folders.check_recognizer(fill(tmp_path / "model", files))


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for check in (model_folders.check_voice, model_folders.check_recognizer):
        with pytest.raises(BadModel, match="There is no folder"):
            check(tmp_path / "none")
        with pytest.raises(BadModel, match="is no folder"):
            check(tmp_path / "file")


@given(st.dictionaries(st.text(min_size=1), st.text()), st.integers(0, 400), st.data())
def test_metadata_is_read_past_a_graph_and_never_from_half_a_file(
    tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, str], size: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "model.onnx"
    whole = onnx_bytes(metadata, b"\xff" * size)
    path.write_bytes(whole)
    assert model_folders.onnx_metadata(path) == metadata
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        assert model_folders.onnx_metadata(path).items() <= metadata.items()
    except BadModel as error:
        assert "no whole ONNX model" in str(error)  # noqa: PT017 - either outcome is right


# ---------------------------------------------------------------------------------------------- the start


async def refused(settings: Settings) -> str:
    with pytest.raises(ConfigError) as caught:
        async with open_services(settings):
            pass
    return str(caught.value)


async def test_the_server_does_not_start_on_a_model_that_it_cannot_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = fill(tmp_path / "empty", {})
    for name in ("voice_model", "recognition_model"):
        settings = load({"data": tmp_path / "data", name: empty}, {})
        assert (await refused(settings)).startswith(f"{name}: {empty} holds nothing; missing is ")
    monkeypatch.setattr(model_folders, "find_spec", lambda name: None)
    voice = fill(tmp_path / "voice", {"m.onnx": VOICE, "tokens.txt": T, **ESPEAK})
    message = await refused(load({"data": tmp_path / "data", "voice_model": voice}, {}))
    assert "holds a vits model, which needs the package sherpa-onnx" in message
    assert "pip install 'opperlite[sherpa]'" in message
    ears = fill(tmp_path / "ears", CTRANSLATE2)
    message = await refused(load({"data": tmp_path / "data", "recognition_model": ears}, {}))
    assert "pip install 'opperlite[whisper]'" in message
    assert not (tmp_path / "data").exists()


def test_a_model_whose_library_is_there_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "find_spec", lambda name: object())
    assert recognition_model_fault(fill(tmp_path / "ears", CTRANSLATE2)) is None


# ---------------------------------------------------------------------------------------- words and voices


@given(st.text(), st.sampled_from(["", "ann,bob", "ann,bob,cid"]), st.integers(1, 900))
def test_a_voice_always_means_the_same_speaker(voice: str, names: str, count: int) -> None:
    known = names.split(",") if names else []
    number = local_voice.speaker(voice, known, count)
    assert 0 <= number < count
    assert local_voice.speaker(f" {voice} ", known, count) == number


def test_a_speakers_name_or_number_means_that_speaker() -> None:
    names = ["af_bella", "am_adam", "bf_emma"]
    assert [local_voice.speaker(name, names, 3) for name in ("AF_Bella", "am_adam", "2", "4")] == [0, 1, 2, 1]
    assert len({local_voice.speaker(name, (), 900) for name in ("alloy", "nova", "onyx", "echo", "fable")}) == 5


def test_sentences_are_pronounced_with_their_pauses() -> None:
    with espeak.session() as session:
        assert local_voice._phonemes("Hello there, friend?", "en-us", session) == "həlˈoʊ ðˈɛɹ, fɹˈɛnd?"
        assert local_voice._phonemes("weekend.", "de", session).isprintable()
        assert "(" not in local_voice._phonemes("Das weekend, hello.", "de", session)
        assert local_voice._phonemes("hello.", "no such voice", session) == "həlˈoʊ."
        assert local_voice._phonemes("", "en", session) == ""


def test_word_lists_are_read_by_where_they_have_every_word(tmp_path: Path) -> None:
    lists: Files = {"lexicon-us-en.txt": b"hello h\nthere t\n", "lexicon-zh.txt": "你 n\n".encode()}
    kokoro: Files = {"model.onnx": VOICE | {"has_espeak": "1"}, "voices.bin": b"v", "tokens.txt": T, **lists}
    model = model_folders.voice(fill(tmp_path / "model", kokoro))
    sentences = [normalization.tokens(text, "en") for text in ("Hello there.", "Hello Ada.")]
    scripts = local_voice._scripts(model, sentences, "en")
    assert [(script.text, bool(script.phonemes)) for script in scripts] == [
        ("Hello there.", False),
        ("Hello Ada.", True),
    ]
    (spanish,) = local_voice._scripts(model, [normalization.tokens("Hola.", "es")], "es")
    assert spanish.phonemes == "ˈola."
    (chinese,) = local_voice._scripts(model, [normalization.tokens("你好。", "zh")], "zh")
    assert not chinese.phonemes


words = st.lists(st.text("abcxyz,.é語", min_size=1, max_size=8), min_size=1, max_size=12)


@given(words, st.booleans(), st.floats(0.2, 30))
def test_words_lie_one_after_another_within_the_sound(texts: list[str], timed: bool, duration: float) -> None:
    text = " ".join(texts)
    starts = [float(time) for time in np.linspace(0, duration * 0.9, len(texts))] if timed else []
    pieces = local_recognition.spread(text, [f"▁{word}" for word in texts], starts, duration)
    assert "".join(piece.text for piece in pieces) == text
    times = [moment for piece in pieces for moment in (piece.start, piece.end)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= duration


def test_times_of_tokens_become_those_of_words() -> None:
    tokens, starts = ["▁good", "▁mor", "ning", "▁all"], [0.5, 1.0, 1.3, 2.5]
    pieces = local_recognition.spread("good morning all", tokens, starts, 6.0)
    assert [piece.start for piece in pieces] == pytest.approx([0.5, 1.0, 2.5])
    assert pieces[-1].end < 3.5, "the silence after the last word is not its own"
    assert local_recognition.spread("  ", [], [], 1.0) == []


# ------------------------------------------------------------------------------------------ faster-whisper


class Whisper:
    """Stands in for `faster_whisper.WhisperModel`: says what it was given, at set times."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012 - what the class was called with
    supported_languages = ("en", "sv")

    def __init__(self, folder: str, **options: Any) -> None:
        if Path(folder).name == "broken":
            raise RuntimeError("File model.bin is incomplete")
        self.calls.append({"folder": folder, **options})

    def transcribe(self, samples: Any, **options: Any) -> tuple[Any, Any]:
        assert samples.dtype == np.float32
        self.calls.append(options)
        said = [
            SimpleNamespace(word=w, start=i * 0.2, end=i * 0.2 + 0.1) for i, w in enumerate((" Hej", " du.", " Ja"))
        ]
        return iter([SimpleNamespace(words=said), SimpleNamespace(words=None)]), SimpleNamespace(language="sv")


@pytest.fixture
def whisper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("faster_whisper")
    module.WhisperModel = Whisper  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(variable, "0")
    local_recognition._loaded.cache_clear()
    Whisper.calls.clear()
    return fill(tmp_path / "whisper", CTRANSLATE2)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("said") / "said.wav"
    spoken = speech.speak("Hello there, my friend.", voice="alloy")
    audio.encode(spoken.samples, spoken.rate, "wav", path)
    return path


def test_whisper_is_loaded_from_the_folder_alone(whisper: Path, said: Path) -> None:
    import os

    heard = local_recognition.transcribe(said, whisper, prompt="Names: Ada")
    assert Whisper.calls[0] | {"cpu_threads": 0} == {
        "folder": str(whisper),
        "device": "cpu",
        "compute_type": "int8",
        "cpu_threads": 0,
        "local_files_only": True,
    }
    assert (Whisper.calls[1]["language"], Whisper.calls[1]["initial_prompt"]) == (None, "Names: Ada")
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"
    assert (heard.text, heard.language) == ("Hej du. Ja", "sv")
    assert [segment.text for segment in heard.segments] == ["Hej du.", "Ja"]
    assert [word.word for word in heard.words] == ["Hej", "du.", "Ja"]
    assert heard.words[0].start < heard.words[-1].start < heard.duration
    local_recognition.transcribe(said, whisper, language="en-GB")
    assert (len(Whisper.calls), Whisper.calls[2]["language"]) == (3, "en"), "it is loaded once"


def test_silence_is_not_given_to_the_model(whisper: Path, tmp_path: Path) -> None:
    audio.encode(np.zeros(48_000, np.float32), 24_000, "wav", tmp_path / "silence.wav")
    heard = local_recognition.transcribe(tmp_path / "silence.wav", whisper)
    assert (heard.text, heard.segments, heard.words) == ("", (), ())
    assert heard.duration == pytest.approx(2, abs=0.01)
    assert len(Whisper.calls) == 1


def test_a_whisper_that_cannot_be_loaded_is_named(whisper: Path, said: Path) -> None:
    broken = fill(whisper.parent / "broken", CTRANSLATE2)
    with pytest.raises(BadModel, match=r"could not load the model in .*broken: File model\.bin is incomplete"):
        local_recognition.transcribe(said, broken)


@pytest.mark.skipif(not find_spec("faster_whisper"), reason="faster-whisper is missing")
def test_a_whisper_folder_is_heard_with_by_the_library_itself(tmp_path: Path, said: Path) -> None:
    folder = one_word_whisper(tmp_path / "whisper")
    model_folders.check_recognizer(folder)
    heard = local_recognition.transcribe(said, folder, language="sv", prompt="hello", diarize=True)
    assert set(heard.text.split()) == {"hello"}
    assert heard.language == "sv"
    assert [word.word for word in heard.words] == heard.text.split()
    assert all(0 <= word.start <= word.end <= heard.duration for word in heard.words)


# ---------------------------------------------------------------------------------------------- sherpa-onnx


@needs_sherpa
def test_a_voice_model_speaks_as_the_built_in_one_does(tmp_path: Path) -> None:
    folder = humming_voice(tmp_path / "voice")
    text = "Hello there, friend. How are you?"
    spoken = local_voice.speak(text, folder, voice="ann")
    assert (spoken.rate, spoken.samples.dtype, spoken.text) == (speech.RATE, np.float32, text)
    assert [word.word for word in spoken.words] == text.split()
    assert spoken.words[2].end + 0.1 < spoken.words[3].start, "a pause lies between sentences"
    assert loudness.integrated(spoken.samples, spoken.rate) == pytest.approx(loudness.TARGET, abs=1)
    assert abs(float(spoken.samples[0])) < 0.001
    letters = (len(text) - 1) * SAMPLES_PER_LETTER / VOICE_RATE
    assert len(spoken.samples) / spoken.rate == pytest.approx(letters + 0.5, abs=0.3)
    quick = local_voice.speak(text, folder, voice="ann", speed=2.0)
    assert len(spoken.samples) / len(quick.samples) == pytest.approx(2, rel=0.1)


@needs_sherpa
def test_voices_are_the_models_speakers(tmp_path: Path) -> None:
    folder = humming_voice(tmp_path / "voice")
    for number, name in enumerate(("ann", "bob", "cid", "dee")):
        samples = local_voice.speak("Hello there", folder, voice=name).samples[5000:15000]
        pitch = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * speech.RATE / len(samples)
        assert pitch == pytest.approx(120 * (number + 1), abs=3)


@needs_sherpa
def test_a_piper_voice_is_given_phonemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"comment": "piper", "frontend": "", "voice": "en-us", "has_espeak": "1"}
    folder = humming_voice(tmp_path / "voice", "_^$ .,?həlˈoʊðɛɹ", **told)
    spoken = local_voice.speak("Hello there.", folder, voice="ann")
    signs = len("həlˈoʊ ðˈɛɹ.")
    least, most = (count * SAMPLES_PER_LETTER / VOICE_RATE for count in (signs, 2 * signs + 6))  # Piper pads each sign
    assert least < len(spoken.samples) / spoken.rate < most + 0.5
    monkeypatch.setattr(local_voice, "_sound", lambda *_: np.zeros(0, np.float32))
    with pytest.raises(BadModel, match="made no sound of this text"):
        local_voice.speak("Hello there.", folder, voice="ann")


@needs_sherpa
async def test_models_work_behind_the_provider_and_a_bad_one_fails_its_call_alone(tmp_path: Path, said: Path) -> None:
    workers = Workers(1)
    heard = TranscriptionPlan("openai/whisper-1", diarize=True)
    plan = SpeechPlan("openai/tts-1", "Hello there.", "alloy", "wav")
    bad = deaf_recognizer(tmp_path / "bad")
    (bad / "model.onnx").write_bytes(onnx_bytes({"model_type": "EncDecCTCModelBPE"}))
    try:
        with pytest.raises(ProviderFailed, match=r"with the model in .*bad"):
            await OfflineProvider(workers, workers, None, bad).transcribe(heard, said)
        good = OfflineProvider(workers, workers, humming_voice(tmp_path / "v"), deaf_recognizer(tmp_path / "r"))
        transcript = await good.transcribe(heard, said)
        made = await good.speech(plan, tmp_path)
        built_in = await OfflineProvider(workers, workers).transcribe(heard, said)
    finally:
        await workers.close()
    assert (transcript.text, transcript.by_model, transcript.segments[0].speaker) == ("hello there", True, "A")
    assert made.transcript is not None
    assert [word.word for word in made.transcript.words] == ["Hello", "there."]
    assert not built_in.by_model
