"""Pictures survive encoding, and damaged or oversized files are refused."""

import hashlib
import io
import platform
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opperlite.engine.errors import BadMedia
from opperlite.engine.pictures import pixels
from opperlite.engine.pictures.noise import white

shapes = st.tuples(st.integers(1, 90), st.integers(1, 90), st.sampled_from((3, 4)))


def speckled(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.ascontiguousarray(white(5, height, width * channels).reshape(height, width, channels))


@settings(max_examples=25, deadline=None)
@given(shape=shapes)
def test_png_round_trip_by_another_decoder(shape: tuple[int, int, int]) -> None:
    picture = speckled(*shape)
    read = Image.open(io.BytesIO(pixels.encode(picture, "png")))
    assert np.array_equal(np.asarray(read), picture)


def test_png_opens_in_ffmpeg() -> None:
    picture = speckled(48, 70)
    with av.open(io.BytesIO(pixels.encode(picture, "png", metadata={"prompt": "a cat"}))) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(frame, picture)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="ISA-L finds other matches elsewhere")
def test_png_files_are_the_same_bytes_on_every_processor() -> None:
    picture = np.ascontiguousarray(np.add.outer(speckled(120, 160) >> 5, [0, 40, 80])[:, :, 0, :].astype(np.uint8))
    assert hashlib.sha256(pixels.encode(picture, "png")).hexdigest()[:16] == "7ff06abfd3993f8c"


def test_png_metadata_in_latin_and_other_scripts() -> None:
    texts = {"prompt": "un café", "Comment": "катя 猫"}
    read = Image.open(io.BytesIO(pixels.encode(speckled(4, 4), "png", metadata=texts)))
    assert read.info["prompt"] == "un café"
    assert read.info["Comment"] == "катя 猫"


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_lossy_formats_keep_the_picture_and_its_metadata(format: str) -> None:
    ramp = np.repeat(np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0), 3, 2)
    data = pixels.encode(np.ascontiguousarray(ramp), format, quality=95, metadata={"prompt": "猫 & cat"})
    read = Image.open(io.BytesIO(data))
    assert read.size == (64, 48)
    assert np.abs(np.asarray(read.convert("RGB")).astype(int) - ramp).mean() < 4
    assert "猫 &amp; cat".encode() in data
    assert "prompt" in read.getexif()[0x010E]


def test_quality_sets_the_size() -> None:
    sizes = [len(pixels.encode(speckled(64, 64), "jpeg", quality=quality)) for quality in (5, 50, 100)]
    assert sizes == sorted(sizes)


def test_jpeg_lays_alpha_on_white() -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    read = np.asarray(Image.open(io.BytesIO(pixels.encode(clear, "jpeg"))))
    assert int(read.min()) >= 253


@pytest.mark.parametrize(("format", "quality"), [("gif", None), ("jpeg", 101), ("webp", -1)])
def test_wrong_format_or_quality_is_refused(format: str, quality: int | None) -> None:
    with pytest.raises(ValueError, match="allowed"):
        pixels.encode(speckled(4, 4), format, quality=quality)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_probe_and_decode_what_was_encoded(tmp_path: Path, format: str) -> None:
    file = tmp_path / "picture"
    file.write_bytes(pixels.encode(speckled(30, 50, 4), format))
    info = pixels.probe(file)
    assert (info.width, info.height, info.mime_type) == (50, 30, f"image/{format}")
    assert info.has_alpha == (format != "jpeg")
    assert pixels.decode(file).shape == (30, 50, 4 if info.has_alpha else 3)


def test_orientation_is_applied(tmp_path: Path) -> None:
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (255, 0, 0)).save(file, exif=exif.tobytes())
    assert (pixels.probe(file).width, pixels.probe(file).height) == (20, 40)
    assert pixels.decode(file).shape == (40, 20, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "picture.tiff"
    Image.new(mode, (12, 9)).save(file)
    assert pixels.decode(file).shape == (9, 12, 4 if mode == "LA" else 3)


def test_sixteen_bits_keep_their_scale(tmp_path: Path) -> None:
    file = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(file)
    assert int(pixels.decode(file)[0, 0, 0]) == 0x80


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.02, 0.98), format=st.sampled_from(("png", "jpeg", "webp")))
def test_truncated_files_are_refused(tmp_path_factory: pytest.TempPathFactory, share: float, format: str) -> None:
    data = pixels.encode(speckled(64, 64), format)
    file = tmp_path_factory.mktemp("cut") / "picture"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadMedia):
        pixels.decode(file)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%PDF-1.7 ...", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + b"\0" * 40]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "thing"
    file.write_bytes(data)
    with pytest.raises(BadMedia, match=r"PNG|complete"):
        pixels.probe(file)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    file = tmp_path / "bomb.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)))
    with pytest.raises(BadMedia, match="60000x60000"):
        pixels.decode(file)


@settings(max_examples=25, deadline=None)
@given(shape=shapes, width=st.integers(1, 120), height=st.integers(1, 120))
def test_resize_and_cover_give_exact_sizes(shape: tuple[int, int, int], width: int, height: int) -> None:
    picture = speckled(*shape)
    assert pixels.resize(picture, width, height).shape == (height, width, shape[2])
    assert pixels.cover(picture, width, height).shape == (height, width, shape[2])


def test_cover_cuts_evenly() -> None:
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 200
    assert np.array_equal(pixels.cover(picture, 10, 10), picture[:, 10:20])


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (0, 4, 3)])
def test_other_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        pixels.check(np.zeros(shape, np.uint8))
