"""Pictures as arrays: look at, decode, encode and scale them.

Every array is C-contiguous uint8 of shape (height, width, 3) for RGB or (height, width, 4) for RGBA.
"""

import html
import io
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from opperlite.engine.errors import BadMedia
from opperlite.engine.pictures.scaling import scaled

Pixels = NDArray[np.uint8]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What Pillow may try; everything else it knows stays out of reach of uploads."""

ALLOWED: Final = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"

_XMP: Final = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_XMP_TEXT: Final = re.compile(r'<rdf:li xml:lang="x-default">(.*?)</rdf:li>', re.S)
_EXIF_DESCRIPTION: Final = 0x010E
_EXIF_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright (EXIF 2.32, tag Orientation)."""
_EXIF_SOFTWARE: Final = 0x0131
_LEVEL: Final = 1

# The size is checked by decode itself before a pixel is unpacked; Pillow's own check would only warn.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_MEMORY = 16 * 1024 * 1024
TiffImagePlugin.READ_LIBTIFF = False


@dataclass(frozen=True)
class ImageInfo:
    """What a picture's header says; the size is that of the stored pixels turned upright."""

    width: int
    height: int
    mime_type: str
    has_alpha: bool


def probe(path: str | Path) -> ImageInfo:
    """Read the header only; BadMedia when the file is no picture of an allowed kind."""
    with _open(Path(path)) as image:
        return _info(image)


def decode(path: str | Path, *, max_pixels: int = 100_000_000) -> Pixels:
    """The first frame, turned upright by its EXIF orientation, as RGB or (when it has alpha) RGBA.

    The size is refused before anything is decoded. Raises BadMedia for what is too large, truncated or corrupt.
    """
    source = Path(path)
    with _open(source) as image:
        info = _info(image)
        if info.width * info.height > max_pixels:
            raise BadMedia(
                f"The picture is {info.width}x{info.height}, {info.width * info.height} pixels; "
                f"at most {max_pixels} are allowed."
            )
        orientation = _orientation(image)
        try:
            image.load()
            colours = _eight_bit(image).convert("RGBA" if info.has_alpha else "RGB")
            turn = _TURNS.get(orientation)
            return _array(colours if turn is None else colours.transpose(turn))
        except MemoryError:
            raise
        # Damaged files make the decoders raise nearly anything: OSError, SyntaxError, struct.error, IndexError ...
        except Exception as error:
            raise BadMedia(
                f"The {info.mime_type} picture of {info.width}x{info.height} is truncated or corrupt; "
                "a complete file is needed."
            ) from error


def notes(path: str | Path) -> dict[str, str]:
    """The texts that `encode` wrote into a file as its metadata; those of other programs only from PNG."""
    with _open(Path(path)) as image:
        if image.format == "PNG":
            return {str(key): value for key, value in image.info.items() if isinstance(value, str)}
        packet = image.info.get("xmp", b"")
    lines = _XMP_TEXT.search(packet.decode("utf-8", "replace") if isinstance(packet, bytes) else "")
    text = html.unescape(lines.group(1)) if lines else ""
    # Only the prompt may hold line breaks.
    parts = re.split(r"\n(?=(?:model|seed|style|Software): )", text)
    return dict(part.split(": ", 1) for part in parts if ": " in part)


