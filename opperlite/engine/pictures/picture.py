"""Pictures as the server asks for them: drawn from a prompt, or edited."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures import edits, scene, styles, subjects, textures
from opperlite.engine.pictures.caption import caption as captioned
from opperlite.engine.pictures.caption import lettering
from opperlite.engine.pictures.edits import Editor, editor
from opperlite.engine.pictures.lexicon import tables
from opperlite.engine.pictures.noise import Stream, fingerprint, white
from opperlite.engine.pictures.pixels import Pixels, check, cover, resize
from opperlite.engine.pictures.prompt import Reading
from opperlite.engine.pictures.scaling import scaled

__all__ = ["Editor", "apply", "draw", "edit", "editor"]

_LARGEST = 9_000_000
SIDES = range(16, 8193)
"""Sides a picture may have; what a model allows is narrower."""


def draw(
    prompt: str,
    width: int,
    height: int,
    *,
    seed: int = 0,
    style: str | None = None,
    quality: str = "medium",
    transparent: bool = False,
    caption: str | None = None,
) -> Pixels:
    """A picture of a prompt: RGB, or RGBA of its things alone.

    style is a style of the vocabulary, or "vivid" or "natural" for stronger or softer colours; others are read as
    words of the prompt. quality "high" adds a fine grain. caption is one line laid over the foot.
    """
    _checked(width, height)
    composed = scene.compose(prompt, seed=seed, style=style)
    # Beyond this size twice the scale shows no more, and costs four times the time and memory.
    step = 2 if width * height > _LARGEST else 1
    picture = composed.frame(-(-width // step), -(-height // step), transparent=transparent)
    picture = resize(_styled(picture, style, composed.reading.styles, seed), width, height)
    for text in composed.reading.quoted[:1]:
        picture = lettering(picture, text)
    if quality == "high" and not transparent and not composed.reading.styles:
        _grained(picture, seed)
    return captioned(picture, caption) if caption else picture


def edit(
    prompt: str,
    source: Pixels,
    width: int,
    height: int,
    *,
    mask: Pixels | None = None,
    references: Sequence[Pixels] = (),
    seed: int = 0,
    style: str | None = None,
    transparent: bool = False,
    caption: str | None = None,
) -> Pixels:
    """The source changed as the words say, in width x height; RGBA when transparent or the source has alpha.

    mask limits the change: where it is opaque (with alpha) or black (without) the pixels stay those of the source,
    scaled to the size when it differs. references lend their colours and appear in the picture.
    """
    _checked(width, height)
    check(source)
    change = editor(f"{prompt}, {style}" if style else prompt, seed=seed)
    if mask is not None:
        result = _within_mask(change, prompt, cover(source, width, height), mask, references)
    else:
        result = _whole(change, prompt, source, width, height, references)
    if transparent or ("remove_background" in change.reading.edits and mask is None):
        result = _cut_out(result, transparent=transparent)
    return captioned(result, caption) if caption and mask is None else result


def apply(prompt: str, frame: Pixels, time: float, *, seed: int = 0) -> Pixels:
    """One frame of a clip changed as the words say; for many frames keep an `editor`."""
    return editor(prompt, seed=seed).apply(frame, time)


def _checked(width: int, height: int) -> None:
    if width not in SIDES or height not in SIDES:
        raise ValueError(f"the size is {width}x{height}; sides of {SIDES.start} to {SIDES.stop - 1} are allowed")


def _styled(picture: Pixels, style: str | None, named: tuple[str, ...], seed: int) -> Pixels:
    wanted = list(named)
    if style and style in tables()["style"] and style not in wanted:
        wanted.append(style)
    for name in wanted[:2]:
        picture = styles.apply(picture, name, fingerprint(seed, name))
    if style in ("vivid", "natural"):
        strength = 1.25 if style == "vivid" else 0.85
        image = textures.saturated(Image.fromarray(np.ascontiguousarray(picture[:, :, :3])), strength)
        picture = picture.copy()
        picture[:, :, :3] = np.asarray(image)
    return picture


def _grained(picture: Pixels, seed: int) -> None:
    """Give flat areas a fine tooth of one step up or down, in place."""
    height, width = picture.shape[:2]
    tile = white(fingerprint(seed, "grain"), min(height, 256), min(width, 256))
    step = ((tile >> 6) & 1).astype(np.uint8) * 2
    band = np.repeat(np.tile(step, (1, -(-width // tile.shape[1])))[:, :width, None], 3, axis=2)
    np.minimum(picture, 253, out=picture)
    for top in range(0, height, len(band)):
        rows = picture[top : top + len(band)]
        rows += band[: len(rows)]


def _whole(
    change: Editor, prompt: str, source: Pixels, width: int, height: int, references: Sequence[Pixels]
) -> Pixels:
    image = edits.shaped(change.reading, Image.fromarray(source))
    base = cover(np.array(image), width, height)
    behind = edits.background(change.reading, prompt, change.seed)
    if behind is not None and not change.reading.things:
        placed = _before(base, behind.frame(width, height))
        if placed is not None:
            base = placed
            change = replace(change, reading=replace(change.reading, settings=()))
    base = _lent(base, references, change)
    changed = change.apply(base, 0.0)
    if "remove" in change.reading.edits:
        changed = _without_subject(changed)
    if change.idle and not references and not change.reading.quoted:
        changed = _own_cast(changed, prompt)
    for text in change.reading.quoted[:1]:
        changed = lettering(changed, text)
    return changed


def _without_subject(picture: Pixels) -> Pixels:
    """The picture with its subject filled from around it, when there is telling which it is."""
    mask = subjects.subject(picture)
    # A larger share is scenery: nothing stands out that could be meant.
    if not 0.005 < float((mask > 127).mean()) < 0.25:
        return picture
    hole = np.array(Image.fromarray(np.where(mask > 40, 255, 0).astype(np.uint8)).filter(ImageFilter.MaxFilter(7)))
    filled = subjects.filled(picture, hole)
    return np.dstack((filled, picture[:, :, 3])) if picture.shape[2] == 4 else filled


def _before(base: Pixels, behind: Pixels) -> Pixels | None:
    """The subject in front of another background; None when there is no telling which is which."""
    mask = subjects.subject(base)
    share = float((mask > 127).mean())
    if not 0.03 < share < 0.7:
        return None
    soft = np.asarray(Image.fromarray(mask).filter(ImageFilter.BoxBlur(1)), np.int32)[:, :, None]
    return ((base[:, :, :3].astype(np.int32) * soft + behind * (255 - soft)) // 255).astype(np.uint8)


def _lent(base: Pixels, references: Sequence[Pixels], change: Editor) -> Pixels:
    """The base with the references' colours mixed in and the references themselves as prints near the lower edge."""
    if not references:
        return base
    colours = [
        np.asarray(scaled(Image.fromarray(np.ascontiguousarray(one[:, :, :3])), (1, 1), Image.Resampling.BOX))[0, 0]
        for one in references
    ]
    mean = tuple(int(sum(int(colour[k]) for colour in colours) // len(colours)) for k in range(3))
    out = Image.fromarray(np.ascontiguousarray(base[:, :, :3]))
    out.paste(mean, (0, 0), Image.new("L", out.size, 36))
    _pinned(out, references, change.seed)
    result = np.array(out)
    return np.dstack((result, base[:, :, 3])) if base.shape[2] == 4 else result


def _pinned(image: Image.Image, references: Sequence[Pixels], seed: int) -> None:
    """Lay the references onto the picture: cut out when they have alpha, else as small prints with a white rim."""
    stream = Stream("references", seed, len(references))
    shown = references[:6]
    room = image.width / len(shown)
    for number, one in enumerate(shown):
        picture = Image.fromarray(one)
        side = min(room * 0.86, image.height * 0.42, image.width * 0.42)
        scale = side / max(picture.size)
        size = (max(4, round(picture.width * scale)), max(4, round(picture.height * scale)))
        small = scaled(picture, size).convert("RGBA")
        if picture.mode == "RGB":
            rim = max(1, size[0] // 24)
            card = Image.new("RGBA", (size[0] + 2 * rim, size[1] + 2 * rim), (250, 249, 246, 255))
            card.paste(small, (rim, rim))
            small = card.rotate(stream.uniform(-7, 7), Image.Resampling.BICUBIC, expand=True)
        x = round((number + 0.5) * room - small.width / 2)
        y = round(image.height * 0.95 - small.height)
        shade = Image.new("L", (small.width, small.height), 0)
        shade.paste(110, (0, 0), small.getchannel("A"))
        shade = shade.filter(ImageFilter.BoxBlur(max(1.0, side / 60)))
        image.paste((10, 10, 20), (x + max(1, round(side / 50)), y + max(1, round(side / 40))), shade)
        image.paste(small, (x, y), small)


def _own_cast(picture: Pixels, prompt: str) -> Pixels:
    """Words that mean nothing here still change the picture: a slight cast of colour of their own."""
    colour = scene.compose(prompt).light.middle
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, :3]))
    image.paste(colour, (0, 0), Image.new("L", image.size, 44))
    out = np.array(image)
    return np.dstack((out, picture[:, :, 3])) if picture.shape[2] == 4 else out


