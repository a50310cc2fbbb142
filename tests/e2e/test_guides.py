"""The examples of Opper's guides answer as the guides say, with only the base URL swapped.

What the guides leave open is put in: the key, `file_abc123`, `gen_XXX` and the URL of the completed response.
"""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import guides
from tests.e2e.clients import Answer, Client, words
from tests.e2e.decoding import frames, movie, png_size
from tests.e2e.media import photograph
from tests.e2e.server import PATIENCE, Server, serving

Run = Callable[..., Answer]


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that stands in for sources by URL that cannot be read."""
    with serving(tmp_path_factory.mktemp("lenient"), "--unreachable-sources", "placeholder") as server:
        yield server


@pytest.fixture
def run(shared: Server, client: Client, key: str, tmp_path: Path) -> Run:
    """Run an example on a server, with what it leaves open filled in."""
    (tmp_path / "cat.jpg").write_bytes(photograph())

    def sent(example: str, server: Server = shared, **open_ends: str) -> Answer:
        line = example.replace("https://api.opper.ai", server.url).replace("$OPPER_API_KEY", key)
        for name, value in open_ends.items():
            mark = {"file_id": "file_abc123", "job_id": "gen_XXX", "url": "<url-from-completed-response>"}[name]
            assert mark in line
            line = line.replace(mark, value)
        return client.run(words(line), tmp_path)

    return sent


def completed(run: Run, job_id: str) -> dict[str, Any]:
    limit = time.monotonic() + PATIENCE
    while (status := run(guides.VIDEO_POLL, job_id=job_id).json())["status"] == "processing":
        assert status["provider"] == "openai"
        assert status["model"] == "openai/sora-2"
        assert time.monotonic() < limit, status
        time.sleep(0.1)
    return dict(status)


def test_files_guide(run: Run, shared: Server) -> None:
    file_id = run(guides.FILES_UPLOAD).json()["id"]
    assert file_id.startswith("file_")
    job = run(guides.FILES_SEED_A_VIDEO, file_id=file_id).json(202)
    assert completed(run, job["id"])["status"] == "completed"


def test_images_guide(run: Run) -> None:
    before = time.time()
    made = run(guides.IMAGES_GENERATE).json()
    assert made["id"].startswith("img_")
    assert made["model"] == "openai/gpt-image-1"
    assert int(before) <= made["created"] <= time.time()
    (item,) = made["data"]
    assert item["b64_json"].startswith("iVBORw0KGgo")
    assert png_size(base64.b64decode(item["b64_json"])) == (1024, 1024)
    assert item["mime_type"] == "image/png"
    assert item["file_id"].startswith("file_")
    assert item["url"].startswith("http://")
    assert made["usage"]["images"] == 1
    assert isinstance(made["usage"]["cost"], float)

    edited = run(guides.IMAGES_EDIT, file_id=item["file_id"]).json()
    assert edited["data"][0]["b64_json"] != item["b64_json"]

    listed = {model["id"]: model for model in run(guides.IMAGES_MODELS).json()["models"]}
    assert {"image_generation", "image_edit"} <= set(listed["local/image"]["capabilities"])
    declared = [model["params"]["image"] for model in listed.values()]
    assert any("sizes" in image for image in declared)
    assert any("aspect_ratios" in image for image in declared)


def test_video_guide(run: Run, shared: Server, tmp_path: Path) -> None:
    job = run(guides.VIDEO_SUBMIT).json(202)
    assert job["id"].startswith("gen_")
    assert job["status_url"] == f"{shared.url}/v3/artifacts/{job['id']}/status"
    done = completed(run, job["id"])
    assert (done["status"], done["mime_type"]) == ("completed", "video/mp4")
    run(guides.VIDEO_DOWNLOAD, url=done["url"])
    mp4 = (tmp_path / "video.mp4").read_bytes()
    assert movie(mp4).seconds == pytest.approx(4, abs=0.05)
    assert (frames(mp4).width, frames(mp4).height) == (1280, 720)

    listed = {model["id"]: model for model in run(guides.VIDEO_MODELS).json()["models"]}
    assert {cap for model in listed.values() for cap in model["capabilities"]} == {
        "video_generation",
        "image_to_video",
        "video_editing",
    }
    limits = listed["pruna/wan-t2v"]["params"]["video"]
    assert {"aspect_ratios", "resolutions", "max_duration"} <= limits.keys()


def test_an_unreadable_source_is_refused_or_stood_in_for(run: Run, lenient: Server, shared: Server) -> None:
    """example.com has no cat.jpg, with or without a network."""
    error = run(guides.VIDEO_FROM_A_URL).json(400)["error"]
    assert error["code"] == "invalid_source"
    assert error["details"]["field"] == "image"
    assert "example.com" in error["message"]

    job = run(guides.VIDEO_FROM_A_URL, server=lenient).json(202)
    assert job["id"].startswith("gen_")
    assert job["warnings"]  # a stand-in is told


@pytest.mark.parametrize("model", guides.VIDEO_PARAMETERS)
def test_the_guide_s_parameters_are_taken(model: str, shared: Server, key: str) -> None:
    """Submitted and then cancelled: how long the making takes is not the question here."""
    body = {"model": model, "prompt": "a hot air balloon", "parameters": guides.VIDEO_PARAMETERS[model]}
    job = shared.post("/v3/videos", body, key=key)
    assert job.status_code == 202, job.text
    ended = shared.post(f"/v3/artifacts/{job.json()['id']}/cancel", key=key)
    assert ended.json()["status"] in ("failed", "completed")
