"""Make, change, lengthen and look into videos.

Every clip is H.264 (yuv420p, BT.709) and AAC in MP4, index first, at a constant rate with an exact frame count. The
same arguments give the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from av.video.frame import VideoFrame

from opperlite.engine.clips import clips, first_frame, footage
from opperlite.engine.clips.pipeline import Progress, ahead, bound_heap
from opperlite.engine.clips.references import References
from opperlite.engine.clips.scene_clip import SceneClip
from opperlite.engine.clips.soundtrack import Soundtrack
from opperlite.engine.clips.video_container import MAX_PIXELS
from opperlite.engine.clips.video_reader import MAX_SECONDS, VideoReader, sound
from opperlite.engine.clips.video_streams import LARGE_FRAME, SoundOnly, VideoInfo
from opperlite.engine.clips.video_writer import (
    SOUND_RATE,
    ColorConverter,
    Picture,
    Samples,
    VideoWriter,
    check_sides,
    shown,
)
from opperlite.engine.pictures import picture, pixels, scene

__all__ = ["SoundOnly", "VideoInfo", "edit", "extend", "generate", "probe", "spritesheet", "thumbnail"]

_MIN_FPS: Final = 1
_MAX_FPS: Final = 120
_SOUND_LEAD: Final = Fraction(1, 2)  # seconds of sound written before the pictures beside them
_SOUND_BLOCK: Final = SOUND_RATE

Told = Callable[[float], None]


def probe(path: Path, *, max_duration: float = MAX_SECONDS, max_pixels: int = MAX_PIXELS) -> VideoInfo:
    """Measure a video file.

    BadMedia when it cannot be decoded, holds no frame, is encrypted, or is beyond the bounds: seconds of the whole,
    pixels of one frame. SoundOnly, one kind of BadMedia, when it has no pictures.
    """
    with VideoReader(path, max_duration=max_duration, max_pixels=max_pixels) as reader:
        return reader.info


def generate(
    out: Path,
    prompt: str,
    *,
    width: int,
    height: int,
    fps: float | Fraction,
    frames: int,
    seed: int = 0,
    audio: bool = False,
    style: str | None = None,
    image: Path | None = None,
    last_image: Path | None = None,
    references: Sequence[Path] = (),
    progress: Told | None = None,
) -> VideoInfo:
    """Draw a clip of the prompt's scene, or of motion within `image`, which then is the first frame.

    Sides in pixels must be even, `fps` lie from 1 to 120. With `last_image` the clip ends on that picture;
    `references` lend their colour and float in front. What `progress` raises ends the work and leaves no file.
    BadMedia for a picture that cannot be decoded.
    """
    rate = _rate(fps)
    _check_frames(frames)
    _prepare(width, height)
    composed = scene.compose(prompt, seed=seed, style=style)
    quantizer = None
    if image is None:
        clip: clips.Clip = SceneClip(composed, width, height, rate, float(frames / rate))
    else:
        first = clips.still(image, width, height)
        last = clips.still(last_image, width, height) if last_image else None
        clip = clips.StillClip(prompt, first, last=last, fps=rate, frames=frames, seed=seed)
        quantizer = first_frame.quantizer(first, rate)
    track = Soundtrack(prompt, composed.quoted, float(frames / rate), seed) if audio else None
    with VideoWriter(
        out, width=width, height=height, fps=rate, sound=audio, first_quantizer=quantizer, steady=True
    ) as writer:
        planes = clips.frames(clip, frames)
        if references:
            lent = References.opened(references, width, height, seed)
            planes = (
                lent.over_planes(frame, float(index / rate), rising=image is not None)
                for index, frame in enumerate(planes)
            )
        _write(writer, planes, frames, _blocks(track) if track else None, progress)
    return _written(width, height, rate, frames, audio)


def edit(
    out: Path,
    prompt: str,
    source: Path,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | Fraction | None = None,
    frames: int | None = None,
    mask: Path | None = None,
    references: Sequence[Path] = (),
    seed: int = 0,
    progress: Told | None = None,
) -> VideoInfo:
    """Apply the prompt's words to every frame of a video; its sound goes along.

    Length, size (made even), rate stay the source's unless given; beyond the source's end its last frame moves on.
    With a mask, a picture or a video, only what it marks changes. BadMedia for a source or mask that cannot be used.
    """
    with VideoReader(source) as reader:
        info = reader.info
        editor = picture.editor(prompt, seed=seed)
        wide, high = footage.edited_size(editor, info, masked=mask is not None)
        size = _even(width or wide), _even(height or high)
        rate = _rate(fps if fps is not None else min(info.fps, Fraction(_MAX_FPS)))
        count = frames if frames is not None else max(1, round(Fraction(info.duration) * rate))
        _check_frames(count)
        _prepare(*size)
        edited = footage.edited(reader, editor, size, rate, count, mask, references)
        planes = _continued(edited, size, prompt, rate, count, seed)
        heard = sound(source) if info.has_audio else None
        with VideoWriter(out, width=size[0], height=size[1], fps=rate, sound=info.has_audio) as writer:
            _write(writer, planes, count, heard, progress)
    return _written(*size, rate, count, info.has_audio)


def extend(
    out: Path, prompt: str, source: Path, *, frames: int, seed: int = 0, progress: Told | None = None
) -> VideoInfo:
    """The source, then `frames` more in which its last frame moves on as the prompt says.

    Size (made even), rate and sound are the source's. BadMedia for a source that cannot be used.
    """
    _check_frames(frames)
    with VideoReader(source) as reader:
        info = reader.info
        size, rate = (_even(info.width), _even(info.height)), _rate(min(info.fps, Fraction(_MAX_FPS)))
        kept = max(1, round(Fraction(info.duration) * rate))
        _prepare(*size)
        planes = _continued(reader.pictures(rate, kept, *size), size, prompt, rate, kept + frames, seed)
        heard = _then(source, prompt, kept / rate, frames / rate, seed) if info.has_audio else None
        with VideoWriter(out, width=size[0], height=size[1], fps=rate, sound=info.has_audio) as writer:
            _write(writer, planes, kept + frames, heard, progress)
    return _written(*size, rate, kept + frames, info.has_audio)


def thumbnail(source: Path, *, width: int | None = None) -> Picture:
    """A picture from the first second of a video: RGB, of its own size or `width` pixels wide."""
    with VideoReader(source) as reader:
        shown = reader.at(min(1.0, reader.info.duration / 3))
    if width is None:
        return shown
    return pixels.resize(shown, width, max(1, round(shown.shape[0] * width / shown.shape[1])))


def spritesheet(source: Path, *, columns: int = 5, rows: int = 5, width: int = 160) -> Picture:
    """Pictures taken evenly over a video in a grid, row by row: RGB, each `width` pixels wide."""
    with VideoReader(source) as reader:
        info = reader.info
        height = max(1, round(info.height * width / info.width))
        sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
        for index in range(rows * columns):
            top, left = index // columns * height, index % columns * width
            shown = reader.at(info.duration * (index + 0.5) / (rows * columns))
            sheet[top : top + height, left : left + width] = pixels.resize(shown, width, height)
    return sheet


def _rate(fps: float | Fraction) -> Fraction:
    rate = Fraction(fps).limit_denominator(1001)
    if not _MIN_FPS <= rate <= _MAX_FPS:
        raise ValueError(f"fps must be from {_MIN_FPS} to {_MAX_FPS}, not {fps}")
    return rate


def _check_frames(frames: int) -> None:
    if frames < 1:
        raise ValueError(f"a clip needs at least one frame, not {frames}")


def _prepare(width: int, height: int) -> None:
    check_sides(width, height)
    if width * height > LARGE_FRAME:
        bound_heap()


def _even(side: int) -> int:
    return max(2, side - side % 2)


def _written(width: int, height: int, rate: Fraction, frames: int, audio: bool) -> VideoInfo:
    return VideoInfo(width, height, float(frames / rate), rate, frames, "video/mp4", audio, "h264")


def _write(
    writer: VideoWriter,
    planes: Iterator[VideoFrame],
    total: int,
    heard: Iterator[Samples] | None,
    progress: Told | None,
) -> None:
    """Encode frames as they are drawn, with the sound beside them, cut or filled up to the pictures' length."""
    told = Progress(progress, total)
    length = round(Fraction(total) / writer.fps * SOUND_RATE)
    feed = _Feed(writer, heard, length) if heard is not None else None
    with closing(ahead(planes, 1 if writer.large else 2)) as drawn:
        for count, frame in enumerate(drawn, start=1):
            writer.write(frame)
            if feed:
                feed.until(writer.seconds + _SOUND_LEAD)
            told.done(count)
    if feed:
        feed.until(writer.seconds)


