"""The packages that people have already, unmodified, against a real process: only the base URL is another."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.media import large_wave
from tests.e2e.server import Server, serving

openai = pytest.importorskip("openai")
opperai = pytest.importorskip("opperai")

# The packages' own, for what vendors have ended.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

IMAGE = "local/image"
CLIP: dict[str, Any] = {"model": "local/video", "seconds": "1", "size": "64x64"}


@pytest.fixture
def client(shared: Server, key: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{shared.url}/v1", api_key=key, max_retries=0) as opened:
        yield opened


@pytest.fixture
async def opper(shared: Server, key: str) -> AsyncIterator[Any]:
    opened = opperai.Opper(base_url=shared.url, api_key=key)
    yield opened
    await close(opened)


async def close(opper: Any) -> None:
    """Close what the package itself leaves open."""
    if opper._client._sync_client is not None:
        opper._client._sync_client.close()
    if opper._client._async_client is not None:
        await opper._client._async_client.aclose()


@pytest.fixture(scope="module")
def spoken(shared: Server) -> bytes:
    """A recording that the server made."""
    with openai.OpenAI(base_url=f"{shared.url}/v1", api_key="sdks") as client:
        return client.audio.speech.create(
            model="gpt-4o-mini-tts", input="The quick brown fox. It jumps.", voice="alloy", response_format="wav"
        ).read()


@pytest.fixture(scope="module")
def drawn(shared: Server) -> bytes:
    """A picture that the server made."""
    with openai.OpenAI(base_url=f"{shared.url}/v1", api_key="sdks") as client:
        made = client.images.generate(model=IMAGE, prompt="a red fox", size="128x128")
        return base64.b64decode(made.data[0].b64_json)


def size_of(data: bytes) -> tuple[str, tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.format or "", picture.size


# ------------------------------------------------------------------------------------------ openai: files


def test_a_file_goes_through_its_life(client: Any) -> None:
    expiry = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("train.jsonl", b'{"a": 1}\n'), purpose="fine-tune", expires_after=expiry)
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", 9, "train.jsonl", "fine-tune")
    assert made.expires_at - made.created_at == 3600
    assert client.files.wait_for_processing(made.id).status == "processed"
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == b'{"a": 1}\n'
    assert client.files.delete(made.id).deleted
    for gone in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            gone(made.id)


def test_250_files_are_paged_through_to_the_end(client: Any) -> None:
    for number in range(250):
        client.files.create(file=(f"{number}.txt", b"x"), purpose="even" if number % 2 == 0 else "odd")
    assert [file.filename for file in client.files.list(limit=60)] == [f"{n}.txt" for n in reversed(range(250))]
    assert [file.filename for file in client.files.list(purpose="odd", order="asc", limit=50)] == [
        f"{n}.txt" for n in range(1, 250, 2)
    ]
    page = client.files.list(purpose="even", limit=1)
    assert page.has_more
    assert page.model_extra["total"] == 125


def test_files_deleted_while_they_are_listed_do_not_end_the_list(client: Any) -> None:
    for number in range(7):
        client.files.create(file=(f"{number}.txt", b"x"), purpose="p")
    assert sum(client.files.delete(file.id).deleted for file in client.files.list(limit=3)) == 7
    assert list(client.files.list()) == []


def test_a_hundred_megabytes_go_up_and_down(client: Any, tmp_path: Path) -> None:
    size = 100_000_000
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.writelines(large_wave(size))
    made = client.files.create(file=path, purpose="user_data")
    assert made.bytes == size
    with client.files.with_streaming_response.content(made.id) as reply, path.open("rb") as sent:
        for piece in reply.iter_bytes(1 << 20):
            assert piece == sent.read(len(piece))
        assert sent.read() == b""


# ---------------------------------------------------------------------------------- openai: images, audio


def test_images_are_generated(client: Any) -> None:
    made = client.images.generate(model="gpt-image-2", prompt="a red fox", size="1024x640", quality="low", n=2)
    assert [size_of(base64.b64decode(image.b64_json)) for image in made.data] == [("PNG", (1024, 640))] * 2
    assert (made.size, made.quality, made.output_format, made.background) == ("1024x640", "low", "png", "opaque")
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens


def test_the_models_that_answer_links_answer_links(client: Any, shared: Server) -> None:
    made = client.images.generate(model="dall-e-3", prompt="a red fox")
    assert made.data[0].b64_json is None
    assert size_of(shared.download(made.data[0].url)) == ("PNG", (1024, 1024))


def test_images_are_edited(client: Any, drawn: bytes) -> None:
    whole = client.images.edit(model=IMAGE, prompt="in winter", image=("a.png", drawn, "image/png"))
    assert size_of(base64.b64decode(whole.data[0].b64_json)) == ("PNG", (1024, 1024))
    mask = io.BytesIO()
    Image.new("RGBA", (128, 128), (0, 0, 0, 0)).save(mask, "PNG")
    several = client.images.edit(
        model=IMAGE,
        prompt="in winter",
        image=[("a.png", drawn, "image/png"), ("b.png", drawn, "image/png")],
        mask=("mask.png", mask.getvalue(), "image/png"),
    )
    assert size_of(base64.b64decode(several.data[0].b64_json)) == ("PNG", (1024, 1024))


def test_images_come_as_a_stream(client: Any, drawn: bytes) -> None:
    events = list(client.images.generate(model=IMAGE, prompt="a fox", size="96x64", stream=True, partial_images=2))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [size_of(base64.b64decode(event.b64_json))[1] for event in events] == [(96, 64)] * 3
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert len({event.b64_json for event in events}) == 3
    edits = client.images.edit(model=IMAGE, prompt="in winter", image=("a.png", drawn), stream=True, partial_images=1)
    assert [event.type for event in edits] == ["image_edit.partial_image", "image_edit.completed"]


def test_speech_comes_as_bytes_and_as_a_stream(client: Any, tmp_path: Path) -> None:
    reply = client.audio.speech.create(model="tts-1", input="Hello.", voice="nova", response_format="flac", speed=1.5)
    assert reply.response.headers["content-type"] == "audio/flac"
    assert reply.read()[:4] == b"fLaC"
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", input="Hello.", voice="alloy"
    ) as whole:
        whole.stream_to_file(tmp_path / "speech.mp3")
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", input="Hello.", voice="alloy", stream_format="sse"
    ) as stream:
        events = [line[6:] for line in stream.iter_lines() if line.startswith("data: ")]
    told = [json.loads(event) for event in events]
    assert [event["type"] for event in told] == ["speech.audio.delta"] * (len(told) - 1) + ["speech.audio.done"]
    audio = b"".join(base64.b64decode(event["audio"]) for event in told[:-1])
    assert audio == (tmp_path / "speech.mp3").read_bytes()


def test_recordings_are_written_down_in_every_form(client: Any, spoken: bytes) -> None:
    def written(form: str, **more: Any) -> Any:
        file = ("fox.wav", spoken, "audio/wav")
        return client.audio.transcriptions.create(model="whisper-1", file=file, response_format=form, **more)

    text = written("json").text
    assert text == "The quick brown fox. It jumps."
    assert written("json").usage.type == "duration"
    assert written("text") == f"{text}\n"
    assert written("srt").startswith("1\n00:00:00,")
    assert written("vtt").startswith("WEBVTT\n\n00:00:00.")
    verbose = written("verbose_json", timestamp_granularities=["segment", "word"], language="en", temperature=0)
    assert (verbose.language, verbose.text) == ("english", text)
    assert " ".join(segment.text for segment in verbose.segments) == text
    assert len(verbose.words) == 6
    assert written("verbose_json", timestamp_granularities=["word"]).segments is None
    assert written("verbose_json").words is None


def test_speakers_are_named(client: Any, spoken: bytes) -> None:
    said = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("fox.wav", spoken),
        response_format="diarized_json",
        chunking_strategy="auto",
        known_speaker_names=["narrator"],
        known_speaker_references=["data:audio/wav;base64," + base64.b64encode(spoken).decode()],
    )
    assert {segment.speaker for segment in said.segments} == {"narrator"}


def test_transcriptions_come_as_a_stream(client: Any, spoken: bytes) -> None:
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("fox.wav", spoken), stream=True)
    events = list(stream)
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == "The quick brown fox. It jumps."
    assert events[-1].type == "transcript.text.done"


def test_english_is_translated_to_english(client: Any, spoken: bytes) -> None:
    said = client.audio.translations.create(model="whisper-1", file=("fox.wav", spoken), response_format="verbose_json")
    assert (said.language, said.text) == ("english", "The quick brown fox. It jumps.")


# ----------------------------------------------------------------------------------------- openai: videos


def test_a_video_goes_through_its_life(client: Any, shared: Server, key: str) -> None:
    made = client.videos.create_and_poll(prompt="a kite", **CLIP)
    assert (made.status, made.progress, made.seconds, made.size) == ("completed", 100, "1", "64x64")
    assert (made.prompt, made.error) == ("a kite", None)
    clip = client.videos.download_content(made.id).read()
    assert clip[4:8] == b"ftyp"
    assert size_of(client.videos.download_content(made.id, variant="thumbnail").read())[0] == "WEBP"
    assert size_of(client.videos.download_content(made.id, variant="spritesheet").read())[0] == "JPEG"
    artifact = shared.get(f"/v3/artifacts/gen_{made.id.removeprefix('video_')}/status", key=key).json()
    assert shared.download(artifact["url"]) == clip
    remix = client.videos.poll(client.videos.remix(made.id, prompt="in winter").id)
    assert (remix.status, remix.remixed_from_video_id, remix.seconds) == ("completed", made.id, "1")
    own = {"extra_body": {"model": "local/video"}}
    edited = client.videos.edit(prompt="in sepia", video=("kite.mp4", clip, "video/mp4"), **own)
    longer = client.videos.extend(prompt="it flies away", seconds="4", video=("kite.mp4", clip), **own)
    assert client.videos.poll(edited.id).status == "completed"
    assert client.videos.poll(longer.id).seconds == "5"
    assert [video.id for video in client.videos.list(limit=2)] == [longer.id, edited.id, remix.id, made.id]
    assert client.videos.list(order="asc", limit=1).data[0].id == made.id
    assert client.videos.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(made.id)


def test_a_video_begins_with_a_picture(client: Any, drawn: bytes) -> None:
    made = client.videos.create(
        prompt="it runs", model="local/video", seconds="1", size="128x128", input_reference=("fox.png", drawn)
    )
    assert client.videos.poll(made.id).status == "completed"
    with pytest.raises(openai.BadRequestError, match="must match the requested width and height"):
        client.videos.create(prompt="it runs", model="sora-2", size="720x1280", input_reference=("fox.png", drawn))


def test_the_default_video_model_is_the_packages_own(client: Any) -> None:
    made = client.videos.create(prompt="a kite")
    assert (made.model, made.seconds, made.size) == ("sora-2", "4", "720x1280")
    assert made.status in ("queued", "in_progress")
    assert client.videos.delete(made.id).deleted


def test_models_are_listed_and_found(client: Any) -> None:
    listed = {model.id for model in client.models.list()}
    assert {"openai/sora-2", "openai/gpt-image-2", "vertexai/veo-3.1-generate-001"} <= listed
    for name in ("sora-2", "openai/sora-2"):
        assert client.models.retrieve(name).id == name


# ----------------------------------------------------------------------------------------- openai: errors


def test_errors_are_the_packages_own_classes(client: Any, shared: Server, key: str) -> None:
    cases: list[tuple[type[Exception], int, str | None, Any]] = [
        (openai.BadRequestError, 400, "prompt", lambda: client.images.generate(model=IMAGE, prompt="")),
        (
            openai.BadRequestError,
            400,
            "size",
            lambda: client.images.generate(model="gpt-image-2", prompt="x", size="1"),
        ),
        (openai.NotFoundError, 404, "model", lambda: client.images.generate(model="none", prompt="x")),
        (openai.NotFoundError, 404, None, lambda: client.files.retrieve("file-1")),
        (openai.NotFoundError, 404, None, lambda: client.videos.retrieve("video_1")),
        (openai.BadRequestError, 400, None, lambda: client.videos.create_character(name="x", video=b"x")),
        (openai.BadRequestError, 400, "image", lambda: client.images.edit(model=IMAGE, prompt="x", image=b"no image")),
        (openai.NotFoundError, 404, None, lambda: client.post("/chat/completions", body={}, cast_to=object)),
        (
            openai.AuthenticationError,
            401,
            None,
            lambda: client.models.list(extra_headers={"Authorization": "Basic x"}),
        ),
    ]
    for kind, status, param, ask in cases:
        with pytest.raises(kind) as caught:
            ask()
        error = caught.value
        assert isinstance(error, openai.APIStatusError)
        assert (error.status_code, error.param) == (status, param), error.body
        assert isinstance(error.body, dict)
        assert set(error.body) == {"message", "type", "param", "code"}
        assert error.request_id is not None
        assert error.request_id.startswith("req_")


def test_another_body_under_the_same_key_is_unprocessable(client: Any) -> None:
    once = {"extra_headers": {"Idempotency-Key": "one"}}
    client.files.create(file=b"a", purpose="p", **once)
    with pytest.raises(openai.UnprocessableEntityError):
        client.files.create(file=b"b", purpose="p", **once)


def test_a_conflict_is_tried_again_until_the_first_answer_is_there(shared: Server, key: str) -> None:
    once = {"extra_headers": {"Idempotency-Key": "one"}}
    asked = {"model": "gpt-image-2", "prompt": "a red fox", "size": "1536x1024", "n": 3, **once}
    with openai.OpenAI(base_url=f"{shared.url}/v1", api_key=key, max_retries=8) as client:
        replies: list[Any] = []
        both = [threading.Thread(target=lambda: replies.append(client.images.generate(**asked))) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert len(replies) == 2
    assert replies[0].data == replies[1].data


async def test_too_many_jobs_and_too_large_files_are_told_apart(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--jobs", "1", "--max-queued-jobs", "1", "--max-file-size", "1KiB") as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as client,
    ):
        made = client.videos.create(prompt="a kite", model="local/video", seconds="60", size="1920x1080")
        with pytest.raises(openai.RateLimitError) as caught:
            client.videos.create(prompt="a kite", model="local/video", seconds="60", size="1920x1080")
        assert caught.value.response.headers["retry-after"] == "5"
        opper = opperai.Opper(base_url=server.url, api_key="k")
        with pytest.raises(opperai.RateLimitError):
            opper.generate_video(prompt="x", model="local/video")
        await close(opper)
        client.videos.delete(made.id)
        with pytest.raises(openai.APIStatusError) as large:
            client.files.create(file=bytes(2000), purpose="p")
        assert large.value.status_code == 413


async def test_the_asynchronous_client_does_the_same(shared: Server, key: str, spoken: bytes, drawn: bytes) -> None:
    async with openai.AsyncOpenAI(base_url=f"{shared.url}/v1", api_key=key, max_retries=0) as client:
        file = await client.files.create(file=("a.txt", b"x"), purpose="p")
        assert (await client.files.content(file.id)).read() == b"x"
        assert [one.id async for one in client.files.list()] == [file.id]
        image, edit, speech, said, clip = await asyncio.gather(
            client.images.generate(model=IMAGE, prompt="a fox", size="64x64"),
            client.images.edit(model=IMAGE, prompt="in winter", image=("a.png", drawn)),
            client.audio.speech.create(model="tts-1", input="Hello.", voice="alloy"),
            client.audio.transcriptions.create(model="whisper-1", file=("fox.wav", spoken)),
            client.videos.create_and_poll(prompt="a kite", **CLIP),
        )
        assert size_of(base64.b64decode(image.data[0].b64_json))[1] == (64, 64)
        assert edit.data[0].b64_json
        assert len(await speech.aread()) > 1000
        assert said.text.startswith("The quick")
        assert clip.status == "completed"
        stream = await client.images.generate(model=IMAGE, prompt="a fox", size="64x64", stream=True)
        assert [event.type async for event in stream] == ["image_generation.completed"]


# ------------------------------------------------------------------------------------------------ opperai


def test_opper_makes_images(opper: Any, tmp_path: Path) -> None:
    made = opper.generate_image(prompt="a red fox", model="openai/gpt-image-1", size="1024x1024", quality="standard")
    assert made.meta["image_gen_calls"] == 1
    assert made.meta["models_used"] == ["openai/gpt-image-1"]
    path = made.save(str(tmp_path / "fox"))
    assert path.endswith(".png")
    changed = opper.generate_image(prompt="in winter", reference_image=path, mime_type="image/jpeg", size="128x128")
    assert changed.save(str(tmp_path / "winter")).endswith((".jpg", ".jpeg"))


def test_opper_speaks_and_listens(opper: Any, tmp_path: Path) -> None:
    path = opper.text_to_speech(text="The quick brown fox.", voice="nova").save(str(tmp_path / "fox"))
    assert path.endswith(".mp3")
    said = opper.transcribe("my stt/name", audio=path, language="en", model="openai/whisper-1")
    assert said.data == {"text": "The quick brown fox.", "language": "en"}
    assert said.meta["function_name"] == "my stt/name"


def test_opper_makes_videos(opper: Any, tmp_path: Path) -> None:
    model = ["none/such", {"name": "local/video", "options": {"duration": 0.5, "size": "64x64"}}]
    made = opper.generate_video("my/vid name", prompt="a kite", model=model, poll_interval=0.1)
    assert made.save(str(tmp_path / "kite")).endswith(".mp4")
    assert (tmp_path / "kite.mp4").read_bytes()[4:8] == b"ftyp"
    artifact = made.meta["pending_operations"][0]
    assert opper.artifacts.get_status(artifact["id"]).status == "completed"


def test_opper_streams(opper: Any, spoken: bytes) -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    audio = base64.b64encode(spoken).decode()
    chunks = list(opper.stream("stt", input={"audio": audio}, output_schema=schema))
    assert [chunk.delta for chunk in chunks if hasattr(chunk, "delta")] == ["The quick brown fox. It jumps."]
    assert chunks[-1].data["text"] == "The quick brown fox. It jumps."


def test_opper_lists_models_and_tells_its_health(opper: Any) -> None:
    assert {model.type for model in opper.models.list(type="tts").models} == {"tts"}
    assert [model.id for model in opper.models.list(q="veo-3.1", provider="vertexai", limit=1).models]
    assert opper.system.health().status == "ok"


async def test_opper_does_the_same_asynchronously(opper: Any, spoken: bytes) -> None:
    model = {"name": "local/video", "options": {"duration": 0.5, "size": "64x64"}}
    image, speech, said, clip = await asyncio.gather(
        opper.generate_image_async(prompt="a fox", size="64x64"),
        opper.text_to_speech_async(text="Hello."),
        opper.transcribe_async(audio=spoken),
        opper.generate_video_async(prompt="a kite", model=model, poll_interval=0.1),
    )
    assert size_of(base64.b64decode(image.data["image"]))[1] == (64, 64)
    assert speech.data["mime_type"] == "audio/mpeg"
    assert said.data["text"].startswith("The quick")
    assert base64.b64decode(clip.data["video"])[4:8] == b"ftyp"
    assert (await opper.system.health_async()).status == "ok"


async def test_opper_knows_the_errors(opper: Any, shared: Server, key: str) -> None:
    text = {"type": "object", "properties": {"answer": {"type": "string"}}}
    with pytest.raises(opperai.BadRequestError, match="makes media"):
        opper.call("ask", input="Why?", output_schema=text)
    with pytest.raises(opperai.BadRequestError, match="makes media"):
        opper.call("ask", input="Why?", model="openai/gpt-5")
    with pytest.raises(opperai.BadRequestError, match="video model"):
        opper.generate_image(prompt="a fox", model="openai/sora-2")
    with pytest.raises(opperai.NotFoundError):
        opper.artifacts.get_status("gen_unknown")
    unknown = opperai.Opper(base_url=shared.url, api_key=key, headers={"Authorization": "Basic x"})
    with pytest.raises(opperai.AuthenticationError):
        unknown.generate_image(prompt="a fox")
    await close(unknown)


# What the packages' introductions show for media, as one program that knows nothing of where it runs.
PROGRAM = """
from openai import OpenAI
from opperai import Opper

