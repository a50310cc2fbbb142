"""The ffmpeg program, given raw frames and raw sound, with the settings that the server's own clips have."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from opperlite.engine.clips.video_writer import SOUND_RATE, encoder_options

_THREADS = 2  # as many as encode the server's clips


@dataclass(frozen=True)
class Clip:
    """Frames (yuv420p) and sound (16 bits, stereo) in two files."""

    frames: Path
    sound: Path
    width: int
    height: int
    fps: Fraction


def command(program: str, clip: Clip, target: Path) -> list[str]:
    """What encodes a clip to H.264 and AAC in MP4, the index in front."""
    options = encoder_options(clip.width, clip.height, clip.fps, None)
    size = f"{clip.width}x{clip.height}"
    pictures = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(clip.fps), "-i", str(clip.frames)]
    sound = ["-f", "s16le", "-ar", str(SOUND_RATE), "-ac", "2", "-i", str(clip.sound)]
    encoder = ["-c:v", "libx264", "-threads", str(_THREADS)]
    encoder += [word for name, value in options.items() for word in (f"-{name}", value)]
    rest = ["-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", str(target)]
    return [program, "-v", "error", "-nostdin", "-y", *pictures, *sound, *encoder, *rest]


def encode(program: str, clip: Clip, target: Path) -> None:
    subprocess.run(command(program, clip, target), check=True)
