"""A clip from its submit until it is completed, beside the ffmpeg program on the same frames and sound."""

import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av

from opperlite.engine.clips.video_writer import SOUND_RATE
from tests.benchmarks.peers import ffmpeg
from tests.benchmarks.peers.installation import Installation, program
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import in_turns
from tests.e2e.server import Server, serving

GROUP = "clips"
_ROUNDS = 5
_POLL = 0.01


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    encoder = program("ffmpeg")
    with serving(folder) as server:
        first, made = _video(server)
        yield Row(GROUP, "first clip of 4 s, 1280x720, a worker has to start", "s", (first,))
        (folder / "ours.mp4").write_bytes(server.download(made["url"]))
        clip = _raw(folder, folder / "ours.mp4")
        encoding = partial(_encoded, encoder, clip, folder / "theirs.mp4") if encoder else None
        ours, theirs = in_turns(_ROUNDS, lambda: _video(server)[0], encoding)
    name, note = "4 s of 1280x720 with sound, submit to completed", "drawn and encoded"
    yield Row(GROUP, name, "s", ours, Aim("<=", 1.1), note, "ffmpeg, same frames and preset", theirs)


def _video(server: Server) -> tuple[float, dict[str, str]]:
    """Seconds until the job is completed, and its last status."""
    began = time.perf_counter()
    status_url = server.submit(VIDEO)["status_url"]
    while (status := server.get(status_url).json())["status"] == "processing":
        time.sleep(_POLL)
    assert status["status"] == "completed", status
    return time.perf_counter() - began, status


def _raw(folder: Path, made: Path) -> ffmpeg.Clip:
    """The frames and the sound of a finished clip, decoded into files."""
    frames, sound = folder / "frames.yuv", folder / "sound.raw"
    resampler = av.AudioResampler("s16", "stereo", SOUND_RATE)
    with av.open(str(made), "r") as container, frames.open("wb") as pictures, sound.open("wb") as samples:
        video = container.streams.video[0]
        width, height, fps = video.width, video.height, Fraction(video.average_rate or 0)
        for frame in container.decode(video, container.streams.audio[0]):
            if isinstance(frame, av.VideoFrame):
                pictures.write(frame.to_ndarray().tobytes())
            elif isinstance(frame, av.AudioFrame):
                samples.writelines(part.to_ndarray().tobytes() for part in resampler.resample(frame))
    return ffmpeg.Clip(frames, sound, width, height, fps)


def _encoded(encoder: str, clip: ffmpeg.Clip, target: Path) -> float:
    began = time.perf_counter()
    ffmpeg.encode(encoder, clip, target)
    return time.perf_counter() - began