class _Feed:
    """Sound handed to a writer bit by bit, so that it lies beside the pictures in the file."""

    def __init__(self, writer: VideoWriter, blocks: Iterator[Samples], length: int) -> None:
        self._writer, self._blocks, self._left, self._given = writer, blocks, length, 0

    def until(self, seconds: Fraction) -> None:
        while self._left > 0 and self._given < seconds * SOUND_RATE:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((min(self._left, _SOUND_BLOCK), 2), np.int16)
            block = block[: self._left]
            self._writer.write_sound(block)
            self._given += len(block)
            self._left -= len(block)


def _blocks(track: Soundtrack) -> Iterator[Samples]:
    for start in range(0, track.samples, _SOUND_BLOCK):
        yield track.block(start, _SOUND_BLOCK)


def _then(source: Path, prompt: str, kept: Fraction, added: Fraction, seed: int) -> Iterator[Samples]:
    """The source's sound for `kept` seconds, then a new track."""
    left = round(kept * SOUND_RATE)
    for block in sound(source):
        yield block[:left]
        left -= min(left, len(block))
        if not left:
            break
    if left:
        yield np.zeros((left, 2), np.int16)
    quoted = scene.compose(prompt, seed=seed).quoted
    yield from _blocks(Soundtrack(prompt, quoted, float(added), seed))


def _continued(
    pictures: Iterable[Picture], size: tuple[int, int], prompt: str, rate: Fraction, count: int, seed: int
) -> Iterator[VideoFrame]:
    """Pictures as planes; when they end before `count`, the last one moves on."""
    done, last = 0, None
    for last in map(ColorConverter(size), pictures):
        yield last
        done += 1
    if last is not None and done < count:
        clip = clips.StillClip(prompt, shown(last), last=None, fps=rate, frames=count - done + 1, seed=seed)
        for index in range(1, count - done + 1):
            yield clip.frame(index)
