"""Catalog files: the packaged ones, a stranger's, and broken ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opperlite
from opperlite.config import Settings
from opperlite.domain.errors import ProviderRefused
from opperlite.domain.models import (
    Catalog,
    CatalogError,
    Model,
    plan_image,
    plan_speech,
    plan_transcription,
    plan_video,
    price_video,
    read_text,
    settle_video,
)
from opperlite.domain.models.geometry import parse_ratio
from opperlite.domain.models.loading import read_file
from opperlite.domain.models.rules import parse_size
from opperlite.domain.types import ImageRequest, Media, Source, SpeechRequest, TranscriptionRequest, VideoRequest
from opperlite.wiring import load_catalog

PACKAGE = Path(opperlite.__file__).parent
FILES = sorted((PACKAGE / "catalog").glob("*.toml"))
CATALOG = Catalog.load()
each_model = pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)

# Every model that the guides and Opper's other texts name (contract B.2), and the whole proposed catalog.
NAMED = {
    "openai/gpt-image-2.6-sunburst",
    "openai/gpt-image-2.6-flare",
    "openai/gpt-image-2.5-sunburst",
    "openai/gpt-image-2.5-flare",
    "openai/gpt-image-2",
    "openai/gpt-image-1.5",
    "openai/gpt-image-1-mini",
    "openai/gpt-image-1",
    "openai/dall-e-3",
    "xai/grok-imagine-image",
    "xai/grok-imagine-image-2.0",
    "xai/grok-imagine-image-quality",
    "vertexai/imagen-4.0-generate-001",
    "vertexai/imagen-4.0-fast-generate-001",
    "vertexai/imagen-4.0-fast-generate-001-eu",
    "vertexai/imagen-4.0-ultra-generate-001",
    "vertexai/gemini-3-pro-image",
    "vertexai/gemini-3.1-flash-image",
    "vertexai/gemini-nano-banana-2.1",
    "vertexai/gemini-2.5-flash-image",
    "pruna/p-image",
    "pruna/p-image-pro",
    "pruna/p-image-edit",
    "openai/sora-2",
    "openai/sora-2-pro",
    "vertexai/veo-3.1-generate-001",
    "vertexai/veo-3.1-fast-generate-001",
    "vertexai/veo-3.1-lite-generate-001",
    "vertexai/gemini-omni-1.2-flash",
    "xai/grok-imagine-video",
    "xai/grok-imagine-video-1.5",
    "pruna/wan-t2v",
    "pruna/wan-i2v",
    "pruna/vace",
    "pruna/p-video",
    "openai/tts-1",
    "openai/tts-1-hd",
    "openai/gpt-4o-mini-tts",
    "xai/grok-tts",
    "vertexai/gemini-3.8-flash-tts",
    "kokoro/kokoro",
    "mistral/voxtral-mini-tts-latest",
    "azure-speech/neural-tts",
    "openai/whisper-1",
    "openai/gpt-4o-transcribe",
    "openai/gpt-4o-mini-transcribe",
    "openai/gpt-4o-transcribe-diarize",
    "openai/gpt-transcribe",
    "xai/grok-stt",
    "vertexai/gemini-3.5-transcribe",
    "mistral/voxtral-mini-2602",
    "elevenlabs/scribe_v2",
    "berget/NbAiLab/nb-whisper-large",
    "berget/KBLab/kb-whisper-large",
    "berget/Systran/faster-whisper-large-v3",
    "evroc/openai/whisper-large-v3",
    "evroc/openai/whisper-large-v3-turbo",
    "local/image",
    "local/video",
    "local/speech",
    "local/transcribe",
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_packaged_files_do_not_contradict_themselves(file: Path) -> None:
    models = read_file(file, thorough=True)
    assert {model.provider for model in models} == {file.stem}  # a packaged file is found by its provider's name


def test_every_named_model_is_there() -> None:
    assert {model.id for model in CATALOG.models} - {"vertexai/gemini-3.8-flash-lite-tts"} == NAMED


@each_model
def test_required_members_of_the_list_are_there(model: Model) -> None:
    assert model.id == f"{model.provider}/{model.model_id}"
    assert all((model.provider_display_name, model.name, model.description, model.speed, model.quality))
    assert isinstance(model.cost, float)
    assert isinstance(model.context_window, int)
    assert model.capabilities
    assert model.params["default_max_tokens"] == 0
    assert model.pricing["input"] == model.pricing["output"] == []
    assert msgspec.json.decode(msgspec.json.encode([model.params, model.pricing]))


@each_model
def test_published_limits_are_there_by_type(model: Model) -> None:
    params = model.spec.params
    if model.type == "image":
        assert params.image is not None
        assert params.image.sizes or params.image.size_constraints or params.image.aspect_ratios
        assert all(size == "auto" or parse_size(size) for size in params.image.sizes)
        known = {"auto", "match_input_image"}
        assert all(ratio in known or parse_ratio(ratio) for ratio in params.image.aspect_ratios)
    elif model.type == "video":
        assert params.video is not None
        assert params.video.resolutions
        assert params.video.max_duration
    elif model.type == "tts":
        assert params.tts is not None
        assert params.tts.max_length
    else:
        assert params.stt is not None
        assert params.stt.formats
        assert params.stt.diarize is (model.spec.bridge.diarize != {})


def test_every_rule_table_and_price_carries_its_source() -> None:
    for file in FILES:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.startswith("pricing.") and "image_prices" not in line and file.stem != "local":
                assert "#" in line, f"{file.name}:{number}: a price without a source"


# --------------------------------------------------------------------------------------- code knows no model

FAMILIES = {"gpt-", "dall-e", "dalle", "sora", "veo-3", "imagen", "grok", "voxtral"}
# A dialect of the API names whose it is, and so do the variables and clients of SDKs; the banner shows an example call;
# a user's own model is known by its family; the self-test asks as a client does.
EXEMPT = (
    "api/",
    "selftest/",
    "environment.py",
    "pytest_plugin.py",
    "serving.py",
    "config.py",
    "engine/sound/local_voice.py",
    "engine/sound/model_folders.py",
)
EVERYDAY = {"local", "image", "video", "speech", "transcribe"}  # the embedded engine's names are words of the trade


def names_of_models() -> list[str]:
    """Names of models, their families, and their providers, but for everyday words."""
    names = {name for model in CATALOG.models for name in (model.id, model.model_id, *model.aliases)}
    return sorted((names | FAMILIES | {model.provider for model in CATALOG.models}) - EVERYDAY)


def words_of(file: Path) -> Iterator[tuple[int, str]]:
    """Every name and every text of a module's code with its line; comments and docstrings are not code."""
    tree = ast.parse(file.read_text("utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        for value in (getattr(node, name, None) for name in ("id", "attr", "name", "arg", "value", "module")):
            if isinstance(value, str) and id(node) not in documents:
                yield getattr(node, "lineno", 0), value


def test_no_model_or_provider_is_named_in_code() -> None:
    pattern = re.compile(rf"(?<![a-z-])(?:{'|'.join(map(re.escape, names_of_models()))})(?![a-z])")
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if not file.relative_to(PACKAGE).as_posix().startswith(EXEMPT):
            words = {word.lower(): line for line, word in words_of(file)}
            found += [f"{file.name}:{line}: {word[:60]}" for word, line in words.items() if pattern.search(word)]
    assert found == []


def test_the_search_for_names_finds_them(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text('"""Like Sora."""\nif model == "openai/sora-2":  # Sora\n    sora_rule()\n', encoding="utf-8")
    assert [line for line, word in words_of(file) if "sora" in word.lower()] == [2, 3]


# ------------------------------------------------------------------------------------ a stranger's provider

ACME = """
[provider]
id = "acme"
name = "Acme Media"
country = "SE"

[errors]
status = 418
body = { fault = { text = "{message}", where = "{param}", got = "{value}" } }
[errors.kinds]
unknown = { message = "what is '{param}'?", status = 422 }
enum = { message = "'{value}' is not one of ours: {allowed}" }
too_dark = { message = "the scene is too dark" }

[[models]]
id = "brush"
type = "image"
name = "Brush"
description = "Paints"
capabilities = ["image_generation"]
params.image = { sizes = ["512x512", "768x512"], default = "512x512", qualities = ["low", "medium", "high"] }
bridge = { size = "dimensions", ratio_sizes = { "1:1" = "512x512", "3:2" = "768x512" } }
output = { size = "dimensions", default = "512x512", seed = "dice", format = "kind", formats = {"image/webp" = "webp"} }
pricing.price_per_megapixel = 2.0
[models.parameters]
dimensions = { type = "string", enum_of = "image.sizes" }
kind = { type = "string", enum = ["image/webp"], default = "image/webp" }
dice = { type = "integer" }

[[models]]
id = "reel"
type = "video"
name = "Reel"
capabilities = ["video_generation", "image_to_video"]
params.video = { resolutions = ["small"], aspect_ratios = ["16:9"], max_duration = 3 }
output.sizes."*" = { "16:9" = "320x180" }
output.default = "16:9"
output.duration = "length"
output.fps = "rate"
output.default_fps = 10
pricing.price_per_second = 0.5
[models.parameters]
length = { type = "string", pattern = "[1-3]s", default = "2s" }
rate = { type = "integer", enum = [10, 20] }
mood = { type = "string" }
[[models.rules]]
when = { mood = "black" }
forbid = ["mood"]
error = "too_dark"
late = true
[models.inputs]
image = { sources = ["url"], mime = ["image/png"] }

[[models]]
id = "voice"
type = "tts"
name = "Voice"
capabilities = ["tts"]
params.tts = { voices = ["low", "high"], default_voice = "high", max_length = 10 }
bridge = { voice = "who" }
output = { voice = "who" }
parameters.who = { type = "string", enum_of = "tts.voices" }

[[models]]
id = "ear"
type = "stt"
name = "Ear"
capabilities = ["stt"]
inputs.audio = { sources = ["url"] }
"""


@pytest.fixture
def acme(tmp_path: Path) -> Catalog:
    (tmp_path / "acme.toml").write_text(ACME, encoding="utf-8")
    return Catalog.load([tmp_path])


def test_a_new_provider_is_one_file(acme: Catalog) -> None:
    assert len(acme.models) == len(CATALOG.models) + 4
    assert [model.id for model in acme.search(provider="acme", sort="type")[0]] == [
        "acme/brush",
        "acme/ear",
        "acme/voice",
        "acme/reel",
    ]
    brush = acme.find("brush", "image")
    plan = plan_image(brush, ImageRequest(model="brush", prompt="x", aspect_ratio="3:2", parameters={"dice": 6}))
    assert (plan.width, plan.height, plan.format, plan.seed) == (768, 512, "webp", 6)
    clip = plan_video(
        acme.find("acme/reel", "video"), VideoRequest(model="acme/reel", prompt="x", parameters={"rate": 20})
    )
    assert (clip.width, clip.height, clip.fps, clip.frames) == (320, 180, 20, 40)
    assert price_video(acme.find("acme/reel"), clip) == 1.0
    assert plan_speech(acme.find("acme/voice"), SpeechRequest(model="acme/voice", input="Hi")).voice == "high"
    audio = Source(form="file", value="file_x", field="audio")
    assert (
        plan_transcription(acme.find("acme/ear"), TranscriptionRequest(model="acme/ear", audio=audio)).model
        == "acme/ear"
    )


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    text = (PACKAGE / "catalog" / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (brush,) = read_text(example, "README.md")
    plan = plan_image(brush, ImageRequest(model=brush.id, prompt="x", size="768x512", parameters={"seed": 3}))
    assert (plan.width, plan.height, plan.format, plan.seed) == (768, 512, "png", 3)
    parameters = {"background": "transparent", "kind": "jpeg"}
    with pytest.raises(ProviderRefused, match=r"refuses parameters\.kind"):
        plan_image(brush, ImageRequest(model=brush.id, prompt="x", parameters=parameters))


def test_a_new_provider_refuses_in_its_own_words(acme: Catalog) -> None:
    brush = acme.find("acme/brush", "image")
    with pytest.raises(ProviderRefused) as caught:
        plan_image(brush, ImageRequest(model="acme/brush", prompt="x", parameters={"dimensions": "1x1"}))
    words = "'1x1' is not one of ours: 512x512, 768x512"
    body = {"fault": {"text": words, "where": "dimensions", "got": "1x1"}}
    assert caught.value.details == {
        "field": "parameters.dimensions",
        "allowed": ["512x512", "768x512"],
        "provider": {"status": 418, "body": body},
    }
    with pytest.raises(ProviderRefused) as caught:
        plan_image(brush, ImageRequest(model="acme/brush", prompt="x", parameters={"n": 2}))
    assert caught.value.details["provider"] == {
        "status": 422,
        "body": {"fault": {"text": "what is 'n'?", "where": "n", "got": 2}},
    }


def test_what_the_provider_checks_only_later_fails_the_job(acme: Catalog) -> None:
    reel = acme.find("acme/reel", "video")
    plan = plan_video(reel, VideoRequest(model="acme/reel", prompt="x", parameters={"mood": "black"}))
    assert plan.late_failure == "the scene is too dark"
    assert settle_video(reel, plan, {}).late_failure == "the scene is too dark"
    wan = acme.find("pruna/wan-i2v", "video")
    image = Source(form="url", value="https://example.com/x.gif", field="image")
    plan = plan_video(wan, VideoRequest(model="pruna/wan-i2v", prompt="x", image=image))
    settled = settle_video(wan, plan, {"image": [Media("image", "image/gif", 10, 100, 100)]})
    assert settled.late_failure == "Unsupported file type image/gif"


def test_the_settings_folders_come_beside_the_packaged_models(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(ACME, encoding="utf-8")
    catalog = load_catalog(Settings(catalog=(tmp_path,)))
    assert {model.id for model in CATALOG.models} < {model.id for model in catalog.models}
    assert catalog.find("acme/brush").id == "acme/brush"
    again = Catalog.load([PACKAGE / "catalog"])
    assert {model.id for model in again.models} == {model.id for model in CATALOG.models}


def test_two_files_that_name_one_model_are_refused_with_both_names(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(ACME, encoding="utf-8")
    (tmp_path / "two.toml").write_text(ACME, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        Catalog.load([tmp_path])
    assert str(tmp_path / "one.toml") in str(caught.value)
    assert caught.value.file == str(tmp_path / "two.toml")
    assert caught.value.key == "acme/brush"
    assert caught.value.line == ACME.splitlines().index('id = "brush"')  # the [[models]] line above it


def test_a_model_of_the_package_cannot_be_named_again(tmp_path: Path) -> None:
    mine = ACME.replace('id = "acme"', 'id = "openai"').replace('id = "brush"', 'id = "gpt-image-1"')
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    with pytest.raises(CatalogError, match=r"openai\.toml and by .*mine\.toml"):
        Catalog.load([tmp_path])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such folder"):
        Catalog.load([tmp_path / "nowhere"])


# ------------------------------------------------------------------------------------------------ broken files


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ('type = "image"', 'type = "picture"', "models[0].type", "image, video, tts, stt"),
        ('id = "brush"', "id = 7", "models[0].id", "allowed: a text"),
        ('name = "Brush"', 'naem = "Brush"', "models[0].naem", "unknown key; allowed here: id, type, name"),
        ('capabilities = ["image_generation"]', 'capabilities = ["tts"]', "models[0].capabilities", "image_generation"),
        (
            'dice = { type = "integer" }',
            'dice = { typ = "integer" }',
            "models[0].parameters.dice.typ",
            "allowed here: type",
        ),
        ('dice = { type = "integer" }', 'dice = { type = "int" }', "models[0].parameters.dice.type", "string, integer"),
        (
            'dice = { type = "integer" }',
            "dice = { minimum = 6, maximum = 1 }",
            "models[0].parameters.dice.minimum",
            "more than the maximum",
        ),
        (
            'default = "image/webp" }',
            'default = "image/png" }',
            "models[0].parameters.kind.default",
            "breaks the parameter's own",
        ),
        (
            'enum_of = "image.sizes"',
            'enum_of = "image.shapes"',
            "models[0].parameters.dimensions.enum_of",
            "not a list",
        ),
        ('seed = "dice"', 'seed = "luck"', "models[0].output.seed", "no parameter 'luck'"),
        ('bridge = { size = "dimensions"', 'bridge = { size = "side"', "models[0].bridge.size", "no parameter 'side'"),
        ('"3:2" = "768x512" }', '"3:2" = "768 by 512" }', "models[0].bridge.ratio_sizes.3:2", "not WIDTHxHEIGHT"),
        (
            'default = "512x512", qualities',
            'default = "1x1", qualities',
            "models[0].params.image.default",
            "neither sizes nor",
        ),
        ('pattern = "[1-3]s"', 'pattern = "[1-3s"', "models[1].parameters.length.pattern", "regular expression"),
        ('when = { mood = "black" }', 'when = { mud = "black" }', "models[1].rules[0].when", "no parameter 'mud'"),
        (
            'when = { mood = "black" }',
            "when = { mood = { below = 3 } }",
            "models[1].rules[0].when.mood",
            "above = NUMBER",
        ),
        (
            'sources = ["url"], mime',
            'sources = ["ftp"], mime',
            "models[1].inputs.image.sources[0]",
            "url, data, file, gs",
        ),
        (
            'image = { sources = ["url"], mime',
            'picture = { sources = ["url"], mime',
            "models[1].inputs.picture",
            "reference_images",
        ),
        ('default_voice = "high"', 'default_voice = "loud"', "models[2].params.tts.default_voice", "low, high"),
        ('error = "too_dark"', 'error = "too_light"', "models[1].rules[0].error", "unknown, enum, too_dark"),
        (
            'output = { size = "dimensions", default = "512x512"',
            'output = { size = "dimensions", default = "big"',
            "models[0].output.default",
            "gives no pixel size",
        ),
        ('output.duration = "length"', "", "models[1].output", "nothing of the length"),
        (
            'bridge = { size = "dimensions",',
            'bridge = { always = { kind = "image/png" }, size = "dimensions",',
            "models[0].bridge.always",
            "own rule for 'kind'",
        ),
        ("status = 418", 'status = "teapot"', "errors.status", "allowed: an integer"),
        ('name = "Acme Media"', "", "provider", "missing name"),
        (
            '[[models]]\nid = "ear"',
            '[[models]]\nextends = ["x"]\nid = "ear"',
            "models[3].extends",
            "no usable group 'x'",
        ),
        (
            "price_per_megapixel = 2.0",
            'price_per_megapixel = "two"',
            "models[0].pricing.price_per_megapixel",
            "a number",
        ),
    ],
)
def test_a_broken_file_is_refused_with_line_key_and_what_is_allowed(old: str, new: str, key: str, says: str) -> None:
    text = ACME.replace(old, new, 1)
    assert text != ACME
    with pytest.raises(CatalogError) as caught:
        read_text(text, "acme.toml")
    error = caught.value
    assert (error.file, error.key) == ("acme.toml", key)
    assert says in error.message
    assert error.line is not None
    assert str(error).startswith(f"acme.toml:{error.line}: {key}: ")
    lines = text.splitlines()
    leaf = re.split(r"[.\[]", key)[-1].rstrip("]")
    assert new.split("\n")[-1] == "" or any(
        word in lines[error.line - 1] for word in (*new.split("\n"), leaf, "[[models", "[provider")
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[provider]\nid = acme\n", 2, "not valid TOML"),
        ('[provider]\nid = "a"\nname = "A"\n', 1, "no models"),
        ("", 1, "missing provider"),
        ('x = 1\n[provider]\nid = "a"\nname = "A"\n', 1, "unknown key"),
    ],
)
def test_what_is_no_catalog_file(text: str, line: int, says: str) -> None:
    with pytest.raises(CatalogError) as caught:
        read_text(text, "x.toml")
    assert (caught.value.line, says in caught.value.message) == (line, True)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match="not UTF-8"):
        Catalog.load([tmp_path])


@given(st.text(max_size=80))
def test_any_text_is_a_catalog_file_or_refused_as_one(text: str) -> None:
    with pytest.raises(CatalogError) as caught:
        read_text(text, "x.toml")
    assert caught.value.message


@given(st.sampled_from(ACME.splitlines()), st.sampled_from(["", "x = 1", "[models.x]", 'id = "y"', "}", "[[models]]"]))
def test_a_changed_line_is_taken_or_refused_with_a_line(line: str, new: str) -> None:
    text = "\n".join(new if one == line else one for one in ACME.splitlines())
    outcome: Any
    try:
        outcome = read_text(text, "x.toml")
    except CatalogError as error:
        outcome = error.line in range(1, len(text.splitlines()) + 2)
    assert outcome


def test_groups_may_extend_groups_but_not_themselves() -> None:
    head = '[provider]\nid = "a"\nname = "A"\n'
    model = '[[models]]\nid = "m"\nname = "M"\nextends = ["two"]\n'
    one = '[groups.one]\ntype = "stt"\ncapabilities = ["stt"]\nspeed = "fast"\n'
    two = '[groups.two]\nextends = ["one"]\nspeed = "slow"\n'
    (found,) = read_text(head + one + two + model, "a.toml")
    assert (found.type, found.speed) == ("stt", "slow")
    with pytest.raises(CatalogError, match="no usable group 'two'"):
        read_text(head + one + two.replace('["one"]', '["two"]') + model, "a.toml")
