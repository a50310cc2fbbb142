"""Requests inside a model's published limits become media of exactly that size, ratio, length and rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from opperlite.adapters.offline_tasks import MakeImages, MakeVideo, perform
from opperlite.domain.models import Catalog, plan_image, plan_video, settle_image, settle_video
from opperlite.domain.ports import Made, Sources
from opperlite.domain.types import ImageRequest, Media, Source, VideoRequest

CATALOG = Catalog.load()


def made(outcome: Any) -> list[Made]:
    assert isinstance(outcome, list)
    return outcome


@pytest.mark.parametrize(
    ("model", "members", "size", "format_"),
    [
        ("openai/gpt-image-1", {"size": "1536x1024", "parameters": {"output_format": "jpeg"}}, (1536, 1024), "JPEG"),
        ("openai/gpt-image-2", {"size": "1280x720", "parameters": {"output_format": "webp"}}, (1280, 720), "WEBP"),
        ("openai/dall-e-3", {"aspect_ratio": "9:16"}, (1024, 1792), "PNG"),
        ("xai/grok-imagine-image", {"aspect_ratio": "20:9"}, (1520, 684), "JPEG"),
        ("vertexai/imagen-4.0-fast-generate-001-eu", {"aspect_ratio": "16:9"}, (1408, 768), "PNG"),
        ("vertexai/gemini-3.1-flash-image", {"quality": "low", "aspect_ratio": "1:8"}, (192, 1536), "PNG"),
        ("pruna/p-image", {"size": "1440x256"}, (1440, 256), "JPEG"),
        ("local/image", {"size": "64x101"}, (64, 101), "PNG"),
    ],
)
def test_pictures(model: str, members: dict[str, Any], size: tuple[int, int], format_: str, tmp_path: Path) -> None:
    found = CATALOG.find(model, "image")
    plan = settle_image(found, plan_image(found, ImageRequest(model=model, prompt="a red boat", **members)), {})
    (one,) = made(perform(MakeImages(plan, Sources(), tmp_path, "test"), lambda _: None))
    with Image.open(one.path) as picture:
        assert (picture.size, picture.format) == (size, format_)


@pytest.mark.parametrize(
    ("model", "parameters", "size", "rate", "frames", "sound"),
    [
        ("openai/sora-2", {"seconds": "4", "size": "1280x720"}, (1280, 720), 30, 120, True),
        ("xai/grok-imagine-video", {"duration": 1, "aspect_ratio": "2:3"}, (480, 720), 24, 24, True),
        (
            "vertexai/veo-3.1-fast-generate-001",
            {"durationSeconds": 4, "generateAudio": False},
            (1280, 720),
            24,
            96,
            False,
        ),
        ("pruna/wan-t2v", {"frames_per_second": 5}, (832, 480), 5, 81, False),
        ("pruna/p-video", {"duration": 1, "fps": 48, "aspect_ratio": "1:1"}, (720, 720), 48, 48, True),
        ("local/video", {"duration": 0.5, "fps": 12, "size": "64x100"}, (64, 100), 12, 6, True),
    ],
)
def test_clips(
    model: str, parameters: dict[str, Any], size: tuple[int, int], rate: int, frames: int, sound: bool, tmp_path: Path
) -> None:
    found = CATALOG.find(model, "video")
    request = VideoRequest(model=model, prompt="a red boat", parameters=parameters)
    plan = settle_video(found, plan_video(found, request), {})
    (one,) = made(perform(MakeVideo(plan, Sources(), tmp_path), lambda _: None))
    with av.open(str(one.path)) as container:
        (stream,) = container.streams.video
        assert (stream.width, stream.height) == size
        assert stream.average_rate == rate
        assert stream.frames == frames
        assert bool(container.streams.audio) is sound


def test_an_extension_goes_on_after_its_source(tmp_path: Path) -> None:
    local = CATALOG.find("local/video", "video")
    parameters = {"duration": 1, "fps": 12, "size": "128x72"}
    plan = plan_video(local, VideoRequest(model=local.id, prompt="a red boat", parameters=parameters))
    (source,) = made(perform(MakeVideo(plan, Sources(), tmp_path), lambda _: None))
    veo = CATALOG.find("vertexai/veo-3.1-generate-001", "video")
    video = Source(form="file", value="file_x", field="video")
    request = VideoRequest(model=veo.id, prompt="it sails away", video=video, parameters={"durationSeconds": 4})
    media: dict[str, list[Media]] = {"video": [source.media]}
    longer = settle_video(veo, plan_video(veo, request), media)
    assert (longer.width, longer.height, longer.fps, longer.frames) == (128, 72, 12, 60)
    folder = tmp_path / "longer"
    folder.mkdir()
    (result,) = made(perform(MakeVideo(longer, Sources(video=source.path), folder), lambda _: None))
    assert (result.media.width, result.media.height, result.media.frames) == (128, 72, 60)
