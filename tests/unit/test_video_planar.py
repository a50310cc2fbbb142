from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from opperlite.engine.clips import planar_scene
from opperlite.engine.clips.planar import PlanarCanvas, PlanarImage, colour_of
from opperlite.engine.clips.video_writer import ColorConverter
from opperlite.engine.pictures import scene
from tests.unit.video_samples import photograph, psnr

PROMPTS = [
    "two balloons over the sea at sunset",
    "a red house in snowy mountains at night",
    "a cat in a rainy city street",
    "foggy autumn forest with a horse",
    "a sailboat on a lake at dawn",
    "fish under water",
    "a storm with lightning over a desert",
    "a rocket in space",
    "aurora over pine trees",
    "abstract shapes",
    "a cup in a room",
    "a hot air balloon over green hills at dawn",
    "a castle in a meadow",
]


def shown(frame: object) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return frame.to_ndarray(  # type: ignore[attr-defined, no-any-return]
        format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
    )


@pytest.mark.parametrize("prompt", PROMPTS)
def test_planes_look_as_the_rgb_scene(prompt: str) -> None:
    renderer = scene.compose(prompt).renderer(256, 144)
    assert planar_scene.paints(renderer.layers)
    planes = planar_scene.PlanarScene([*renderer.layers], 256, 144)
    for time in (0.0, 2.3, 17.9, 0.4, 0.0):
        # Later on RGB moves by whole pixels, planes by halves.
        assert psnr(shown(planes.frame(time)), renderer.frame(time)) > (23 if time else 29)


def test_things_move_by_less_than_a_pixel() -> None:
    renderer = scene.compose("a hot air balloon in the sky").renderer(256, 144)
    planes = planar_scene.PlanarScene([*renderer.layers], 256, 144)
    frames = [np.asarray(shown(planes.frame(1 + index / 60)), int) for index in range(60)]
    changed = [bool(np.abs(b - a).max()) for a, b in pairwise(frames)]
    coarse = [np.asarray(renderer.frame(1 + index / 60), int) for index in range(60)]
    assert sum(changed) > sum(bool(np.abs(b - a).max()) for a, b in pairwise(coarse))


@pytest.mark.parametrize("place", [(10, 8), (11, 8), (10, 9), (11, 9), (-7, -5), (60, 50)])
def test_paste_matches_rgb_at_odd_and_even_places(place: tuple[int, int]) -> None:
    ground = Image.fromarray(photograph(80, 64))
    disc = Image.new("RGBA", (31, 27), (0, 0, 0, 0))
    y, x = np.mgrid[0:27, 0:31]
    alpha = np.clip((13 - np.hypot(x - 15, y - 13)) * 60, 0, 255).astype(np.uint8)
    disc.paste((220, 40, 40, 255), (0, 0, 31, 27))
    disc.putalpha(Image.fromarray(alpha))
    canvas = PlanarCanvas(80, 64)
    PlanarImage.of(ground).paste(canvas, 0, 0)
    PlanarImage.of(disc, *place).paste(canvas, *place)
    ground.paste(disc, place, disc)
    assert psnr(shown(canvas.frame()), shown(ColorConverter()(np.asarray(ground)))) > 33


def test_shifted_picture_lies_between_two_places() -> None:
    image = Image.fromarray(photograph(64, 32)).convert("RGBA")
    planes = PlanarImage.of(image, moving=True)
    still, moved = np.asarray(planes.luma.values, int), np.asarray(planes.luma.shifted(0.5).values, int)
    assert np.abs(moved[:, 1:] - (still[:, 1:] + still[:, :-1]) / 2).max() <= 1


def test_transparent_pixels_do_not_bleed_into_edges() -> None:
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((250, 250, 250, 255), (8, 8, 24, 24))
    canvas = PlanarCanvas(64, 64)
    white = colour_of((250, 250, 250))
    canvas.fill(white, 0, 0, 64, 64)
    planes = PlanarImage.of(image, moving=True)
    planes.luma.shifted(0.5).paste(canvas.luma, 10, 10)
    planes.paste(canvas, 30, 30)
    for plane, value in zip((canvas.luma, *canvas.chroma), white, strict=True):
        assert np.abs(np.asarray(plane, int) - value).max() <= 2


@pytest.mark.parametrize("width", [64, 96, 130])
def test_frame_holds_what_is_on_the_canvas(width: int) -> None:
    picture = photograph(width, 50)
    canvas = PlanarCanvas(width, 50)
    PlanarImage.of(Image.fromarray(picture)).paste(canvas, 0, 0)
    assert psnr(shown(canvas.frame()), picture) > 35
    again = PlanarCanvas.of(canvas.frame())
    np.testing.assert_array_equal(np.asarray(again.luma), np.asarray(canvas.luma))


def test_unknown_layers_are_not_taken() -> None:
    class Other:
        def paint(self, canvas: Image.Image, time: float) -> None: ...

    renderer = scene.compose("a lake").renderer(64, 48)
    assert not planar_scene.paints([*renderer.layers, Other()])
    assert not planar_scene.paints(renderer.layers[1:])
    assert not planar_scene.paints([])
