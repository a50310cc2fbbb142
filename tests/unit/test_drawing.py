"""What pictures are drawn with: quick filters against Pillow's own, outlines by themselves and many at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from opperlite.engine.pictures import bands, gradients, raster, textures

sides = st.integers(1, 40)
seeds = st.integers(0, 1 << 30)


@given(sides, sides, seeds)
def test_median_is_pillows(width: int, height: int, seed: int) -> None:
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))
    expected = image.filter(ImageFilter.MedianFilter(3))
    assert textures.median(image).tobytes() == expected.tobytes()


@given(sides, sides, seeds)
def test_widened_lines_are_pillows(width: int, height: int, seed: int) -> None:
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8))
    assert textures.widened(image).tobytes() == image.filter(ImageFilter.MaxFilter(3)).tobytes()


points = st.tuples(st.floats(-30, 90), st.floats(-30, 90))
outlines = st.lists(points, min_size=3, max_size=9).map(np.array)


@given(st.lists(st.lists(outlines, min_size=1, max_size=3), min_size=1, max_size=4))
def test_shapes_are_covered_the_same_alone_and_together(shapes: list[list[raster.Outline]]) -> None:
    together = raster.coverages(shapes, 60, 50)
    for shape, found in zip(shapes, together, strict=True):
        alone = raster.coverage(shape, 60, 50)
        if alone is None or found is None:
            assert alone is found
        else:
            assert alone[1] == found[1]
            assert np.array_equal(alone[0], found[0])


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 30), st.integers(1, 30))
def test_a_rectangle_covers_its_own_pixels(left: int, top: int, width: int, height: int) -> None:
    box = np.array(((left, top), (left + width, top), (left + width, top + height), (left, top + height)), np.float64)
    canvas = Image.new("L", (60, 60))
    raster.fill(canvas, [box], (255,))
    expected = np.zeros((60, 60), np.uint8)
    expected[top : top + height, left : left + width] = 255
    assert np.array_equal(np.asarray(canvas), expected)


@given(st.lists(st.floats(0, 40), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 10))
def test_an_edge_covers_what_lies_below_the_outline(heights: list[float], rows: int, foot: int) -> None:
    cover = np.asarray(bands.edge(np.array(heights), rows, rows + foot), np.float64)
    full = np.vstack((cover, np.full((rows + foot - len(cover), len(heights)), 255.0)))
    below = np.minimum(heights, rows) + foot
    assert np.abs(full.sum(axis=0) / 255.0 - below).max() < 0.02


@given(sides, sides)
def test_what_is_enlarged_has_the_size_asked_for(width: int, height: int) -> None:
    small = gradients.column(*gradients.half(width, height), [(0.0, (10, 20, 30)), (1.0, (200, 180, 160))])
    large = np.asarray(gradients.enlarged(small, width, height))
    assert large.shape == (height, width, 3)
    assert np.array_equal(large[::2, ::2], np.asarray(small))
