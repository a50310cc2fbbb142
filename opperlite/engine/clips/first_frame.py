"""How finely a clip's first frame must be quantized to show the picture it was given."""

from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from PIL import Image, ImageChops

from opperlite.engine.clips.video_writer import ColorConverter, Picture, encoder_options, shown

_ENOUGH: Final = 37.0  # dB of PSNR; 35 are promised
_CHOICES: Final = (18, 14, 10, 6, 2)


def quantizer(picture: Picture, fps: Fraction) -> int:
    """The coarsest quantizer of H.264 at which the picture survives with 37 dB; the finest if none does."""
    planes = ColorConverter()(picture)
    # Colour at half resolution can cost more than quantizing does: no quantizer makes up for that.
    ceiling = min(_ENOUGH, psnr(picture, shown(planes)) - 0.7)
    for choice in _CHOICES:
        if psnr(picture, shown(_coded(planes, fps, choice))) >= ceiling:
            return choice
    return _CHOICES[-1]


def psnr(first: Picture, second: Picture) -> float:
    """Peak signal-to-noise ratio of two RGB pictures in dB."""
    counts = np.array(ImageChops.difference(Image.fromarray(first), Image.fromarray(second)).histogram(), np.float64)
    error = float((counts.reshape(3, 256) * np.arange(256.0) ** 2).sum()) / first.size
    return 99.0 if error == 0 else float(10 * np.log10(255.0**2 / error))


def _coded(planes: VideoFrame, fps: Fraction, choice: int) -> VideoFrame:
    encoder: VideoCodecContext = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = planes.width, planes.height, "yuv420p"
    encoder.time_base, encoder.framerate = 1 / fps, fps
    encoder.thread_count = 1
    encoder.options = encoder_options(planes.width, planes.height, fps, choice)
    decoder: VideoCodecContext = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    planes.pts, planes.time_base = 0, 1 / fps
    packets = [*encoder.encode(planes), *encoder.encode(None)]
    return [*(frame for packet in packets for frame in decoder.decode(packet)), *decoder.decode(None)][0]
