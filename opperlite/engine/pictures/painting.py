"""Styles of hand and brush: watercolour, oil, ink, pencil, wax, dabs, woodcut, cut paper."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from opperlite.engine.pictures.noise import white
from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.textures import (
    PAPER,
    at_part,
    bordered,
    displaced,
    edges_of,
    grain,
    lightness,
    median,
    noise_over,
    saturated,
    shaded,
    textured,
    toned,
    unit_of,
)


def _flattened(image: Image.Image) -> Image.Image:
    """Small detail gone, contours kept."""
    return median(median(image))


def watercolour(image: Image.Image, seed: int) -> Image.Image:
    """Washes with dark rims on rough paper, the border left open."""
    unit = unit_of(image)
    flat = at_part(image, 3, lambda small: saturated(_flattened(small), 1.2))
    flat = displaced(flat, seed, 5.0 * unit)
    wash = Image.blend(flat, Image.new("RGB", image.size, PAPER), 0.12)
    rims = edges_of(flat, unit, 3).filter(ImageFilter.BoxBlur(unit)).point([value // 4 for value in range(256)])
    wash.paste((58, 54, 72), (0, 0), rims)
    pools = toned(noise_over(image, seed, 90 * unit, 90 * unit, 4), 70)
    tooth = toned(noise_over(image, seed + 1, 4 * unit, 4 * unit, 2), 34)
    return bordered(shaded(wash, ImageChops.add(pools, tooth, 1, -128)), seed, 0.055)


def oil(image: Image.Image, seed: int) -> Image.Image:
    """Thick strokes: the picture's colours dabbed along a flow, with relief."""
    unit = unit_of(image)
    flat = at_part(image, 3, lambda small: saturated(_flattened(small), 1.18))
    height, width = flat.height, flat.width
    flow = np.asarray(noise_over(image, seed, 140 * unit, 140 * unit, 2)).astype(np.int32) - 128
    y, x = np.arange(height, dtype=np.int32)[:, None], np.arange(width, dtype=np.int32)[None, :]
    # Along the flow strokes are long, across it they are thin; each stroke takes the colour of its own middle.
    along, across = max(6, round(15 * unit)), max(3, round(5 * unit))
    u = x + (flow * round(24 * unit) >> 7)
    v = y + (flow * round(60 * unit) >> 7)
    row = v // across
    u = u + (row * 7919 % along)
    column = u // along
    deep = v - row * across
    centre_x = np.clip(x - (u - column * along) + along // 2, 0, width - 1)
    centre_y = np.clip(y - deep + across // 2, 0, height - 1)
    dabs = np.frombuffer(flat.convert("RGBA").tobytes(), np.uint32).take(centre_y * width + centre_x)
    painted = Image.frombytes("RGBA", flat.size, dabs.tobytes()).convert("RGB")
    dice = white(seed + 3, 128, 128).ravel().take((row & 127) * 128 + (column & 127)).astype(np.int32) - 128
    shift = Image.fromarray((137 + (dice * 9 >> 7) - deep * 18 // across).astype(np.uint8))
    painted = ImageChops.add(painted, Image.merge("RGB", (shift, shift, shift)), 1, -128)
    return Image.blend(painted, flat, 0.3)


def line(image: Image.Image, seed: int) -> Image.Image:
    """Black contours on white paper."""
    unit = unit_of(image)
    drawn = displaced(edges_of(image, unit * 0.9, 7).convert("RGB"), seed, 2.2 * unit)
    paper = Image.new("RGB", image.size, (252, 251, 248))
    strokes = (
        drawn.getchannel(0).filter(ImageFilter.BoxBlur(0.5)).point([min(255, value * 5 // 4) for value in range(256)])
    )
    paper.paste((24, 24, 30), (0, 0), strokes)
    return paper


def sketch(image: Image.Image, seed: int) -> Image.Image:
    """Pencil: soft contours and hatching in the shadows."""
    unit = unit_of(image)
    grey = ImageOps.autocontrast(lightness(image), cutoff=1)
    x, y = np.arange(image.width)[None, :], np.arange(image.height)[:, None]
    wobble = np.asarray(noise_over(image, seed, 24 * unit, 24 * unit, 3), np.int32)
    pitch = max(4, round(5 * unit)) * 8
    first = np.abs(((x + y) * 8 + wobble // 3) % pitch - pitch // 2) * 510 // pitch
    second = np.abs(((x - y) * 8 + wobble // 3) % pitch - pitch // 2) * 510 // pitch
    tone = np.asarray(grey, np.int32)
    shade = np.clip((190 - tone) * 2 - first, 0, 130) + np.clip((96 - tone) * 2 - second, 0, 110)
    contour = np.asarray(edges_of(image, unit * 0.8, 5), np.int32)
    tooth = np.asarray(grain(image, seed), np.int32)
    ink = np.clip((shade + contour * 4 // 5 + (200 - tone) // 6) * (200 + tooth // 3) // 256, 0, 235)
    paper = Image.new("RGB", image.size, PAPER)
    paper.paste((44, 44, 50), (0, 0), Image.fromarray(ink.astype(np.uint8)))
    return paper


def woodcut(image: Image.Image, seed: int) -> Image.Image:
    """Ink lines cut along the light, on warm paper."""
    unit = unit_of(image)
    tone = np.asarray(ImageOps.autocontrast(lightness(image), cutoff=2).filter(ImageFilter.BoxBlur(unit)), np.int32)
    wobble = np.asarray(noise_over(image, seed, 50 * unit, 120 * unit, 3), np.int32) - 128
    pitch = max(5, round(8 * unit)) * 16
    y, x = np.arange(image.height)[:, None], np.arange(image.width)[None, :]
    stripes = np.abs((y * 16 + x * 2 + wobble * round(unit * 2)) % pitch - pitch // 2) * 510 // pitch
    ink = np.clip((250 - tone - stripes) * 5, 0, 255)
    ink = np.where(tone < 44, 255, ink)
    contour = np.asarray(edges_of(image, unit, 7), np.int32)
    paper = saturated(at_part(image, 3, lambda small: _few(small, 8)), 0.9)
    paper = Image.blend(paper, Image.new("RGB", image.size, (240, 226, 194)), 0.55)
    paper.paste((34, 28, 30), (0, 0), Image.fromarray(np.maximum(ink * 4 // 5, contour).astype(np.uint8)))
    return paper


def poster(image: Image.Image, seed: int) -> Image.Image:
    """Few flat colours, as if cut from paper."""
    return textured(
        at_part(image, 2, lambda small: _few(_flattened(saturated(small, 1.2)), 11)), grain(image, seed), 12
    )


def _few(image: Image.Image, count: int) -> Image.Image:
    """The picture in its most telling colours, without dither."""
    return image.quantize(count, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")


def points(image: Image.Image, seed: int) -> Image.Image:
    """Dabs of pure colour side by side."""
    unit = unit_of(image)
    out = Image.blend(image.filter(ImageFilter.BoxBlur(6 * unit)), Image.new("RGB", image.size, PAPER), 0.45)
    for number in range(2):
        step = max(4, round((9 - 2 * number) * unit))
        columns, rows = image.width // step + 1, image.height // step + 1
        dice = white(seed + number, rows * 3, columns).astype(np.int32)
        colours = np.asarray(scaled(saturated(image, 1.5), (columns, rows), Image.Resampling.BOX), np.int32)
        shift = np.stack([(dice[k * rows : (k + 1) * rows] - 128) * 26 // 128 for k in range(3)], axis=2)
        dabs = np.clip(colours + shift, 0, 255).astype(np.uint8)
        y, x = np.arange(image.height)[:, None], np.arange(image.width)[None, :]
        offset = number * step // 2
        j, i = np.minimum((y + offset) // step, rows - 1), np.minimum((x + offset) // step, columns - 1)
        cx = (x + offset) % step - step // 2 + (dice[:rows][j, i] - 128) * step // 700
        cy = (y + offset) % step - step // 2 + (dice[rows : 2 * rows][j, i] - 128) * step // 700
        mask = np.clip((step * step * 46 // 256 - (cx * cx + cy * cy)) * 640 // (step * step) + 128, 0, 255).astype(
            np.uint8
        )
        out.paste(Image.fromarray(dabs[j, i]), (0, 0), Image.fromarray(mask))
    return out


def crayon(image: Image.Image, seed: int) -> Image.Image:
    """Wax strokes that leave the paper showing."""
    unit = unit_of(image)
    flat = displaced(at_part(image, 3, lambda small: saturated(_flattened(small), 1.35)), seed, 6 * unit)
    few = flat.copy()
    x, y = np.arange(image.width)[None, :], np.arange(image.height)[:, None]
    wobble = np.asarray(noise_over(image, seed, 30 * unit, 30 * unit, 3), np.int32)
    pitch = max(4, round(4 * unit)) * 8
    streak = np.abs(((x * 2 + y * 3) * 4 + wobble) % pitch - pitch // 2) * 255 // pitch
    tooth = np.asarray(noise_over(image, seed + 5, 3 * unit, 3 * unit, 2), np.int32)
    mask = np.clip((streak + tooth - 150) * 2, 0, 150).astype(np.uint8)
    few.paste(PAPER, (0, 0), Image.fromarray(mask))
    few.paste((50, 44, 60), (0, 0), edges_of(flat, unit, 4).point([value // 2 for value in range(256)]))
    return few
