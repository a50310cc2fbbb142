"""A session from an upload to a transcript, offline, by requests and by curl; files checked by independent decoders."""

import base64
import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from tests.e2e.clients import Answer, Client
from tests.e2e.decoding import difference, frames, loudness, movie, mp3_seconds, picture, png_size, probed
from tests.e2e.media import photograph
from tests.e2e.server import PATIENCE, Server

SENTENCE = "The quick brown fox jumps over the lazy dog."


class Session:
    """One caller of one server."""

    def __init__(self, server: Server, client: Client, key: str, folder: Path) -> None:
        self._server = server
        self._client = client
        self._bearer = ["-H", f"Authorization: Bearer {key}"]
        self.folder = folder

    def ask(self, path: str, *options: str, keyless: bool = False) -> Answer:
        """`options` are curl's; a keyless request carries no Authorization."""
        url = path if path.startswith("http") else self._server.url + path
        return self._client.run([*options, url, *([] if keyless else self._bearer)], self.folder)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        return self.ask(path, "-sX", "POST", "-H", "Content-Type: application/json", "-d", json.dumps(body))

    def get(self, path: str) -> Any:
        return self.ask(path, "-s").json()

    def read(self, url: str) -> bytes:
        """The bytes behind a signed link, without a key."""
        answer = self.ask(url, "-s", keyless=True)
        assert answer.status == 200, answer
        return answer.body

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        (self.folder / name).write_bytes(data)
        return dict(self.ask("/v3/files", "-sX", "POST", "-F", f"file=@{name}").json())

    def image(self, **fields: Any) -> dict[str, Any]:
        body = {"model": "openai/gpt-image-1", "prompt": "a lighthouse on a cliff at dawn", "size": "1024x1024"}
        return dict(self.post("/v3/images", body | fields).json())


@pytest.fixture
def session(shared: Server, client: Client, key: str, tmp_path: Path) -> Session:
    return Session(shared, client, key, tmp_path)


def test_files_are_uploaded_listed_read_and_deleted(session: Session) -> None:
    jpeg = photograph()
    file = session.upload("cat.jpg", jpeg)
    assert file["id"].startswith("file_")
    assert (file["bytes"], file["filename"], file["mime_type"]) == (len(jpeg), "cat.jpg", "image/jpeg")

    page = session.get("/v3/files")
    assert [entry["id"] for entry in page["data"]] == [file["id"]]
    assert page["meta"]["total"] == 1
    assert session.get(f"/v3/files/{file['id']}") == file

    content = session.get(f"/v3/files/{file['id']}/content")
    assert (content["bytes"], content["mime_type"]) == (len(jpeg), "image/jpeg")
    assert session.read(content["url"]) == jpeg
    head = session.ask(content["url"], "-sI", keyless=True)
    assert (head.status, head.headers["content-length"]) == (200, str(len(jpeg)))
    part = session.ask(content["url"], "-s", "-H", "Range: bytes=10-19", keyless=True)
    assert (part.status, part.body) == (206, jpeg[10:20])

    gone = session.ask(f"/v3/files/{file['id']}", "-sX", "DELETE")
    assert (gone.status, gone.body) == (204, b"")
    for path in (f"/v3/files/{file['id']}", content["url"]):
        answer = session.ask(path, "-s")
        assert answer.json(404)["error"]["code"] == "not_found"
    assert session.get("/v3/files")["meta"]["total"] == 0


def test_images_are_made_edited_and_kept(session: Session) -> None:
    made = session.image()
    (item,) = made["data"]
    png = base64.b64decode(item["b64_json"])
    assert png_size(png) == picture(png).size == (1024, 1024)
    assert session.read(item["url"]) == png
    assert made["usage"]["images"] == 1
    assert base64.b64decode(session.image()["data"][0]["b64_json"]) == png  # the same request makes the same bytes

    edited = session.image(image=item["file_id"], prompt="the same by night, in heavy snow", response_format="url")
    assert "b64_json" not in edited["data"][0]
    other = session.read(edited["data"][0]["url"])
    assert picture(other).size == (1024, 1024)
    assert difference(png, other) > 2

    several = session.image(n=4, size="1536x1024", store=False)["data"]
    assert len({entry["b64_json"] for entry in several}) == 4
    for entry in several:
        assert png_size(base64.b64decode(entry["b64_json"])) == (1536, 1024)
        assert not {"file_id", "url"} & entry.keys()
    assert session.get("/v3/files")["meta"]["total"] == 3


def test_an_edit_keeps_what_the_mask_protects(session: Session) -> None:
    """The mask's transparent half is what may change (OpenAI's rule for masks)."""
    source = session.image()["data"][0]
    held = BytesIO()
    mask = Image.new("RGBA", (1024, 1024), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (512, 0, 1024, 1024))
    mask.save(held, "PNG")
    mask_id = session.upload("mask.png", held.getvalue())["id"]
    reference = session.upload("reference.jpg", photograph())["id"]
    fields = {"image": source["file_id"], "mask": mask_id, "reference_images": [reference]}
    edited = picture(
        base64.b64decode(session.image(prompt="a large red hot air balloon", **fields)["data"][0]["b64_json"])
    )
    before = picture(base64.b64decode(source["b64_json"]))

    def changed(box: tuple[int, int, int, int]) -> float:
        halves = []
        for image in (before, edited):
            half = BytesIO()
            image.convert("RGB").crop(box).save(half, "PNG")
            halves.append(half.getvalue())
        return difference(halves[0], halves[1])

    assert changed((0, 0, 480, 1024)) == 0
    assert changed((544, 0, 1024, 1024)) > 2


