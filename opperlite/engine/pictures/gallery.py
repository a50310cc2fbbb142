"""Sixty prompts that show what the engine draws, and contact sheets of the results."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from opperlite.engine.pictures import typeface
from opperlite.engine.pictures.caption import shortened
from opperlite.engine.pictures.pixels import Pixels, cover, on_white

PROMPTS: Final = (
    "two hot air balloons over a green valley at sunrise",
    "a lighthouse on a stormy coast, lightning",
    "a small black cat on a big red house at night",
    "a sailboat on a calm sea at sunset",
    "a castle in snowy mountains, winter",
    "a red car on a city street in the rain",
    "three fish in a coral reef",
    "a rocket in outer space",
    "a cup of coffee and two apples on a kitchen table",
    "desert dunes at dusk with a camel",
    "an autumn forest in the fog with a deer",
    "northern lights over a frozen lake",
    "a brown horse on a farm",
    "New York skyline at night",
    "a tropical beach with a palm tree and a parasol",
    "abstract bauhaus composition in red, yellow and blue",
    "a dragon flying over a castle, dramatic sunset",
    "a robot in a neon city, cyberpunk",
    "a watercolour of tulips in a garden, spring",
    "a vase of flowers on a table, oil painting",
    "pixel art of a knight in front of a castle",
    "blueprint of a bicycle",
    "a pencil sketch of an elephant",
    "low poly fox in a forest",
    "an astronaut riding on the moon, earth in the sky",
    "fireworks over a city at night",
    "a snowman and a small house in a winter village, snowing",
    "five sheep on a green hill, cloudy",
    "a pirate with a treasure chest on an island",
    "two penguins on an iceberg",
    "a windmill in a field of sunflowers, summer",
    "a pagoda and cherry blossoms, spring, Japan",
    "a steam train crossing the countryside",
    "a violin and an open book by candlelight",
    "a pink flamingo in a lake, dawn",
    "an owl on a tree at night, full moon",
    "a blue butterfly on a sunflower",
    "a unicorn under a rainbow, dreamy",
    "a red torii gate in a misty lake",
    "a halloween pumpkin, a ghost and a witch",
    "a birthday cake with balloons, cheerful",
    "a bowl of ramen and sushi, studio photo",
    "a green apple icon on a white background",
    "a whale and a submarine in the deep sea",
    "a ufo above a barn at night",
    "pyramids in the desert, golden hour",
    "a campfire and a tent in the mountains at night",
    "an old tram in a rainy street, film photo",
    "a lion in the savanna at sunset, silhouette",
    "stained glass window of a rose",
    "a woodcut of a ship in a storm",
    "comic of a dinosaur in a jungle",
    "a mosaic of a peacock blue bird",
    "a child flying a kite on a windy day",
    "a wizard in an enchanted forest, magical",
    "Eine kleine rote Hütte am See im Winter",
    "un phare blanc sur la plage au coucher du soleil",
    "dos gatos negros en un jardín de noche",
    "en röd stuga vid en sjö på sommaren",
    "purple serendipity of forgotten algorithms",
)


def contact_sheet(images: Sequence[Pixels], columns: int, labels: Sequence[str], *, cell: int = 320) -> Pixels:
    """The pictures in rows on white, each cut to a square of `cell` pixels with its label below."""
    if columns < 1 or len(images) != len(labels):
        raise ValueError(f"{len(images)} pictures, {len(labels)} labels, {columns} columns; one label each is needed")
    size = max(9, cell // 24)
    gap, strip = max(2, cell // 40), cell // 9
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (gap + columns * (cell + gap), gap + rows * (cell + strip)), (255, 255, 255))
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        x, y = gap + number % columns * (cell + gap), gap + number // columns * (cell + strip)
        sheet.paste(Image.fromarray(on_white(cover(pixels, cell, cell))), (x, y))
        words = Image.new("L", (cell, strip))
        typeface.write(words, shortened(typeface.written(label), size, cell), size, 0, strip * 0.55)
        sheet.paste((40, 40, 44), (x, y + cell), words)
    return np.array(sheet)
