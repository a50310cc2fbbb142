"""Reference images: what they lend to a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from opperlite.engine.pictures.noise import Stream
from opperlite.engine.pictures.pixels import Pixels
from opperlite.engine.pictures.scaling import scaled


def lent(base: Pixels, references: Sequence[Pixels], seed: int) -> Pixels:
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
    pinned(out, references, seed)
    result = np.array(out)
    return np.dstack((result, base[:, :, 3])) if base.shape[2] == 4 else result


def pinned(image: Image.Image, references: Sequence[Pixels], seed: int) -> None:
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