def encode(
    pixels: Pixels,
    format: str,
    *,
    quality: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a PNG, JPEG or WebP file; quality is 0 to 100 (default 90) and means nothing to PNG.

    JPEG has no alpha: RGBA is laid on white. metadata becomes PNG text chunks, or EXIF and XMP.
    """
    check(pixels)
    texts = dict(metadata or {})
    if format == "png":
        return _png(pixels, texts)
    if format not in ("jpeg", "webp"):
        raise ValueError(f"format is {format!r}; png, jpeg and webp are allowed")
    level = 90 if quality is None else quality
    if not 0 <= level <= 100:
        raise ValueError(f"quality is {level}; 0 to 100 are allowed")
    image = Image.fromarray(on_white(pixels) if format == "jpeg" else pixels)
    out = io.BytesIO()
    extra = _exif_and_xmp(texts)
    if format == "jpeg":
        image.save(out, "JPEG", quality=level, **extra)
    else:
        image.save(out, "WEBP", quality=level, method=0, **extra)
    return out.getvalue()


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale to exactly width x height, whatever the proportions.

    Bicubic with a widened kernel when shrinking: its weights need no sine, so they are the same on every machine.
    """
    check(pixels)
    if pixels.shape[:2] == (height, width):
        return pixels
    return _array(scaled(Image.fromarray(pixels), (width, height)))


def coarse(pixels: Pixels, cell: int) -> Pixels:
    """The same size with nothing finer than about `cell` pixels."""
    height, width = pixels.shape[:2]
    small = resize(pixels, max(1, round(width / cell)), max(1, round(height / cell)))
    return resize(small, width, height)


def cover(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale so that width x height is filled and cut off evenly what stands over."""
    check(pixels)
    rows, columns = pixels.shape[:2]
    if columns * height > rows * width:
        kept = max(1, rows * width // height)
        start = (columns - kept) // 2
        part = pixels[:, start : start + kept]
    else:
        kept = max(1, columns * height // width)
        start = (rows - kept) // 2
        part = pixels[start : start + kept]
    return resize(np.ascontiguousarray(part), width, height)


def on_white(pixels: Pixels) -> Pixels:
    """RGB as it looks on white paper; RGB itself comes back unchanged."""
    if pixels.shape[2] == 3:
        return pixels
    image = Image.fromarray(pixels)
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, (0, 0), image)
    return _array(paper)


def check(pixels: Pixels) -> None:
    """Raise ValueError unless the array is uint8 of shape (height, width, 3 or 4)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
        raise ValueError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}; uint8 of (height, width, 3 or 4) is allowed"
        )


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise
    # A damaged header makes the format plugins raise nearly anything; all of it means "no picture".
    except Exception as error:
        raise BadMedia(f"The file is {_found(path)}; a picture of the kind {ALLOWED} is needed.") from error


def _found(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "empty"
    return f"no picture that can be read (it begins with {head[:8].hex(' ')})"


def _info(image: Image.Image) -> ImageInfo:
    width, height = image.size
    if _orientation(image) in (5, 6, 7, 8):
        width, height = height, width
    alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    mime = Image.MIME.get(image.format or "", "application/octet-stream")
    return ImageInfo(width, height, mime, alpha)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; read from the header, as Pillow's getexif would unpack a whole PNG for it."""
    exif = Image.Exif()
    data = image.info.get("exif")
    if isinstance(data, bytes):
        try:
            exif.load(data)
        except Exception:
            # Unreadable EXIF is no reason to refuse a readable picture.
            return 1
    value = image.getexif().get(_EXIF_ORIENTATION, 1) if image.format == "TIFF" else exif.get(_EXIF_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating grey down to 8 bits; Pillow's convert would clip them to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
        values = (values - low) * (255.0 / (high - low)) if high > low else values * 0.0
    else:
        values = np.floor(values / 256.0)
    grey = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    grey.info.update(image.info)
    return grey


def _array(image: Image.Image) -> Pixels:
    return np.array(image, dtype=np.uint8, order="C")


def _exif_and_xmp(texts: Mapping[str, str]) -> dict[str, bytes]:
    if not texts:
        return {}
    exif = Image.Exif()
    joined = "\n".join(f"{key}: {value}" for key, value in texts.items())
    # EXIF text is ASCII by its specification (2.32, table 6); XMP carries the full text.
    exif[_EXIF_DESCRIPTION] = joined.encode("ascii", "replace").decode("ascii")[:2000]
    exif[_EXIF_SOFTWARE] = texts.get("Software", "opperlite").encode("ascii", "replace").decode("ascii")[:200]
    escaped = _printable(joined[:16000]).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"exif": exif.tobytes(), "xmp": _XMP.format(text=escaped).encode()}


def _printable(text: str) -> str:
    return "".join(mark for mark in text if mark in "\n\t" or (mark >= " " and not "\ud800" <= mark <= "\udfff"))


def _png(pixels: Pixels, texts: Mapping[str, str]) -> bytes:
    """PNG by hand: the Up filter over the whole array at once and ISA-L's deflate, many times quicker than libpng.

    Levels 0 to 2 of ISA-L give the same bytes with every instruction set of x86-64 from SSE 4.2 on; level 3 does not.
    """
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    filtered = np.empty((height, width * channels + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, 0)
    chunks = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    chunks += [_text_chunk(key, value) for key, value in texts.items()]
    chunks += [_chunk(b"IDAT", isal_zlib.compress(filtered, _LEVEL)), _chunk(b"IEND", b"")]
    return b"".join(chunks)


def _text_chunk(key: str, value: str) -> bytes:
    """tEXt for Latin-1, else iTXt in UTF-8 (PNG specification, third edition, 11.3.3)."""
    name = key.encode("latin-1", "replace")[:79]
    clean = _printable(value)
    try:
        return _chunk(b"tEXt", name + b"\0" + clean.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", name + b"\0\0\0\0\0" + clean.encode("utf-8"))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
