"""Styles: filters that redraw a finished picture in another manner.

Each takes RGB pixels and a seed and gives RGB pixels of the same size; the same seed gives the same strokes, so that
the frames of a clip hold still.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from opperlite.engine.noise import smooth, white
from opperlite.engine.pixels import Pixels

Filter = Callable[[Image.Image, int], Image.Image]

PAPER: Final = (247, 243, 234)


def apply(pixels: Pixels, style: str, seed: int = 0) -> Pixels:
    """The picture in a style; names that are no filter leave it as it is."""
    draw = FILTERS.get(style)
    if draw is None:
        return pixels
    colours = np.ascontiguousarray(pixels[:, :, :3])
    out = np.array(draw(Image.fromarray(colours), seed))
    return np.dstack((out, pixels[:, :, 3])) if pixels.shape[2] == 4 else out


def _unit(image: Image.Image) -> float:
    """What strokes are measured by: 1 at a 512 pixel side."""
    return max(0.5, min(image.size) / 512.0)


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


def _edges(image: Image.Image, reach: float, gain: int) -> Image.Image:
    """Where lightness changes: 0 on flat ground, up to 255 on edges."""
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(max(0.6, reach * 0.7))), np.int16)
    out = np.zeros(soft.shape[:2], np.int16)
    across = np.abs(soft[:, 2:] - soft[:, :-2]).max(axis=2)
    down = np.abs(soft[2:] - soft[:-2]).max(axis=2)
    np.maximum(out[:, 1:-1], across, out=out[:, 1:-1])
    np.maximum(out[1:-1], down, out=out[1:-1])
    return Image.fromarray(np.clip((out - 9) * gain, 0, 255).astype(np.uint8))


def _small(image: Image.Image, factor: int, draw: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Work at a fraction of the size: soft filters cost a fraction and look the same."""
    if min(image.size) < 96 or factor == 1:
        return draw(image)
    return draw(image.reduce(factor)).resize(image.size, Image.Resampling.BICUBIC)