opper = Opper()
print(opper.generate_image(prompt="A sunset over the sea", size="256x256").save("sunset"))
print(opper.text_to_speech(text="Hello, world.", voice="alloy").save("hello"))
print(opper.transcribe(audio="hello.mp3").data["text"])
small = {"name": "local/video", "options": {"duration": 0.5, "size": "64x64"}}
print(opper.generate_video(prompt="A kite", model=small).save("kite"))

client = OpenAI()
image = client.images.generate(model="gpt-image-2", prompt="A cat with a hat", size="1024x640", quality="low")
print(len(image.data))
with client.audio.speech.with_streaming_response.create(model="tts-1", voice="coral", input="Today is good.") as made:
    made.stream_to_file("speech.mp3")
with open("speech.mp3", "rb") as file:
    print(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file).text)
"""


def test_programs_run_with_only_their_environment_changed(shared: Server, key: str, tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPPER", "OPENAI_"))}
    address = {"OPPER_BASE_URL": shared.url, "OPENAI_BASE_URL": f"{shared.url}/v1"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=own | address | {"OPPER_API_KEY": key, "OPENAI_API_KEY": key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.splitlines() == [
        "sunset.png",
        "hello.mp3",
        "Hello, world.",
        "kite.mp4",
        "1",
        "Today is good.",
    ], ran.stderr
