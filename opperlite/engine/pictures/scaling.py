"""Scaling of Pillow images with the same bytes in every version of Pillow."""

from PIL import Image

Filter = Image.Resampling


def scaled(image: Image.Image, size: tuple[int, int], resample: Image.Resampling = Filter.BICUBIC) -> Image.Image:
    """The image in another size.

    From version 13 on Pillow runs the vertical pass first when the height shrinks more than the width, which rounds
    otherwise (python-pillow/Pillow#9549); so in that case each pass is asked for by itself, across first.
    """
    width, height = size
    if height >= image.height or height * image.width >= width * image.height:
        return image.resize(size, resample)
    if image.mode != "RGBA":
        return image.resize((width, image.height), resample).resize(size, resample)
    # Resize multiplies by alpha and divides again; doing so between the passes would round once more.
    across = image.convert("RGBa").resize((width, image.height), resample)
    return across.resize(size, resample).convert("RGBA")