def test_a_video_grows_out_of_an_image(session: Session) -> None:
    image = session.image(response_format="url")["data"][0]["file_id"]
    body = {
        "model": "openai/sora-2",
        "prompt": "the lamp of the lighthouse turns",
        "image": image,
        "parameters": {"seconds": "4", "size": "1280x720"},
    }
    job = session.post("/v3/videos", body).json(202)
    assert job["status_url"].endswith(f"/v3/artifacts/{job['id']}/status")
    status, seen = session.get(job["status_url"]), set()
    limit = time.monotonic() + PATIENCE
    while status["status"] == "processing":
        assert (status["provider"], status["model"]) == ("openai", "openai/sora-2")
        assert time.monotonic() < limit, status
        seen.add(status["progress"])
        time.sleep(0.05)
        status = session.get(job["status_url"])
    assert status["status"] == "completed", status
    assert status["mime_type"] == "video/mp4"
    assert len(seen) > 2  # progress is told while the work goes on
    assert 100 not in seen

    mp4 = session.read(status["url"])
    boxes = movie(mp4)
    assert boxes.order[0] == "ftyp"
    assert boxes.streams_at_once
    assert boxes.seconds == pytest.approx(4, abs=0.05)
    shown = frames(mp4)
    assert (shown.width, shown.height, shown.form) == (1280, 720, "yuv420p")
    assert shown.count == boxes.tracks["vide"] == 120
    assert shown.motion > 0.2
    assert loudness(mp4)[0] == pytest.approx(4, abs=0.1)

    path = session.folder / "made.mp4"
    path.write_bytes(mp4)
    if probe := probed(path):
        codecs = {stream["codec_type"]: stream for stream in probe["streams"]}
        assert (codecs["video"]["codec_name"], codecs["video"]["nb_read_frames"]) == ("h264", "120")
        assert codecs["audio"]["codec_name"] == "aac"
        assert float(probe["format"]["duration"]) == pytest.approx(4, abs=0.05)


def test_speech_is_heard_and_transcribed(session: Session) -> None:
    speech = session.post("/v3/audio/speech", {"model": "openai/tts-1", "input": SENTENCE, "voice": "alloy"}).json()
    assert speech["usage"]["characters"] == len(SENTENCE)
    assert speech["audio"]["mime_type"] == "audio/mpeg"
    mp3 = base64.b64decode(speech["audio"]["b64_json"])
    assert session.read(speech["audio"]["url"]) == mp3
    seconds = mp3_seconds(mp3)
    assert 1.5 < seconds < 6  # nine words
    decoded, level = loudness(mp3)
    assert decoded == pytest.approx(seconds, abs=0.1)
    assert level > 0.01
    path = session.folder / "speech.mp3"
    path.write_bytes(mp3)
    if probe := probed(path):
        assert [stream["codec_name"] for stream in probe["streams"]] == ["mp3"]

    body = {"model": "openai/whisper-1", "audio": speech["audio"]["file_id"]}
    heard = session.post("/v3/audio/transcriptions", body).json()
    assert heard["text"] == SENTENCE
    assert heard["duration"] == pytest.approx(seconds, abs=0.1)
    assert " ".join(segment["text"].strip() for segment in heard["segments"]) == SENTENCE
    assert [word["word"].strip(".").lower() for word in heard["words"]] == SENTENCE.strip(".").lower().split()
    times = [time for word in heard["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= heard["duration"]


def test_models_documents_and_docs_need_no_network(session: Session, shared: Server) -> None:
    for path, types in (
        ("/v3/models", {"image", "video", "tts", "stt"}),
        ("/v3/images/models", {"image"}),
        ("/v3/videos/models", {"video"}),
        ("/v3/audio/models", {"tts", "stt"}),
    ):
        listed = session.get(f"{path}?limit=500")
        assert {model["type"] for model in listed["models"]} == types
        assert listed["total"] == len(listed["models"])
    assert session.ask("/health", "-s", keyless=True).json() == {"status": "ok"}

    as_json = session.ask("/v3/openapi.json", "-s", keyless=True).json()
    as_yaml = session.ask("/v3/openapi.yaml", "-s", keyless=True)
    assert as_yaml.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(as_yaml.body) == as_json
    assert {"/v3/files", "/v3/images", "/v3/videos", "/v3/audio/speech", "/v3/audio/transcriptions"} <= set(
        as_json["paths"]
    )

    page = session.ask("/docs", "-s", keyless=True).body.decode()
    assets = [part.partition('"')[0] for mark in ('src="', 'href="') for part in page.split(mark)[1:]]
    assert len(assets) >= 2
    for asset in assets:
        assert asset.startswith("/docs/"), f"{asset} is not served by the server itself"
        assert session.ask(asset, "-s", keyless=True).status == 200
    assert "https://" not in page.replace(shared.url, "")
