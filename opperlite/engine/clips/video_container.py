"""Which video container a file is, told from its bytes, and whether the file is whole."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from opperlite.engine.errors import BadMedia

_HEAD = 64
_MOVIE_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_BOX_HEADER = 8
_MAX_BOXES = 1_000_000  # a fragmented recording has two boxes a second or more
_MAX_INDEX = 64 * 1024 * 1024
MAX_PIXELS = 8192 * 4320
"""Pixels of a frame beyond which none is decoded."""
_MAX_SIDE = 16_384
# A sample description (stsd: version, count, size) whose entry is a protected video's (ISO/IEC 14496-12, 8.12).
_ENCRYPTED = re.compile(rb"stsd.{12}encv", re.DOTALL)


@dataclass(frozen=True)
class Container:
    """A container format: its name for people, FFmpeg's name of its reader, its media type."""

    name: str
    demuxer: str
    mime_type: str


MP4 = Container("MP4", "mp4", "video/mp4")
MOV = Container("MOV", "mov", "video/quicktime")
WEBM = Container("WebM", "webm", "video/webm")
MATROSKA = Container("Matroska", "matroska", "video/x-matroska")


def identify(path: Path) -> Container:
    """The container of a file.

    BadMedia when it is none of MP4, MOV, WebM, or when the file is shorter than its own headers say.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head[4:8] in _MOVIE_BOXES:
            _check_boxes(file, size)
            quicktime = head[4:8] != b"ftyp" or head[8:12] == b"qt  "
            return MOV if quicktime else MP4
        if head[:4] == _EBML:
            _check_segment(file, size)
            return WEBM if b"webm" in head else MATROSKA
    raise BadMedia(f"The file is not a video that can be read ({_described(head, size)}); MP4, MOV or WebM is needed.")


def _described(head: bytes, size: int) -> str:
    return "it is empty" if size == 0 else f"it begins with {head[:8].hex(' ')}"


def _check_boxes(file: BinaryIO, size: int) -> None:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2): each must lie within the file, one be the index."""
    at, index = 0, b""
    for _ in range(_MAX_BOXES):
        if at + _BOX_HEADER > size:
            break
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4])
        if length == 1:
            length = int.from_bytes(header[8:16])
        if length == 0:
            length = size - at  # the box reaches to the end of the file
        if length < _BOX_HEADER or at + length > size:
            raise BadMedia(
                f"The video is truncated or damaged: {size} bytes found where its headers need {at + length}."
            )
        if header[4:8] == b"moov":
            file.seek(at)
            index = file.read(min(length, _MAX_INDEX))
        at += length
    if not index:
        raise BadMedia("The video is truncated or damaged: its index (moov) is missing.")
    if _ENCRYPTED.search(index):
        raise BadMedia("The video is encrypted; a video without protection is needed.")
    _check_tracks(index)


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """BadMedia for frames too large to decode."""
    if width * height > max_pixels or max(width, height) > _MAX_SIDE:
        raise BadMedia(
            f"The video's frames are {width}x{height} ({width * height / 1e6:.0f} megapixels); at most "
            f"{max_pixels / 1e6:.0f} megapixels and {_MAX_SIDE} pixels a side are allowed."
        )


def _check_tracks(index: bytes) -> None:
    """The sizes that the track headers state (tkhd, ISO/IEC 14496-12, 8.3.2): the last two fields, in 1/65536."""
    for found in re.finditer(b"tkhd", index):
        start = found.start() - 4
        end = start + int.from_bytes(index[start : start + 4])
        check_size(int.from_bytes(index[end - 8 : end - 6]), int.from_bytes(index[end - 4 : end - 2]))


def _check_segment(file: BinaryIO, size: int) -> None:
    """The Segment's stated length (RFC 8794, 6.2) must lie within the file; live streams state none."""
    file.seek(0)
    head = file.read(4096)
    at = head.find(_SEGMENT)
    if at < 0 or at + 5 > len(head):
        raise BadMedia("The video is truncated or damaged: it ends before its first segment.")
    first = head[at + 4]
    width = 9 - first.bit_length()
    if width > 8:
        raise BadMedia("The video is damaged: its segment's length cannot be read.")
    length = int.from_bytes(head[at + 4 : at + 4 + width]) - (1 << (7 * width))
    unknown = length == (1 << (7 * width)) - 1
    end = at + 4 + width + length
    if not unknown and end > size:
        raise BadMedia(f"The video is truncated: {size} bytes found where its headers need {end}.")
