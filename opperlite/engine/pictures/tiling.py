"""Styles of pieces: pixels, triangles, stones, glass, stitches."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from opperlite.engine.pictures.noise import white
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.textures import edges_of, grain, median, noise_over, saturated, textured, widened


def pixel(image: Image.Image, seed: int) -> Image.Image:
    """Large square pixels in few colours."""
    cells = 88
    side = max(2, round(min(image.size) / cells))
    small = scaled(image, (max(1, image.width // side), max(1, image.height // side)), Image.Resampling.BOX)
    few = saturated(small, 1.2).quantize(28, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    return few.resize(image.size, Image.Resampling.NEAREST)


def lowpoly(image: Image.Image, seed: int) -> Image.Image:
    """Triangles of flat colour on a shaken grid."""
    step = max(6, round(min(image.size) / 26))
    columns, rows = image.width // step + 2, image.height // step + 2
    dice = white(seed, 2 * (rows + 1), columns + 1).astype(np.int64)
    px = (np.arange(columns + 1)[None, :] - 0.5) * step + (dice[: rows + 1] - 128) * step * 0.36 / 128
    py = (np.arange(rows + 1)[:, None] - 0.5) * step + (dice[rows + 1 :] - 128) * step * 0.36 / 128
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(step / 4)))
    out = image.copy()
    draw = ImageDraw.Draw(out)
    for row in range(rows):
        for column in range(columns):
            corners = [
                (round(float(px[j, i])), round(float(py[j, i])))
                for j, i in ((row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column))
            ]
            split = (0, 1, 2), (0, 2, 3)
            if (row + column) % 2:
                split = (0, 1, 3), (1, 2, 3)
            for number, triangle in enumerate(split):
                points = [corners[k] for k in triangle]
                cx = min(max(sum(x for x, _ in points) // 3, 0), image.width - 1)
                cy = min(max(sum(y for _, y in points) // 3, 0), image.height - 1)
                shift = (int(dice[row, column]) % 19 - 9) + (5 if number else -5)
                red, green, blue = (min(255, max(0, int(part) + shift)) for part in soft[cy, cx])
                draw.polygon(points, fill=(red, green, blue))
    return out


def mosaic(image: Image.Image, seed: int) -> Image.Image:
    """Small square stones with joints between."""
    step = max(4, round(min(image.size) / 64))
    columns, rows = -(-image.width // step), -(-image.height // step)
    small = np.asarray(scaled(image, (columns, rows), Image.Resampling.BOX), np.int32)
    dice = white(seed, rows, columns).astype(np.int32)
    small = np.clip(small + (dice % 41 - 20)[:, :, None], 0, 255)
    out = small.repeat(step, axis=0).repeat(step, axis=1)[: image.height, : image.width]
    x, y = np.arange(image.width)[None, :] % step, np.arange(image.height)[:, None] % step
    joint = max(1, step // 8)
    rim = np.where((x < joint) | (y < joint), -70, np.where((x < 2 * joint) | (y < 2 * joint), 22, 0))
    return Image.fromarray(np.clip(out + rim[:, :, None], 0, 255).astype(np.uint8))


def _cells(image: Image.Image, step: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """For each pixel the nearest of shaken grid points: its number, and by how much it is nearer than the second."""
    width, height = image.size
    columns, rows = width // step + 3, height // step + 3
    dice = white(seed, 2 * rows, columns).astype(np.int32)
    px = np.arange(columns, dtype=np.int32)[None, :] * step - step + dice[:rows] * step * 3 // 1024
    py = np.arange(rows, dtype=np.int32)[:, None] * step - step + dice[rows:] * step * 3 // 1024
    y, x = np.arange(height, dtype=np.int32)[:, None], np.arange(width, dtype=np.int32)[None, :]
    row, column = y // step + 1 + 0 * x, x // step + 1 + 0 * y
    best = np.full((height, width), 1 << 30, np.int32)
    second, owner = best.copy(), np.zeros((height, width), np.int32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            j, i = np.clip(row + dy, 0, rows - 1), np.clip(column + dx, 0, columns - 1)
            away = (x - px[j, i]) ** 2 + (y - py[j, i]) ** 2
            nearer = away < best
            second = np.where(nearer, best, np.minimum(second, away))
            owner = np.where(nearer, j * columns + i, owner)
            best = np.where(nearer, away, best)
    return owner, second - best, rows * columns


def _means(image: Image.Image, owner: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    pixels = np.asarray(image)
    flat = owner.ravel()
    sizes = np.maximum(np.bincount(flat, minlength=count), 1)
    sums = [np.bincount(flat, weights=pixels[:, :, channel].ravel(), minlength=count) for channel in range(3)]
    return np.stack([(total / sizes).astype(np.int64) for total in sums], axis=1)


_GLASSES: Final = 7
"""Colours of glass: more would outline shades of one thing."""


_SHARP: Final = 70
"""How strong an edge has to be for lead along it."""


def _contours(kinds: NDArray[np.uint8], sharp: NDArray[np.bool_], reach: int) -> NDArray[np.uint8]:
    """255 within `reach` pixels of where one kind of glass sharply meets another, 0 elsewhere."""
    edge = np.zeros(kinds.shape, np.uint8)
    edge[:, 1:] |= (kinds[:, 1:] != kinds[:, :-1]).view(np.uint8)
    edge[1:] |= (kinds[1:] != kinds[:-1]).view(np.uint8)
    lines = Image.fromarray(edge * sharp.view(np.uint8) * np.uint8(255))
    for _ in range(reach):
        lines = widened(lines)
    return np.asarray(lines)


def stained(image: Image.Image, seed: int) -> Image.Image:
    """Glass pieces in lead."""
    scale_ = 2 if min(image.size) >= 256 else 1
    small = image.reduce(scale_) if scale_ > 1 else image
    step = max(5, round(min(small.size) / 13))
    owner, gap, count = _cells(small, step, seed)
    vivid = saturated(small, 1.7)
    flat = median(vivid.filter(ImageFilter.BoxBlur(max(1, step // 12))))
    palette = flat.reduce(4).quantize(_GLASSES, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    kinds = flat.quantize(palette=palette, dither=Image.Dither.NONE)
    piece = owner * _GLASSES + np.asarray(kinds, np.int32)
    colours = np.clip(_means(vivid, piece, count * _GLASSES) * 9 // 8, 0, 255).astype(np.uint8)
    glass = scaled(Image.fromarray(colours[piece]), image.size, Image.Resampling.BILINEAR)
    lead = np.clip(255 - (gap - step) * 255 // max(1, step * 2), 0, 255).astype(np.uint8)
    # Shades that run into each other have no contour.
    sharp = np.asarray(widened(edges_of(flat, 1.0, 4))) > _SHARP
    np.maximum(lead, _contours(np.asarray(kinds), sharp, max(1, step // 16)), out=lead)
    shine = noise_over(image, seed + 2, 40, 40, 4)
    glass = textured(glass, shine, 60)
    glass.paste((16, 16, 20), (0, 0), scaled(Image.fromarray(lead), image.size))
    return glass


def stitch(image: Image.Image, seed: int) -> Image.Image:
    """Crosses of thread on linen."""
    step = max(6, round(min(image.size) / 76))
    columns, rows = -(-image.width // step), -(-image.height // step)
    small = scaled(image, (columns, rows), Image.Resampling.BOX).quantize(32, dither=Image.Dither.NONE).convert("RGB")
    colours = np.asarray(small, np.int32).repeat(step, axis=0).repeat(step, axis=1)[: image.height, : image.width]
    x, y = np.arange(image.width)[None, :] % step, np.arange(image.height)[:, None] % step
    one, two = np.abs(x - y), np.abs(x + y - step + 1)
    half = max(1, step // 4)
    thread = np.where(one <= half, 14 - one * 26 // half, np.where(two <= half, -8 - two * 26 // half, -1000))
    linen = np.asarray(textured(Image.new("RGB", image.size, (232, 222, 200)), grain(image, seed), 16), np.int32)
    out = np.where((thread > -1000)[:, :, None], colours + thread[:, :, None], linen * 7 // 8)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
