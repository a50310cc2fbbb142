"""What other programs make of the clips, and the memory that making them takes."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opperlite.engine.clips import video
from tests.e2e import decoding
from tests.unit import video_samples as samples

FFMPEG = shutil.which("ffmpeg")
SIDES = st.integers(20, 100).map(lambda half: half * 2)
RATES = st.sampled_from([Fraction(5), Fraction(24000, 1001), Fraction(30), Fraction(60)])


@pytest.mark.skipif(FFMPEG is None or decoding.FFPROBE is None, reason="the ffmpeg program is not installed")
@settings(max_examples=4, deadline=None)
@given(width=SIDES, height=SIDES, fps=RATES, frames=st.integers(1, 20), seed=st.integers(0, 99), audio=st.booleans())
def test_the_ffmpeg_program_finds_what_was_asked(
    tmp_path_factory: pytest.TempPathFactory,
    width: int,
    height: int,
    fps: Fraction,
    frames: int,
    seed: int,
    audio: bool,
) -> None:
    folder = tmp_path_factory.mktemp("v")
    picture = samples.photograph(width, height, seed)
    source, out = folder / "source.png", folder / "v.mp4"
    Image.fromarray(picture).save(source)
    video.generate(out, "rain", width=width, height=height, fps=fps, frames=frames, image=source, audio=audio)
    found = decoding.probed(out)
    streams = {stream["codec_type"]: stream for stream in found["streams"]}
    assert set(streams) == ({"video", "audio"} if audio else {"video"})
    shown = streams["video"]
    assert (shown["codec_name"], shown["pix_fmt"], shown["color_space"]) == ("h264", "yuv420p", "bt709")
    assert (shown["width"], shown["height"], int(shown["nb_read_frames"])) == (width, height, frames)
    assert Fraction(shown["r_frame_rate"]) == Fraction(shown["avg_frame_rate"]) == fps
    assert float(shown["duration"]) == pytest.approx(float(frames / fps), abs=1e-5)
    assert float(found["format"]["duration"]) == pytest.approx(float(frames / fps), abs=1e-5)
    first = _first_frame(out, width, height)
    assert samples.psnr(first, picture) >= 35


def _first_frame(path: Path, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert FFMPEG is not None
    scale = "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int"
    words = [FFMPEG, "-v", "error", "-nostdin", "-i", path, "-frames:v", "1", "-vf", scale]
    ran = subprocess.run([*words, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True)
    return np.frombuffer(ran.stdout, np.uint8).reshape(height, width, 3)


_MAKE = """
import sys
from pathlib import Path
from opperlite.engine.clips import video
kind, folder, frames = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
size = {"width": 320, "height": 192, "fps": 24, "frames": frames}
if kind == "text":
    video.generate(folder / "o.mp4", "day turns to night, hills", audio=True, **size)
elif kind == "image":
    video.generate(folder / "o.mp4", "hills", image=folder / "source.png", audio=True, **size)
else:
    video.edit(folder / "o.mp4", "make it snow", folder / "source.mp4", **size)
# Not ru_maxrss, which begins with what the parent had.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["text", "image", "edit"])
def test_long_clips_need_no_more_memory_than_short_ones(tmp_path: Path, kind: str) -> None:
    Image.fromarray(samples.photograph(320, 192)).save(tmp_path / "source.png")
    samples.write(tmp_path / "source.mp4", width=320, height=192, fps=Fraction(24), frames=48)
    used = [
        int(
            subprocess.run(
                [sys.executable, "-c", _MAKE, kind, str(tmp_path), str(frames)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for frames in (40, 200)
    ]
    # 160 frames more are 15 MB of planes, 29 MB of RGB.
    assert used[1] - used[0] < 9e6
    assert used[1] < 200e6