def _noise(image: Image.Image, seed: int, tall: float, wide: float, octaves: int = 3) -> Image.Image:
    width, height = image.size
    rows, columns = max(2, height // 2), max(2, width // 2)
    small = Image.fromarray(smooth(seed, rows, columns, (max(1.5, tall / 2), max(1.5, wide / 2)), octaves))
    return small.resize(image.size, Image.Resampling.BILINEAR)


def grain(image: Image.Image, seed: int) -> Image.Image:
    """Independent bytes of the picture's size, from a repeated tile."""
    width, height = image.size
    tile = Image.fromarray(white(seed, min(height, 512), min(width, 512)))
    if tile.size == image.size:
        return tile
    out = Image.new("L", image.size)
    for top in range(0, height, tile.height):
        for left in range(0, width, tile.width):
            out.paste(tile, (left, top))
    return out


def textured(image: Image.Image, texture: Image.Image, strength: int) -> Image.Image:
    """Lighten and darken by a texture about 128."""
    table = [128 + (value - 128) * strength // 128 for value in range(256)]
    shade = texture.point(table)
    return ImageChops.overlay(image, Image.merge("RGB", (shade, shade, shade)))


def watercolour(image: Image.Image, seed: int) -> Image.Image:
    """Washes with dark rims on rough paper, the border left open."""
    unit = _unit(image)
    flat = _small(image, 2, lambda small: small.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.MedianFilter(5)))
    flat = saturated(_displaced(flat, seed, 5.0 * unit), 1.2)
    wash = Image.blend(flat, Image.new("RGB", image.size, PAPER), 0.12)
    rims = _edges(flat, unit, 3).filter(ImageFilter.BoxBlur(unit)).point([value // 4 for value in range(256)])
    wash.paste((58, 54, 72), (0, 0), rims)
    wash = textured(wash, _noise(image, seed, 90 * unit, 90 * unit, 4), 70)
    wash = textured(wash, _noise(image, seed + 1, 4 * unit, 4 * unit, 2), 34)
    return _bordered(wash, seed, 0.055)


def _bordered(image: Image.Image, seed: int, share: float) -> Image.Image:
    """Fade to paper at a torn edge."""
    width, height = image.size
    reach = share * min(image.size)
    x = np.minimum(np.arange(width), np.arange(width)[::-1])[None, :]
    y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    away = np.minimum(x, y).astype(np.float64)
    rough = np.asarray(_noise(image, seed + 7, reach * 2, reach * 2, 4), np.float64)
    mask = np.clip((reach * (0.35 + rough / 200.0) - away) * 400.0 / max(1.0, reach), 0, 255).astype(np.uint8)
    image.paste(PAPER, (0, 0), Image.fromarray(mask))
    return image


def _displaced(image: Image.Image, seed: int, reach: float) -> Image.Image:
    """Move pixels along smooth noise: straight edges become hand-drawn."""
    width, height = image.size
    sides = [np.asarray(_noise(image, seed + 11 + k, reach * 9, reach * 9, 3), np.int32) - 128 for k in (0, 1)]
    x = np.clip(np.arange(width)[None, :] + sides[0] * round(reach * 16) // 2048, 0, width - 1)
    y = np.clip(np.arange(height)[:, None] + sides[1] * round(reach * 16) // 2048, 0, height - 1)
    return Image.fromarray(np.asarray(image)[y, x])


def oil(image: Image.Image, seed: int) -> Image.Image:
    """Thick strokes: the picture's colours dabbed along a flow, with relief."""
    unit = _unit(image)
    flat = _small(image, 2, lambda small: small.filter(ImageFilter.MedianFilter(5)))
    height, width = flat.height, flat.width
    source = np.asarray(flat)
    flow = np.asarray(_noise(image, seed, 140 * unit, 140 * unit, 2), np.int32) - 128
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    # Along the flow strokes are long, across it they are thin; each stroke takes the colour of its own middle.
    along, across = max(6, round(15 * unit)), max(3, round(5 * unit))
    u = x + (flow * round(24 * unit) >> 7)
    v = y + (flow * round(60 * unit) >> 7)
    row = v // across
    u = u + (row * 7919 % along)
    column = u // along
    centre_x = np.clip(x - (u - column * along) + along // 2, 0, width - 1)
    centre_y = np.clip(y - (v - row * across) + across // 2, 0, height - 1)
    dabs = source[centre_y, centre_x].astype(np.int32)
    dice = white(seed + 3, 128, 128)[row % 128, column % 128].astype(np.int32) - 128
    relief = (v - row * across) * 26 // across - 13
    out = np.clip(dabs + (dice * 12 // 128 - relief)[:, :, None], 0, 255).astype(np.uint8)
    painted = Image.blend(Image.fromarray(out), flat, 0.3)
    return saturated(painted, 1.18)


def pixel(image: Image.Image, seed: int) -> Image.Image:
    """Large square pixels in few colours."""
    cells = 88
    side = max(2, round(min(image.size) / cells))
    small = image.resize((max(1, image.width // side), max(1, image.height // side)), Image.Resampling.BOX)
    few = saturated(small, 1.2).quantize(28, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    return few.resize(image.size, Image.Resampling.NEAREST)


def blueprint(image: Image.Image, seed: int) -> Image.Image:
    """White lines and a grid on blue."""
    unit = _unit(image)
    paper = Image.new("RGB", image.size, (22, 66, 132))
    grid = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(grid)
    step = max(6, round(16 * unit))
    for number, x in enumerate(range(0, image.width, step)):
        draw.line((x, 0, x, image.height), fill=70 if number % 5 == 0 else 30)
    for number, y in enumerate(range(0, image.height, step)):
        draw.line((0, y, image.width, y), fill=70 if number % 5 == 0 else 30)
    paper.paste((150, 190, 240), (0, 0), grid)
    tone = ImageOps.autocontrast(_grey(image)).point([value // 6 for value in range(256)])
    paper.paste((120, 170, 230), (0, 0), tone)
    paper.paste((236, 244, 255), (0, 0), _edges(image, unit, 5))
    return textured(paper, _noise(image, seed, 60 * unit, 60 * unit, 4), 30)


def line(image: Image.Image, seed: int) -> Image.Image:
    """Black contours on white paper."""
    unit = _unit(image)
    drawn = _displaced(_edges(image, unit * 0.9, 7).convert("RGB"), seed, 2.2 * unit)
    paper = Image.new("RGB", image.size, (252, 251, 248))
    strokes = (
        drawn.getchannel(0).filter(ImageFilter.BoxBlur(0.5)).point([min(255, value * 5 // 4) for value in range(256)])
    )
    paper.paste((24, 24, 30), (0, 0), strokes)
    return paper


def sketch(image: Image.Image, seed: int) -> Image.Image:
    """Pencil: soft contours and hatching in the shadows."""
    unit = _unit(image)
    grey = ImageOps.autocontrast(_grey(image), cutoff=1)
    x, y = np.arange(image.width)[None, :], np.arange(image.height)[:, None]
    wobble = np.asarray(_noise(image, seed, 24 * unit, 24 * unit, 3), np.int32)
    pitch = max(4, round(5 * unit)) * 8
    first = np.abs(((x + y) * 8 + wobble // 3) % pitch - pitch // 2) * 510 // pitch
    second = np.abs(((x - y) * 8 + wobble // 3) % pitch - pitch // 2) * 510 // pitch
    tone = np.asarray(grey, np.int32)
    shade = np.clip((190 - tone) * 2 - first, 0, 130) + np.clip((96 - tone) * 2 - second, 0, 110)
    contour = np.asarray(_edges(image, unit * 0.8, 5), np.int32)
    tooth = np.asarray(grain(image, seed), np.int32)
    ink = np.clip((shade + contour * 4 // 5 + (200 - tone) // 6) * (200 + tooth // 3) // 256, 0, 235)
    paper = Image.new("RGB", image.size, PAPER)
    paper.paste((44, 44, 50), (0, 0), Image.fromarray(ink.astype(np.uint8)))
    return paper


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


def film(image: Image.Image, seed: int) -> Image.Image:
    """An analogue photograph: grain, a soft glow, lifted blacks and darker corners."""
    unit = _unit(image)
    glow = _small(image, 4, lambda small: small.filter(ImageFilter.BoxBlur(3 * unit)))
    out = ImageChops.screen(image, glow.point([max(0, value - 150) * 2 // 3 for value in range(256)] * 3))
    curve = [round(14 + value * 0.915 + 18 * (value / 255) * (1 - value / 255)) for value in range(256)]
    warm = (
        [min(255, value + 4) for value in curve] + curve + [max(0, value - 6 + (255 - value) // 22) for value in curve]
    )
    return vignette(textured(out.point(warm), grain(image, seed).filter(ImageFilter.BoxBlur(0.5)), 40), seed)


def vignette(image: Image.Image, seed: int, strength: int = 120) -> Image.Image:
    """Darken the corners."""
    mask = Image.radial_gradient("L").point([max(0, value - 110) * strength // 145 for value in range(256)])
    image = image.copy()
    image.paste((8, 8, 14), (0, 0), mask.resize(image.size, Image.Resampling.BILINEAR))
    return image


def sepia(image: Image.Image, seed: int) -> Image.Image:
    """A brown and faded old print."""
    toned = ImageOps.colorize(
        ImageOps.autocontrast(_grey(image), cutoff=1), (44, 28, 16), (250, 236, 206), (172, 132, 88)
    )
    return vignette(textured(toned, grain(image, seed), 22), seed)


def mono(image: Image.Image, seed: int) -> Image.Image:
    """Black and white with full contrast."""
    return ImageOps.autocontrast(_grey(image), cutoff=(1, 1)).convert("RGB")


def comic(image: Image.Image, seed: int) -> Image.Image:
    """Flat inks, dots in the half tones, bold contours."""
    unit = _unit(image)
    flat = _small(image, 2, lambda small: small.filter(ImageFilter.MedianFilter(5)))
    few = saturated(flat, 1.5).point([min(255, round(value / 51) * 51) for value in range(256)] * 3)
    pitch = max(5, round(8 * unit))
    x, y = np.arange(image.width)[None, :], np.arange(image.height)[:, None]
    u, v = (x + y) % pitch - pitch // 2, (x - y) % pitch - pitch // 2
    away = (u * u + v * v) * 512 // (pitch * pitch)
    tone = np.asarray(_grey(flat), np.int32)
    dots = np.where(away < (205 - tone), 66, 0).clip(0, 255).astype(np.uint8)
    few.paste((30, 24, 60), (0, 0), Image.fromarray(dots))
    few.paste((12, 12, 20), (0, 0), _edges(flat, unit, 9).filter(ImageFilter.MaxFilter(3)))
    return few


def neon(image: Image.Image, seed: int) -> Image.Image:
    """Glowing contours in the dark."""
    unit = _unit(image)
    edges = _edges(image, unit, 6)
    x = np.linspace(0, 255, image.width).astype(np.uint8)[None, :].repeat(image.height, axis=0)
    ramp = ImageChops.add(Image.fromarray(x), _noise(image, seed, 200 * unit, 200 * unit, 2), scale=2)
    colours = ImageOps.colorize(ramp, (255, 44, 168), (40, 240, 255), (150, 80, 255))
    dark = image.point(
        [value * 84 // 255 for value in range(256)] * 2 + [min(255, value * 120 // 255 + 18) for value in range(256)]
    )
    lamp = Image.new("RGB", image.size)
    lamp.paste(colours, (0, 0), edges)
    halo = _small(
        lamp, 4, lambda small: small.filter(ImageFilter.BoxBlur(2.5 * unit)).filter(ImageFilter.BoxBlur(2.5 * unit))
    )
    return ImageChops.screen(
        ImageChops.screen(dark, halo.point([min(255, value * 2) for value in range(256)] * 3)), lamp
    )


def mosaic(image: Image.Image, seed: int) -> Image.Image:
    """Small square stones with joints between."""
    step = max(4, round(min(image.size) / 64))
    columns, rows = -(-image.width // step), -(-image.height // step)
    small = np.asarray(image.resize((columns, rows), Image.Resampling.BOX), np.int32)
    dice = white(seed, rows, columns).astype(np.int32)
    small = np.clip(small + (dice % 41 - 20)[:, :, None], 0, 255)
    out = small.repeat(step, axis=0).repeat(step, axis=1)[: image.height, : image.width]
    x, y = np.arange(image.width)[None, :] % step, np.arange(image.height)[:, None] % step
    joint = max(1, step // 8)
    rim = np.where((x < joint) | (y < joint), -70, np.where((x < 2 * joint) | (y < 2 * joint), 22, 0))
    return Image.fromarray(np.clip(out + rim[:, :, None], 0, 255).astype(np.uint8))


def _cells(image: Image.Image, step: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """For each pixel the nearest of shaken grid points: its number, and by how much it is nearer than the second."""
    width, height = image.size
    columns, rows = width // step + 3, height // step + 3
    dice = white(seed, 2 * rows, columns).astype(np.int64)
    px = np.arange(columns)[None, :] * step - step + dice[:rows] * step // 256
    py = np.arange(rows)[:, None] * step - step + dice[rows:] * step // 256
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    row, column = y // step + 1 + 0 * x, x // step + 1 + 0 * y
    best = np.full((height, width), 1 << 40, np.int64)
    second, owner = best.copy(), np.zeros((height, width), np.int64)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            j, i = np.clip(row + dy, 0, rows - 1), np.clip(column + dx, 0, columns - 1)
            away = (x - px[j, i]) ** 2 + (y - py[j, i]) ** 2
            nearer = away < best
            second = np.where(nearer, best, np.minimum(second, away))
            owner = np.where(nearer, j * columns + i, owner)
            best = np.where(nearer, away, best)
    return owner, second - best, rows * columns


def _means(image: Image.Image, owner: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    pixels = np.asarray(image)
    flat = owner.ravel()
    sizes = np.maximum(np.bincount(flat, minlength=count), 1)
    sums = [np.bincount(flat, weights=pixels[:, :, channel].ravel(), minlength=count) for channel in range(3)]
    return np.stack([(total / sizes).astype(np.int64) for total in sums], axis=1)


def stained(image: Image.Image, seed: int) -> Image.Image:
    """Glass pieces in lead."""
    scale_ = 2 if min(image.size) >= 256 else 1
    small = image.reduce(scale_) if scale_ > 1 else image
    step = max(5, round(min(small.size) / 25))
    owner, gap, count = _cells(small, step, seed)
    colours = np.clip(_means(saturated(small, 1.7), owner, count) * 9 // 8, 0, 255).astype(np.uint8)
    glass = Image.fromarray(colours[owner]).resize(
        image.size, Image.Resampling.NEAREST if scale_ == 1 else Image.Resampling.BILINEAR
    )
    lead = np.clip(255 - (gap - step) * 255 // max(1, step * 2), 0, 255).astype(np.uint8)
    shine = _noise(image, seed + 2, 40, 40, 4)
    glass = textured(glass, shine, 60)
    glass.paste((16, 16, 20), (0, 0), Image.fromarray(lead).resize(image.size, Image.Resampling.BICUBIC))
    return glass


def woodcut(image: Image.Image, seed: int) -> Image.Image:
    """Ink lines cut along the light, on warm paper."""
    unit = _unit(image)
    tone = np.asarray(ImageOps.autocontrast(_grey(image), cutoff=2).filter(ImageFilter.BoxBlur(unit)), np.int32)
    wobble = np.asarray(_noise(image, seed, 50 * unit, 120 * unit, 3), np.int32) - 128
    pitch = max(5, round(8 * unit)) * 16
    y, x = np.arange(image.height)[:, None], np.arange(image.width)[None, :]
    stripes = np.abs((y * 16 + x * 2 + wobble * round(unit * 2)) % pitch - pitch // 2) * 510 // pitch
    ink = np.clip((250 - tone - stripes) * 5, 0, 255)
    ink = np.where(tone < 44, 255, ink)
    contour = np.asarray(_edges(image, unit, 7), np.int32)
    paper = saturated(image.quantize(8, dither=Image.Dither.NONE).convert("RGB"), 0.9)
    paper = Image.blend(paper, Image.new("RGB", image.size, (240, 226, 194)), 0.55)
    paper.paste((34, 28, 30), (0, 0), Image.fromarray(np.maximum(ink * 4 // 5, contour).astype(np.uint8)))
    return paper


def poster(image: Image.Image, seed: int) -> Image.Image:
    """Few flat colours, as if cut from paper."""
    flat = _small(image, 2, lambda small: small.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.MedianFilter(3)))
    few = saturated(flat, 1.2).quantize(11, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    few = few.filter(ImageFilter.MedianFilter(3))
    return textured(few, grain(image, seed), 12)


def points(image: Image.Image, seed: int) -> Image.Image:
    """Dabs of pure colour side by side."""
    unit = _unit(image)
    out = Image.blend(image.filter(ImageFilter.BoxBlur(6 * unit)), Image.new("RGB", image.size, PAPER), 0.45)
    for number in range(2):
        step = max(4, round((9 - 2 * number) * unit))
        columns, rows = image.width // step + 1, image.height // step + 1
        dice = white(seed + number, rows * 3, columns).astype(np.int32)
        colours = np.asarray(saturated(image, 1.5).resize((columns, rows), Image.Resampling.BOX), np.int32)
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
    unit = _unit(image)
    flat = _displaced(_small(image, 2, lambda small: small.filter(ImageFilter.MedianFilter(5))), seed, 6 * unit)
    few = saturated(flat, 1.35)
    x, y = np.arange(image.width)[None, :], np.arange(image.height)[:, None]
    wobble = np.asarray(_noise(image, seed, 30 * unit, 30 * unit, 3), np.int32)
    pitch = max(4, round(4 * unit)) * 8
    streak = np.abs(((x * 2 + y * 3) * 4 + wobble) % pitch - pitch // 2) * 255 // pitch
    tooth = np.asarray(_noise(image, seed + 5, 3 * unit, 3 * unit, 2), np.int32)
    mask = np.clip((streak + tooth - 150) * 2, 0, 150).astype(np.uint8)
    few.paste(PAPER, (0, 0), Image.fromarray(mask))
    few.paste((50, 44, 60), (0, 0), _edges(flat, unit, 4).point([value // 2 for value in range(256)]))
    return few


def stitch(image: Image.Image, seed: int) -> Image.Image:
    """Crosses of thread on linen."""
    step = max(6, round(min(image.size) / 76))
    columns, rows = -(-image.width // step), -(-image.height // step)
    small = image.resize((columns, rows), Image.Resampling.BOX).quantize(32, dither=Image.Dither.NONE).convert("RGB")
    colours = np.asarray(small, np.int32).repeat(step, axis=0).repeat(step, axis=1)[: image.height, : image.width]
    x, y = np.arange(image.width)[None, :] % step, np.arange(image.height)[:, None] % step
    one, two = np.abs(x - y), np.abs(x + y - step + 1)
    half = max(1, step // 4)
    thread = np.where(one <= half, 14 - one * 26 // half, np.where(two <= half, -8 - two * 26 // half, -1000))
    linen = np.asarray(textured(Image.new("RGB", image.size, (232, 222, 200)), grain(image, seed), 16), np.int32)
    out = np.where((thread > -1000)[:, :, None], colours + thread[:, :, None], linen * 7 // 8)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))


def silhouette(image: Image.Image, seed: int) -> Image.Image:
    """Dark shapes before a bright sky."""
    grey = ImageOps.autocontrast(_grey(image.filter(ImageFilter.BoxBlur(_unit(image) * 0.7))), cutoff=1)
    mask = grey.point([min(255, max(0, (118 - value) * 9)) for value in range(256)])
    out = image.copy()
    out.paste((14, 12, 22), (0, 0), mask)
    return out


def saturated(image: Image.Image, factor: float) -> Image.Image:
    """More (above 1) or less colourful, at the same lightness."""
    pixels = np.asarray(image, np.int32)
    grey = (pixels[:, :, 0] * 77 + pixels[:, :, 1] * 150 + pixels[:, :, 2] * 29) >> 8
    part = round(factor * 256)
    out = grey[:, :, None] + ((pixels - grey[:, :, None]) * part >> 8)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))


FILTERS: Final[dict[str, Filter]] = {
    "watercolour": watercolour,
    "oil": oil,
    "pixel": pixel,
    "blueprint": blueprint,
    "line": line,
    "sketch": sketch,
    "lowpoly": lowpoly,
    "film": film,
    "sepia": sepia,
    "mono": mono,
    "comic": comic,
    "neon": neon,
    "mosaic": mosaic,
    "stained": stained,
    "woodcut": woodcut,
    "poster": poster,
    "points": points,
    "crayon": crayon,
    "stitch": stitch,
    "silhouette": silhouette,
}
