"""Model folders of the user's own: which kind of model one holds, told by its files without any library."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

VOICES = "Kokoro, VITS (Piper, Coqui, MMS …) or Matcha, as packed for sherpa-onnx"
RECOGNIZERS = (
    "Whisper as converted for CTranslate2, or Whisper, transducer, SenseVoice, Moonshine, NeMo CTC, Zipformer CTC "
    "or Paraformer, as packed for sherpa-onnx"
)

_EXTRAS = {"sherpa_onnx": "sherpa", "faster_whisper": "whisper"}
"""The extra of opperlite that brings each library."""

_VOCODERS = ("vocos", "hifigan", "vocoder")
_CTC_TYPES = {
    "sense_voice_ctc": "sense-voice",
    "paraformer": "paraformer",
    "EncDecCTCModel": "nemo-ctc",
    "EncDecCTCModelBPE": "nemo-ctc",
    "EncDecHybridRNNTCTCBPEModel": "nemo-ctc",
    "zipformer2_ctc": "zipformer-ctc",
}
"""`model_type` in the metadata of models in one file, as sherpa-onnx's export scripts write it."""


class BadModel(Exception):
    """A model folder that cannot be used; the message says what was found and what is needed."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model that was recognized: its kind, the library that runs it, the path of each of its parts."""

    folder: Path
    kind: str
    library: str
    parts: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def check_voice(folder: Path) -> None:
    """Raise BadModel unless the folder holds a voice and its library is there."""
    _check_library(voice(folder))


def check_recognizer(folder: Path) -> None:
    """Raise BadModel unless the folder holds a recognizer and its library is there."""
    _check_library(recognizer(folder))


def _check_library(model: ModelFolder) -> None:
    if find_spec(model.library) is None:
        install = f"pip install 'opperlite[{_EXTRAS[model.library]}]'"
        built = getattr(sys, "frozen", False)
        where = "the built program has none, run the source with" if built else "install it with"
        package = model.library.replace("_", "-")
        raise BadModel(
            f"{model.folder} holds a {model.kind} model, which needs the package {package}; {where}: {install}"
        )


# ----------------------------------------------------------------------------------------------- voices


def voice(folder: Path) -> ModelFolder:
    """Return the model for speech that a folder holds; raises BadModel."""
    names = _names(folder)
    vocoder = _best(name for name in names if name.endswith(".onnx") and name.lower().startswith(_VOCODERS))
    model = _best(name for name in names if name.endswith(".onnx") and not name.lower().startswith(_VOCODERS))
    tokens = _best(name for name in names if name.endswith("tokens.txt"))
    if model is None or tokens is None:
        raise _unknown(folder, names, VOICES, "a .onnx file and tokens.txt")
    metadata = onnx_metadata(folder / model)
    parts = {"tokens": tokens, **_reading(names)}
    if "voices.bin" in names:
        kind, parts = "kokoro", {**parts, "model": model, "voices": "voices.bin"}
    elif vocoder is not None:
        onnx_metadata(folder / vocoder)
        kind, parts = "matcha", {**parts, "acoustic_model": model, "vocoder": vocoder}
    elif metadata.get("model_type", "").startswith("matcha"):
        raise _unknown(folder, names, VOICES, "the vocoder of a Matcha model, such as vocos-22khz-univ.onnx")
    else:
        kind, parts = "vits", {**parts, "model": model}
    if "sample_rate" not in metadata:
        raise BadModel(f"{folder / model} does not tell its sample rate; needed is {VOICES}")
    found = ModelFolder(folder, kind, "sherpa_onnx", _paths(folder, parts), metadata)
    if "lexicon" not in parts and metadata.get("frontend") != "characters" and not reads_phonemes(found):
        raise _unknown(folder, names, VOICES, "lexicon.txt")
    return found


def reads_phonemes(model: ModelFolder) -> bool:
    """Whether a voice was trained on what espeak-ng pronounces."""
    comment = model.metadata.get("comment", "")
    espeak = model.metadata.get("has_espeak") == "1" or (model.folder / "espeak-ng-data").is_dir()
    return espeak or "piper" in comment


def _reading(names: frozenset[str]) -> dict[str, str]:
    """Return the word lists that a voice reads text by."""
    lists = sorted(name for name in names if name.startswith("lexicon") and name.endswith(".txt"))
    if "lexicon-us-en.txt" in lists:  # the same words as in the British list; the first one found wins
        lists = [name for name in lists if name != "lexicon-gb-en.txt"]
    return {"lexicon": ",".join(lists)} if lists else {}


# ------------------------------------------------------------------------------------------ recognizers


def recognizer(folder: Path) -> ModelFolder:
    """Return the model for recognition that a folder holds; raises BadModel."""
    names = _names(folder)
    if "model.bin" in names:
        return _ctranslate2(folder, names)
    tokens = _best(name for name in names if name.endswith("tokens.txt"))
    if tokens is None or _best(name for name in names if name.endswith(".onnx")) is None:
        raise _unknown(folder, names, RECOGNIZERS, "model.bin, or .onnx files and tokens.txt")
    moonshine = {
        "preprocessor": _onnx(names, "preprocess"),
        "encoder": _onnx(names, "encode"),
        "uncached_decoder": _onnx(names, "uncached_decode"),
        "cached_decoder": _onnx(names, "cached_decode"),
    }
    if all(moonshine.values()):
        return _several(folder, "moonshine", tokens, moonshine)
    pair = {"encoder": _onnx(names, "encoder", within=True), "decoder": _onnx(names, "decoder", within=True)}
    if all(pair.values()):
        return _encoder_and_decoder(folder, names, tokens, pair)
    return _single(folder, names, tokens)


