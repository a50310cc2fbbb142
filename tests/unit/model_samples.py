"""Tiny models made here: a voice that hums and a recognizer that always hears two words, as sherpa-onnx loads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz .,?"
SPEAKERS = 4
VOICE_RATE = 22_050
SAMPLES_PER_LETTER = 1500

# ------------------------------------------------------------------------------- files without a library


def field(number: int, value: bytes) -> bytes:
    """A field of bytes in a Protocol Buffers message."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def bare_onnx(metadata: Mapping[str, str], graph: bytes = b"\0" * 100) -> bytes:
    """What an ONNX model with this metadata looks like from outside; no library could run it."""
    entries = [field(1, key.encode()) + field(2, value.encode()) for key, value in metadata.items()]
    return varint(1 << 3) + varint(9) + field(7, graph) + b"".join(field(14, entry) for entry in entries)


def fill(folder: Path, files: Mapping[str, bytes | Mapping[str, str]]) -> Path:
    """A folder with these files; those given by their metadata are bare ONNX models."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if name.endswith("/"):
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else bare_onnx(content))
    return folder


# ------------------------------------------------------------------------------------- models that run


def humming_voice(folder: Path, signs: str = LETTERS, **told: str) -> Path:
    """A VITS model: each sign lasts the same time, each speaker hums at 120 Hz times its number plus one."""
    tokens = "".join(f"{sign} {number}\n" for number, sign in enumerate(signs))
    metadata = {
        "model_type": "vits",
        "comment": "coqui",
        "language": "English",
        "frontend": "characters",
        "add_blank": "0",
        "use_eos_bos": "0",
        "n_speakers": str(SPEAKERS),
        "sample_rate": str(VOICE_RATE),
        "punctuation": ". , ?",
        "speaker_names": "ann,bob,cid,dee",
        **told,
    }
    return _saved(folder, *_humming(), metadata, tokens)


def deaf_recognizer(folder: Path, frames: tuple[int, int] = (10, 40)) -> Path:
    """A NeMo CTC model that hears "hello there" at two frames of 10 ms, whatever is said."""
    metadata = {
        "model_type": "EncDecCTCModelBPE",
        "vocab_size": "2",
        "subsampling_factor": "1",
        "normalize_type": "per_feature",
    }
    return _saved(folder, *_hearing(frames), metadata, "▁hello 0\n▁there 1\n<blk> 2\n")


def _saved(
    folder: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Sequence[Any],
    metadata: Mapping[str, str],
    tokens: str,
) -> Path:
    import onnx
    from onnx import helper

    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "tokens.txt").write_text(tokens, "utf-8")
    return folder


def _humming() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    from onnx import TensorProto, helper

    node, info = helper.make_node, helper.make_tensor_value_info
    whole, real = TensorProto.INT64, TensorProto.FLOAT
    constants = [
        helper.make_tensor("axis", whole, [1], [1]),
        helper.make_tensor("one", whole, [1], [1]),
        helper.make_tensor("length", real, [], [float(SAMPLES_PER_LETTER)]),
        helper.make_tensor("zero", real, [], [0.0]),
        helper.make_tensor("step", real, [], [1.0]),
        helper.make_tensor("pitch", real, [], [120 * math.tau / VOICE_RATE]),
        helper.make_tensor("loudness", real, [], [0.3]),
        helper.make_tensor("scale_place", whole, [], [1]),
        helper.make_tensor("shape", whole, [3], [1, 1, -1]),
        helper.make_tensor("first", whole, [], [0]),
    ]
    nodes = [
        node("Shape", ["input"], ["dims"]),
        node("Gather", ["dims", "scale_place"], ["letters"], axis=0),
        node("Cast", ["letters"], ["count"], to=real),
        node("Gather", ["scales", "scale_place"], ["stretch"], axis=0),
        node("Mul", ["count", "length"], ["plain"]),
        node("Mul", ["plain", "stretch"], ["samples"]),
        node("Range", ["zero", "samples", "step"], ["time"]),
        node("Gather", ["sid", "first"], ["speaker"], axis=0),
        node("Cast", ["speaker"], ["number"], to=real),
        node("Add", ["number", "step"], ["factor"]),
        node("Mul", ["factor", "pitch"], ["speed"]),
        node("Mul", ["time", "speed"], ["phase"]),
        node("Sin", ["phase"], ["wave"]),
        node("Mul", ["wave", "loudness"], ["quiet"]),
        node("Reshape", ["quiet", "shape"], ["output"]),
    ]
    inputs = [
        info("input", whole, [1, "letters"]),
        info("input_lengths", whole, [1]),
        info("scales", real, [3]),
        info("sid", whole, [1]),
    ]
    return nodes, inputs, [info("output", real, [1, 1, "samples"])], constants


def _hearing(frames: tuple[int, int]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    from onnx import TensorProto, helper

    node, info = helper.make_node, helper.make_tensor_value_info
    whole, real = TensorProto.INT64, TensorProto.FLOAT
    numbers = {"zero": 0, "step": 1, "blank": 2, "last": 2, "depth": 3, "early": frames[0], "late": frames[1]}
    constants = [helper.make_tensor(name, whole, [], [value]) for name, value in numbers.items()]
    constants += [
        helper.make_tensor("odds", real, [2], [-20.0, 0.0]),
        helper.make_tensor("batch", whole, [1], [0]),
    ]
    nodes = [
        node("Shape", ["audio_signal"], ["dims"]),
        node("Gather", ["dims", "last"], ["frames"], axis=0),
        node("Range", ["zero", "frames", "step"], ["place"]),
        node("Equal", ["place", "early"], ["is_early"]),
        node("Equal", ["place", "late"], ["is_late"]),
        node("Where", ["is_late", "step", "blank"], ["later"]),
        node("Where", ["is_early", "zero", "later"], ["tokens"]),
        node("OneHot", ["tokens", "depth", "odds"], ["chances"], axis=-1),
        node("Unsqueeze", ["chances", "batch"], ["logprobs"]),
    ]
    inputs = [info("audio_signal", real, [1, 80, "frames"]), info("length", whole, [1])]
    return nodes, inputs, [info("logprobs", real, [1, "frames", 3])], constants


# --------------------------------------------------------------------------------------------- Whisper

_WIDTH = 64


def one_word_whisper(folder: Path) -> Path:
    """A Whisper for CTranslate2, of one layer and without sense, that says "hello" at most times."""
    from ctranslate2.specs import whisper_spec
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = ["Ġthere", "Ġhello", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    languages = [f"<|{code}|>" for code in _LANGUAGE_CODES]
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    times = [f"<|{place * 0.02:.2f}|>" for place in range(1501)]
    marks = ["<|endoftext|>", "<|startoftranscript|>", *languages, *(f"<|{task}|>" for task in tasks), *times]
    vocabulary = words + marks

    spec = whisper_spec.WhisperSpec(1, 1, 1, 1)
    _fill_whisper(spec, len(vocabulary))
    spec.decoder.projection.bias[vocabulary.index("Ġhello")] = 5.0
    spec.decoder.projection.bias[vocabulary.index("<|endoftext|>")] = 4.9
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [(0, 0)]
    spec.config.lang_ids = [vocabulary.index(language) for language in languages]
    spec.validate()
    folder.mkdir()
    spec.save(str(folder))

    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(marks)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _fill_whisper(spec: Any, words: int) -> None:
    import numpy as np

    chance = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return (chance.standard_normal(shape) * 0.05).astype(np.float32)

    def linear(part: Any, out: int, *size: int) -> None:
        part.weight, part.bias = weights(out, *size), np.zeros(out, np.float32)

    def norm(part: Any) -> None:
        part.gamma, part.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def attention(part: Any, outs: Sequence[int]) -> None:
        norm(part.layer_norm)
        for layer, out in zip(part.linear, outs, strict=True):
            linear(layer, out * _WIDTH, _WIDTH)

    encoder, decoder = spec.encoder, spec.decoder
    linear(encoder.conv1, _WIDTH, 80, 3)
    linear(encoder.conv2, _WIDTH, _WIDTH, 3)
    encoder.position_encodings.encodings = np.zeros((1500, _WIDTH), np.float32)
    decoder.position_encodings.encodings = np.zeros((448, _WIDTH), np.float32)
    decoder.embeddings.weight = weights(words, _WIDTH)
    linear(decoder.projection, words, _WIDTH)
    attention(decoder.layer[0].attention, (1, 2, 1))
    for side in (encoder, decoder):
        norm(side.layer_norm)
        attention(side.layer[0].self_attention, (3, 1))
        norm(side.layer[0].ffn.layer_norm)
        linear(side.layer[0].ffn.linear_0, _WIDTH, _WIDTH)
        linear(side.layer[0].ffn.linear_1, _WIDTH, _WIDTH)
