"""Pictures as the server asks for them: drawn from a prompt, or edited."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures import drawing, edits, scene, subjects
from opperlite.engine.pictures.caption import caption as captioned
from opperlite.engine.pictures.caption import lettering
from opperlite.engine.pictures.edits import Editor, editor
from opperlite.engine.pictures.origins import Origin, Recollection, recalled
from opperlite.engine.pictures.pixels import Pixels, check, cover, resize
from opperlite.engine.pictures.prompt import Reading, read
from opperlite.engine.pictures.references import lent, pinned
from opperlite.engine.pictures.revisions import revision
from opperlite.engine.pictures.wearing import head

__all__ = ["Editor", "apply", "draw", "edit", "editor"]

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
    picture = drawing.drawn(composed, width, height, quality=quality, transparent=transparent)
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
    origin: Origin | None = None,
) -> Pixels:
    """The source changed as the words say, in width x height; RGBA when transparent or the source has alpha.

    mask limits the change: where it is opaque (with alpha) or black (without) the pixels stay those of the source,
    scaled to the size when it differs. references lend their colours and appear in the picture. origin is what the
    source says of itself; if it is one of ours, its own things can go, change their colour or be exchanged.
    """
    _checked(width, height)
    check(source)
    change = editor(f"{prompt}, {style}" if style else prompt, seed=seed)
    memory = recalled(source, origin) if origin is not None and mask is None else None
    wearer, done = None, False
    if memory is not None:
        source, change, done = _revised(memory, change, prompt)
        motif = edits.anchor(prompt)
        wearer = memory.silhouette(motif) if motif else None
    if mask is not None:
        result = _within_mask(change, prompt, cover(source, width, height), mask, references)
    else:
        result = _whole(change, prompt, source, width, height, references, wearer, done=done)
    if transparent or ("remove_background" in change.reading.edits and mask is None):
        result = _cut_out(result, transparent=transparent)
    return captioned(result, caption) if caption and mask is None else result


def apply(prompt: str, frame: Pixels, time: float, *, seed: int = 0) -> Pixels:
    """One frame of a clip changed as the words say; for many frames keep an `editor`."""
    return editor(prompt, seed=seed).apply(frame, time)


def _checked(width: int, height: int) -> None:
    if width not in SIDES or height not in SIDES:
        raise ValueError(f"the size is {width}x{height}; sides of {SIDES.start} to {SIDES.stop - 1} are allowed")


def _revised(memory: Recollection, change: Editor, prompt: str) -> tuple[Pixels, Editor, bool]:
    """The source drawn again as the words want its things, what the words want besides, and whether it changed."""
    wanted = revision(read(prompt))
    revised = memory.revised(wanted) if wanted.motifs else None
    left = tuple(name for name in change.reading.edits if name not in ("remove", "replace", "recolour"))
    if revised is not None:
        reading = replace(change.reading, edits=left)
        if not wanted.without:
            reading = replace(reading, things=(), colours=())
        return revised, replace(change, reading=reading), True
    if wanted.without:
        # What is not in the picture cannot be taken away from it.
        return memory.uncaptioned, replace(change, reading=replace(change.reading, edits=left)), True
    return memory.uncaptioned, change, False


def _whole(
    change: Editor,
    prompt: str,
    source: Pixels,
    width: int,
    height: int,
    references: Sequence[Pixels],
    wearer: subjects.Mask | None,
    *,
    done: bool,
) -> Pixels:
    """The changes to all of a picture; done when some were made before."""
    image = edits.shaped(change.reading, Image.fromarray(source))
    base = cover(np.array(image), width, height)
    behind = edits.background(change.reading, prompt, change.seed)
    if behind is not None and not change.reading.things:
        placed = _before(base, behind.frame(width, height))
        if placed is not None:
            base = placed
            change = replace(change, reading=replace(change.reading, settings=()))
    base = lent(base, references, change.seed)
    given = change.reading.things if edits.anchor(prompt) else ()
    if given:
        change = replace(change, reading=replace(change.reading, things=()), _overlays={})
    changed = change.apply(base, 0.0)
    if given:
        changed = _given(replace(change.reading, things=given), changed, base, wearer, change.seed)
    if "remove" in change.reading.edits:
        changed = _without_subject(changed)
    if change.idle and not (given or done) and not references and not change.reading.quoted:
        changed = _own_cast(changed, prompt)
    for text in change.reading.quoted[:1]:
        changed = lettering(changed, text)
    return changed


def _given(reading: Reading, picture: Pixels, base: Pixels, wearer: subjects.Mask | None, seed: int) -> Pixels:
    """The picture with things on or beside its subject; wearer is where that was in the source."""
    if wearer is None:
        mask = subjects.salient(base)
    else:
        mask = cover(wearer[:, :, None].repeat(3, axis=2), base.shape[1], base.shape[0])[:, :, 0]
    found = head(mask)
    if found is None:
        return picture
    if wearer is None:
        # What is only guessed to be a head is not believed to be a large one.
        found = replace(found, width=min(found.width, 0.26 * min(base.shape[:2])))
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, :3]))
    for layer in edits.things_worn(reading, image, seed, found):
        layer.paint(image, 0.0)
    out = np.array(image)
    return np.dstack((out, picture[:, :, 3])) if picture.shape[2] == 4 else out


def _without_subject(picture: Pixels) -> Pixels:
    """The picture with its subject filled from around it; without a clear one, what stands out most."""
    mask = subjects.subject(picture)
    # A larger share is scenery.
    if not 0.005 < float((mask > 127).mean()) < 0.35:
        mask = subjects.salient(picture)
    if not 0.001 < float((mask > 127).mean()) < 0.45:
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
        pinned(inner, references, change.seed)
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
