"""Styles of light and print: blueprint, film, sepia, black and white, comic, neon, silhouette."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from opperlite.engine.pictures.scaling import scaled
from opperlite.engine.pictures.textures import (
    at_part,
    edges_of,
    grain,
    lightness,
    median,
    noise_over,
    saturated,
    textured,
    unit_of,
    widened,
)


def blueprint(image: Image.Image, seed: int) -> Image.Image:
    """White lines and a grid on blue."""
    unit = unit_of(image)
    paper = Image.new("RGB", image.size, (22, 66, 132))
    grid = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(grid)
    step = max(6, round(16 * unit))
    for number, x in enumerate(range(0, image.width, step)):
        draw.line((x, 0, x, image.height), fill=70 if number % 5 == 0 else 30)
    for number, y in enumerate(range(0, image.height, step)):
        draw.line((0, y, image.width, y), fill=70 if number % 5 == 0 else 30)
    paper.paste((150, 190, 240), (0, 0), grid)
    tone = ImageOps.autocontrast(lightness(image)).point([value // 6 for value in range(256)])
    paper.paste((120, 170, 230), (0, 0), tone)
    paper.paste((236, 244, 255), (0, 0), edges_of(image, unit, 5))
    return textured(paper, noise_over(image, seed, 60 * unit, 60 * unit, 4), 30)


def film(image: Image.Image, seed: int) -> Image.Image:
    """An analogue photograph: grain, a soft glow, lifted blacks and darker corners."""
    unit = unit_of(image)
    glow = at_part(image, 4, lambda small: small.filter(ImageFilter.BoxBlur(3 * unit)))
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
    image.paste((8, 8, 14), (0, 0), scaled(mask, image.size, Image.Resampling.BILINEAR))
    return image


def sepia(image: Image.Image, seed: int) -> Image.Image:
    """A brown and faded old print."""
    toned = ImageOps.colorize(
        ImageOps.autocontrast(lightness(image), cutoff=1), (44, 28, 16), (250, 236, 206), (172, 132, 88)
    )
    return vignette(textured(toned, grain(image, seed), 22), seed)


def mono(image: Image.Image, seed: int) -> Image.Image:
    """Black and white with full contrast."""
    return ImageOps.autocontrast(lightness(image), cutoff=(1, 1)).convert("RGB")


def comic(image: Image.Image, seed: int) -> Image.Image:
    """Flat inks, dots in the half tones, bold contours."""
    unit = unit_of(image)
    flat = at_part(image, 2, lambda small: saturated(median(small), 1.5))
    few = flat.point([min(255, round(value / 51) * 51) for value in range(256)] * 3)
    pitch = max(5, round(8 * unit))
    x, y = np.arange(pitch)[None, :], np.arange(pitch)[:, None]
    u, v = (x + y) % pitch - pitch // 2, (x - y) % pitch - pitch // 2
    away = ((u * u + v * v) * 512 // (pitch * pitch)).astype(np.int16)
    tiles = np.tile(away, (-(-image.height // pitch), -(-image.width // pitch)))[: image.height, : image.width]
    dots = (tiles + np.asarray(lightness(flat)) < 205).view(np.uint8) * np.uint8(66)
    few.paste((30, 24, 60), (0, 0), Image.fromarray(dots))
    few.paste((12, 12, 20), (0, 0), widened(edges_of(flat, unit, 9)))
    return few


def neon(image: Image.Image, seed: int) -> Image.Image:
    """Glowing contours in the dark."""
    unit = unit_of(image)
    edges = edges_of(image, unit, 6)
    x = np.linspace(0, 255, image.width).astype(np.uint8)[None, :].repeat(image.height, axis=0)
    ramp = ImageChops.add(Image.fromarray(x), noise_over(image, seed, 200 * unit, 200 * unit, 2), scale=2)
    colours = ImageOps.colorize(ramp, (255, 44, 168), (40, 240, 255), (150, 80, 255))
    dark = image.point(
        [value * 84 // 255 for value in range(256)] * 2 + [min(255, value * 120 // 255 + 18) for value in range(256)]
    )
    lamp = Image.new("RGB", image.size)
    lamp.paste(colours, (0, 0), edges)
    halo = at_part(
        lamp, 4, lambda small: small.filter(ImageFilter.BoxBlur(2.5 * unit)).filter(ImageFilter.BoxBlur(2.5 * unit))
    )
    return ImageChops.screen(
        ImageChops.screen(dark, halo.point([min(255, value * 2) for value in range(256)] * 3)), lamp
    )


def silhouette(image: Image.Image, seed: int) -> Image.Image:
    """Dark shapes before a bright sky."""
    grey = ImageOps.autocontrast(lightness(image.filter(ImageFilter.BoxBlur(unit_of(image) * 0.7))), cutoff=1)
    mask = grey.point([min(255, max(0, (118 - value) * 9)) for value in range(256)])
    out = image.copy()
    out.paste((14, 12, 22), (0, 0), mask)
    return out
