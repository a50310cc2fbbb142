"""Transcripts as subtitles: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence

from opperlite.domain.types import Segment


def srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues, with commas before the milliseconds."""
    cues = (
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{_line(one)}\n"
        for number, one in enumerate(segments, 1)
    )
    return "\n".join(cues)


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT (W3C): a head, then cues with points before the milliseconds."""
    cues = (f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n{_line(one)}\n" for one in segments)
    return "\n".join(["WEBVTT\n", *cues])


def _line(segment: Segment) -> str:
    """The text without what would end a cue."""
    return " ".join(segment.text.split()).replace("-->", "->")


def _time(seconds: float, mark: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{mark}{thousandths:03}"