def _cut_out(picture: Pixels, *, transparent: bool) -> Pixels:
    """The subject alone: RGBA with real alpha, or on white."""
    alpha = subjects.subject(picture)
    cut = np.dstack((picture[:, :, :3], alpha))
    if transparent:
        return np.ascontiguousarray(cut)
    part = alpha.astype(np.int32)[:, :, None]
    return ((cut[:, :, :3].astype(np.int32) * part + 255 * (255 - part)) // 255).astype(np.uint8)


def _within_mask(change: Editor, prompt: str, base: Pixels, mask: Pixels, references: Sequence[Pixels]) -> Pixels:
    weight = _weights(mask, base.shape[1], base.shape[0])
    rows, columns = np.flatnonzero(weight.max(axis=1)), np.flatnonzero(weight.max(axis=0))
    if not len(rows):
        return base
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    reading = change.reading
    changed = np.ascontiguousarray(base[:, :, :3])
    if {"remove", "remove_background"} & set(reading.edits):
        changed = subjects.filled(changed, np.where(weight > 0, 255, 0).astype(np.uint8))
    elif reading.settings and not reading.things:
        changed = scene.compose(prompt, seed=change.seed).frame(base.shape[1], base.shape[0])
    plain = replace(change, reading=replace(reading, things=(), settings=()), _overlays={})
    changed = plain.apply(changed, 0.0)
    if reading.things:
        changed = _placed(reading, changed, box, change.seed)
    if references:
        part = Image.fromarray(changed)
        inner = part.crop(box)
        _pinned(inner, references, change.seed)
        part.paste(inner, box[:2])
        changed = np.array(part)
    if plain.idle and not reading.things and not reading.settings and not references:
        changed = _own_cast(changed, prompt)
    return _blended(base, changed, weight)


def _placed(reading: Reading, picture: Pixels, box: tuple[int, int, int, int], seed: int) -> Pixels:
    """The things of the prompt, filling the mask's box."""
    image = Image.fromarray(picture)
    inner = image.crop(box)
    for layer in edits.things_within(reading, inner.size, seed):
        layer.paint(inner, 0.0)
    image.paste(inner, box[:2])
    return np.array(image)


def _weights(mask: Pixels, width: int, height: int) -> subjects.Mask:
    """How much each pixel may change, 0 to 255: where the mask is transparent, or (without alpha) white."""
    check(mask)
    scaled = resize(mask, width, height) if mask.shape[:2] != (height, width) else mask
    if mask.shape[2] == 4:
        return 255 - scaled[:, :, 3]
    return np.array(Image.fromarray(scaled).convert("L"))


def _blended(base: Pixels, changed: Pixels, weight: subjects.Mask) -> Pixels:
    """changed within the mask, base outside; alpha, where the mask opens a hole in it, becomes opaque."""
    part = weight.astype(np.int32)[:, :, None]
    mixed = (base[:, :, :3].astype(np.int32) * (255 - part) + changed.astype(np.int32) * part) // 255
    out = base.copy()
    inside = weight > 0
    out[inside, :3] = mixed[inside].astype(np.uint8)
    if out.shape[2] == 4:
        out[inside, 3] = np.maximum(out[inside, 3], weight[inside])
    return out