def _ctranslate2(folder: Path, names: frozenset[str]) -> ModelFolder:
    # Without a tokenizer of its own the library would ask the network for one.
    missing = sorted({"config.json", "tokenizer.json"} - names)
    if not {"vocabulary.json", "vocabulary.txt"} & names:
        missing.append("vocabulary.json")
    if missing:
        raise _unknown(folder, names, RECOGNIZERS, ", ".join(missing))
    return ModelFolder(folder, "Whisper (CTranslate2)", "faster_whisper")


def _encoder_and_decoder(
    folder: Path, names: frozenset[str], tokens: str, pair: Mapping[str, str | None]
) -> ModelFolder:
    joiner = _onnx(names, "joiner", within=True)
    if joiner:
        return _several(folder, "transducer", tokens, {**pair, "joiner": joiner})
    model = _several(folder, "whisper", tokens, pair)
    if not model.metadata.get("model_type", "").startswith("whisper"):
        found = model.metadata.get("model_type", "no model_type in its metadata")
        raise BadModel(f"{model.parts['encoder']} is of a kind that is not taken: {found}; needed is {RECOGNIZERS}")
    return model


def _several(folder: Path, kind: str, tokens: str, parts: Mapping[str, str | None]) -> ModelFolder:
    named = {part: name for part, name in parts.items() if name}
    metadata = [onnx_metadata(folder / name) for name in named.values()]
    first = dict(zip(named, metadata, strict=True))["encoder"]
    return ModelFolder(folder, kind, "sherpa_onnx", _paths(folder, {**named, "tokens": tokens}), first)


def _single(folder: Path, names: frozenset[str], tokens: str) -> ModelFolder:
    model = _best(name for name in names if name.endswith(".onnx"))
    if model is None:
        raise _unknown(folder, names, RECOGNIZERS, "an .onnx file")
    metadata = onnx_metadata(folder / model)
    kind = _CTC_TYPES.get(metadata.get("model_type", ""))
    if kind is None:
        found = metadata.get("model_type", "no model_type in its metadata")
        raise BadModel(f"{folder / model} is of a kind that is not taken: {found}; needed is {RECOGNIZERS}")
    return ModelFolder(folder, kind, "sherpa_onnx", _paths(folder, {"model": model, "tokens": tokens}), metadata)


# ------------------------------------------------------------------------------------------------ files


def _names(folder: Path) -> frozenset[str]:
    if not folder.is_dir():
        raise BadModel(f"{folder} is no folder" if folder.exists() else f"There is no folder {folder}")
    try:
        return frozenset(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise BadModel(f"{folder} cannot be read: {error.strerror}") from error


def _best(names: Iterator[str]) -> str | None:
    """Return the one to take of several: that in 8-bit integers, which is made for processors."""
    return min(names, key=lambda name: (".int8." not in name, len(name), name), default=None)


def _onnx(names: frozenset[str], part: str, *, within: bool = False) -> str | None:
    return _best(
        name for name in names if name.endswith(".onnx") and (part in name if within else name.split(".")[0] == part)
    )


def _paths(folder: Path, parts: Mapping[str, str]) -> dict[str, str]:
    return {part: ",".join(str(folder / name) for name in value.split(",")) for part, value in parts.items()}


_SHOWN = 8


def _unknown(folder: Path, names: frozenset[str], kinds: str, missing: str) -> BadModel:
    listed = sorted(names)[:_SHOWN] + (["…"] if len(names) > _SHOWN else [])
    found = ", ".join(listed) or "nothing"
    return BadModel(f"{folder} holds {found}; missing is {missing}; needed is {kinds}")


# ---------------------------------------------------------------------------------------- ONNX metadata

_METADATA = 14
"""Number of the field `metadata_props` of `ModelProto` (onnx.proto)."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types of Protocol Buffers."""


def onnx_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX model, reading past its graph; raises BadModel when it is no whole model."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            fields = [value for number, value in _fields(file, size) if number == _METADATA]
    except (OSError, EOFError, ValueError) as error:
        raise BadModel(f"{path} is no whole ONNX model ({error})") from error
    entries = [dict(_fields(io.BytesIO(entry), len(entry))) for entry in fields]
    return {
        entry.get(1, b"").decode("utf-8", "replace"): entry.get(2, b"").decode("utf-8", "replace") for entry in entries
    }


_LARGEST_ENTRY = 1 << 20


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of the fields of a message; b"" for those that are numbers or large."""
    if not size:
        raise EOFError("it is empty")
    while file.tell() < size:
        number, wire = divmod(_varint(file), 8)
        value = b""
        if wire == _VARINT:
            _varint(file)
        elif wire in (_FIXED64, _FIXED32):
            file.seek(8 if wire == _FIXED64 else 4, io.SEEK_CUR)
        elif wire == _BYTES:
            length = _varint(file)
            if file.tell() + length > size:
                raise EOFError("it ends too early")
            value = file.read(length) if length <= _LARGEST_ENTRY else b""
            file.seek(0 if length <= _LARGEST_ENTRY else length, io.SEEK_CUR)
        else:
            raise ValueError("its bytes are of another kind")
        if not number:
            raise ValueError("its bytes are of another kind")
        yield number, value


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("its bytes are of another kind")
