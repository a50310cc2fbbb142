"""Requests by provider: what its API takes and what it refuses, each with the source of the rule.

Sources: [guide] the images and video guides of docs.opper.ai; [contract] Opper's reference pages and the decisions
that fill their gaps; [sdk] the vendor's SDK; [api] its OpenAPI document; [doc] its documentation; [iss] error texts
quoted in public issue threads; [mem] believed, unsourced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opperlite.domain.types import (
    ImageRequest,
    Media,
    Source,
    SourceForm,
    SpeechRequest,
    TranscriptionRequest,
    VideoRequest,
)

Request = ImageRequest | VideoRequest | SpeechRequest | TranscriptionRequest


@dataclass(frozen=True)
class Row:
    """One request. `plan` are members that the plan must have, `refused` is the field that a refusal must name."""

    request: Request
    source: str
    plan: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None
    media: dict[str, list[Media]] = field(default_factory=dict)
    says: str = ""


def source(form: SourceForm, name: str = "image") -> Source:
    values = {
        "url": "https://example.com/x.png",
        "data": "data:image/png;base64,AA==",
        "file": "file_x",
        "gs": "gs://b/x",
    }
    return Source(form=form, value=values[form], field=name)


def picture(width: int = 1024, height: int = 1024, mime: str = "image/png", size: int = 1000) -> Media:
    return Media("image", mime, size, width, height)


def clip(duration: float = 4.0, width: int = 1280, height: int = 720, mime: str = "video/mp4") -> Media:
    return Media("video", mime, 1000, width, height, duration, 24.0, round(duration * 24), True)


def recording(duration: float = 5.0, mime: str = "audio/mpeg") -> Media:
    return Media("audio", mime, 1000, duration=duration, has_audio=True)


URL, DATA, FILE, GS = (source(form) for form in ("url", "data", "file", "gs"))  # type: ignore[arg-type]
AUDIO = source("file", "audio")


def I(model: str, prompt: str = "a cat", **members: Any) -> ImageRequest:  # noqa: E743
    return ImageRequest(model=model, prompt=prompt, **members)


def V(model: str, prompt: str = "a cat", **members: Any) -> VideoRequest:
    return VideoRequest(model=model, prompt=prompt, **members)


def S(model: str, text: str = "Hello from here.", **members: Any) -> SpeechRequest:
    return SpeechRequest(model=model, input=text, **members)


def T(model: str, **members: Any) -> TranscriptionRequest:
    return TranscriptionRequest(model=model, audio=members.pop("audio", AUDIO), **members)


def p(**parameters: Any) -> dict[str, Any]:
    return {"parameters": parameters}


def takes(request: Request, where: str, media: dict[str, list[Media]] | None = None, **plan: Any) -> Row:
    return Row(request, where, plan=plan, media=media or {})


def refuses(
    request: Request, named: str, where: str, says: str = "", media: dict[str, list[Media]] | None = None
) -> Row:
    return Row(request, where, refused=named, says=says, media=media or {})


GPT, GPT2, GPT25, DALLE = "openai/gpt-image-1", "openai/gpt-image-2", "openai/gpt-image-2.5-sunburst", "openai/dall-e-3"
SORA, PRO = "openai/sora-2", "openai/sora-2-pro"
DIARIZE = "openai/gpt-4o-transcribe-diarize"

OPENAI = [
    takes(I(GPT, size="1024x1024"), "[guide] first example", width=1024, height=1024, n=1, format="png"),
    takes(I(GPT, image=FILE), "[guide] edit", media={"image": [picture(640, 480)]}, width=1536, height=1024),
    takes(I(GPT, n=4, quality="high", size="1024x1536"), "[guide] table", n=4, width=1024, height=1536, quality="high"),
    takes(I(GPT, quality="hd"), "[contract] C.3", quality="high", parameters={"quality": "high"}),
    takes(I(GPT, **p(output_format="webp", output_compression=60)), "[sdk]", format="webp", compression=60),
    takes(I(GPT, **p(background="transparent")), "[sdk]", transparent=True),
    takes(I(GPT, **p(caption=False)), "our own parameter", caption=False, parameters={"quality": "medium"}),
    takes(I(GPT, aspect_ratio="3:2"), "[contract] decision 21", width=1536, height=1024),
    takes(
        I(GPT, size="1024x1024", aspect_ratio="3:2"), "[contract] decision 21: the native wins", width=1024, height=1024
    ),
    takes(I(GPT2, size="1280x720"), "[sdk] free sizes", width=1280, height=720),
    takes(I(GPT2, aspect_ratio="16:9"), "[sdk] bridged ratio", width=1536, height=864),
    takes(I(GPT2, quality="4k", aspect_ratio="16:9"), "[sdk] 4k", width=3840, height=2160, quality="4k"),
    takes(I(GPT25, quality="xhigh"), "[sdk]", parameters={"quality": "xhigh"}),
    takes(
        I(DALLE, quality="high", style="natural", aspect_ratio="16:9"),
        "[sdk]",
        width=1792,
        height=1024,
        parameters={"quality": "hd", "style": "natural", "size": "1792x1024"},
    ),
    takes(V(SORA, **p(seconds="4", size="1280x720")), "[guide] example", width=1280, height=720, fps=30, frames=120),
    takes(
        V(SORA, image=FILE),
        "[guide] files: no size asked",
        media={"image": [picture(640, 480)]},
        width=720,
        height=1280,
    ),
    takes(
        V(SORA, image=URL, **p(seconds="4", size="720x1280")),
        "[guide] image to video",
        media={"image": [picture(720, 1280, "image/jpeg")]},
        width=720,
        height=1280,
    ),
    takes(V(SORA, video=FILE), "[sdk] videos/edits", media={"video": [clip(6.0)]}, width=1280, height=720, frames=144),
    takes(V(PRO, **p(seconds="12", size="1792x1024")), "[sdk]", width=1792, height=1024, frames=360),
    takes(S("openai/tts-1"), "[contract] A.12", voice="alloy", format="mp3", speed=1.0),
    takes(S("openai/tts-1", voice="nova", format="opus", speed=4.0), "[sdk]", voice="nova", format="opus", speed=4.0),
    takes(S("openai/gpt-4o-mini-tts", voice="marin", **p(instructions="Whisper.")), "[sdk]", instructions="Whisper."),
    takes(T("openai/whisper-1", language="sv"), "[sdk]", language="sv", recognizer="record"),
    takes(T("openai/whisper-1", **p(recognizer="acoustic")), "our own parameter", recognizer="acoustic"),
    takes(T(DIARIZE, diarize=True), "[sdk]", media={"audio": [recording(90)]}, diarize=True),
    takes(T(DIARIZE), "[sdk] at most 30 s without chunking", media={"audio": [recording(30)]}, diarize=False),
    takes(T("openai/gpt-4o-transcribe"), "[iss]", media={"audio": [recording(1400)]}),
    refuses(I(GPT, size="1280x720"), "size", "[guide] validated against the model's sizes"),
    refuses(I(GPT, aspect_ratio="16:9"), "aspect_ratio", "[contract] decision 21: off by more than 5 %"),
    refuses(I(GPT, quality="4k"), "quality", "[guide] 4k where a model declares it"),
    refuses(I(GPT, style="vivid"), "style", "[guide] DALL·E 3"),
    refuses(I(GPT, **p(input_fidelity="high")), "parameters.input_fidelity", "[sdk] edits only", "Unknown parameter"),
    refuses(I(GPT, image=FILE, **p(moderation="low")), "parameters.moderation", "[sdk] generations only"),
    takes(I(GPT, image=FILE, **p(input_fidelity="high")), "[sdk] edits"),
    refuses(
        T("openai/whisper-1", **p(response_format="srt", timestamp_granularities=["word"])),
        "parameters.response_format",
        "[sdk] verbose_json only",
    ),
    takes(T("openai/whisper-1", **p(response_format="srt")), "[sdk]"),
    refuses(I(GPT, n=5), "n", "[guide] max 4"),
    refuses(I(GPT, mask=FILE), "mask", "[contract] decision 19"),
    refuses(I(GPT, **p(foo=1)), "parameters.foo", "[iss]", "Unknown parameter: 'foo'."),
    refuses(
        I(GPT, **p(response_format="url")),
        "parameters.response_format",
        "[sdk] retired models only",
        "Unknown parameter",
    ),
    refuses(I(GPT, **p(n="2")), "parameters.n", "[sdk]", "expected integer"),
    refuses(I(GPT, **p(output_compression=101)), "parameters.output_compression", "[sdk]"),
    refuses(I(GPT, **p(background="transparent", output_format="jpeg")), "parameters.output_format", "[sdk]"),
    refuses(
        I(GPT, image=FILE, mask=FILE),
        "mask",
        "[sdk] same dimensions",
        media={"image": [picture()], "mask": [picture(512, 512)]},
    ),
    refuses(I(GPT, image=FILE), "image", "[sdk] png, webp, jpg", media={"image": [picture(mime="image/gif")]}),
    refuses(I(GPT, image=FILE), "image", "[sdk] below 50 MB", media={"image": [picture(size=60_000_000)]}),
    refuses(I(GPT, image=FILE, reference_images=(FILE,) * 16), "reference_images", "[sdk] 16 images"),
    refuses(
        I(GPT2, **p(size="4096x1024")), "parameters.size", "[iss]", "longest edge must be less than or equal to 3840"
    ),
    refuses(I(GPT2, **p(size="1000x1000")), "parameters.size", "[iss]", "must both be divisible by 16"),
    refuses(I(GPT2, **p(size="3200x1024")), "parameters.size", "[iss]", "ratio must be less than or equal to 3:1"),
    refuses(I(GPT2, **p(size="512x512")), "parameters.size", "[iss]", "below the current minimum pixel budget"),
    refuses(I(GPT2, size="1000x1000"), "size", "[sdk]", "divisible by 16"),
    refuses(I(DALLE, image=FILE), "image", "[guide] a clear 400", "from text only"),
    refuses(I(DALLE, "a" * 4001), "prompt", "[mem] 4000 characters", "maximum length 4000"),
    refuses(I(DALLE, **p(n=2)), "parameters.n", "[sdk] one image"),
    refuses(I(DALLE, style="gothic"), "style", "[guide]"),
    refuses(V(SORA, **p(seconds=4)), "parameters.seconds", "[sdk] a string", "expected string"),
    refuses(V(SORA, **p(seconds="5")), "parameters.seconds", "[sdk]", "4, 8, 12"),
    refuses(V(SORA, **p(size="1792x1024")), "parameters.size", "[sdk] pro only"),
    refuses(
        V(SORA, image=FILE, **p(size="720x1280")),
        "image",
        "[guide, iss]",
        "Inpaint image must match the requested width and height",
        media={"image": [picture(1280, 720)]},
    ),
    refuses(V(SORA, image=GS), "image", "[guide] gs:// for Veo only"),
    refuses(V(SORA, video=FILE, **p(seconds="4")), "parameters.seconds", "[sdk] edits take no seconds"),
    refuses(S("openai/tts-1", voice="marin"), "voice", "[sdk] not on tts-1"),
    refuses(S("openai/tts-1", "a" * 4097), "input", "[sdk] 4096 characters"),
    refuses(S("openai/tts-1", speed=4.1), "speed", "[sdk]"),
    refuses(S("openai/tts-1", format="ogg"), "format", "[contract] A.12"),
    refuses(S("openai/tts-1", **p(instructions="x")), "parameters.instructions", "[sdk] not on tts-1"),
    refuses(T("openai/whisper-1", diarize=True), "diarize", "[contract] A.13"),
    refuses(T("openai/whisper-1", language="english"), "language", "[sdk] ISO 639-1"),
    refuses(T("openai/gpt-4o-transcribe", **p(response_format="srt")), "parameters.response_format", "[sdk] json only"),
    refuses(
        T("openai/gpt-4o-transcribe"), "audio", "[iss]", "longer than 1400 seconds", media={"audio": [recording(1401)]}
    ),
    refuses(
        T("openai/whisper-1"),
        "audio",
        "[sdk] formats",
        media={"audio": [recording(mime="audio/amr")]},
        says="audio/amr",
    ),
    refuses(T(DIARIZE), "parameters.chunking_strategy", "[sdk] required above 30 s", media={"audio": [recording(31)]}),
    refuses(T(DIARIZE, prompt="x", **p(prompt="x")), "parameters.prompt", "[sdk] not on diarize"),
]

GROK, GROK2, GVIDEO, GVIDEO15 = (
    "xai/grok-imagine-image",
    "xai/grok-imagine-image-2.0",
    "xai/grok-imagine-video",
    "xai/grok-imagine-video-1.5",
)

XAI = [
    takes(I(GROK), "[sdk]", width=1024, height=1024),
    takes(I(GROK, aspect_ratio="19.5:9"), "[sdk]", parameters={"aspect_ratio": "19.5:9"}),
    takes(I(GROK, size="1536x1024"), "[contract] decision 21", parameters={"aspect_ratio": "3:2", "resolution": "2k"}),
    takes(I(GROK, size="1024x1024"), "[contract] decision 21", parameters={"aspect_ratio": "1:1"}),
    takes(I(GROK, quality="high"), "high is 2k", width=2048, height=2048),
    takes(I(GROK2, quality="low"), "[sdk]", parameters={"quality": "low"}),
    takes(
        I(GROK, image=DATA), "[doc] ratio is the image's", media={"image": [picture(1600, 900)]}, width=1376, height=774
    ),
    takes(I(GROK, image=URL, reference_images=(URL, URL)), "[doc] up to 3 images"),
    takes(I(GROK, n=2, **p(n=10)), "[doc] n up to 10", n=10),
    takes(
        V(GVIDEO, **p(duration=6, aspect_ratio="16:9", resolution="720p")),
        "[guide] example",
        width=1280,
        height=720,
        frames=144,
    ),
    takes(V(GVIDEO), "[sdk] defaults", width=854, height=480, frames=192, audio=True),
    takes(
        V(GVIDEO, video=URL), "[doc] edit", media={"video": [clip(8.7, 640, 480)]}, width=640, height=480, frames=209
    ),
    takes(V(GVIDEO, image=DATA, **p(duration=15)), "[doc] data URI", frames=360),
    takes(V(GVIDEO15, **p(resolution="1080p", generate_audio=False)), "[sdk]", width=1920, height=1080, audio=False),
    takes(V(GVIDEO, reference_images=(URL,) * 7), "[doc] 7 references"),
    takes(S("xai/grok-tts", voice="Rex", speed=0.7), "[sdk] any case", voice="rex", speed=0.7),
    takes(
        S("xai/grok-tts", format="opus"), "made from wav", format="opus", parameters={"output_format": {"codec": "wav"}}
    ),
    takes(T("xai/grok-stt", **p(language="auto")), "[sdk]", language=None),
    takes(T("xai/grok-stt", diarize=True, language="en"), "[sdk]", diarize=True, language="en"),
    refuses(I(GROK, **p(size="1024x1024")), "parameters.size", "[sdk] no size", "Argument not supported: size"),
    refuses(I(GROK, **p(seed=1)), "parameters.seed", "[sdk] no seed"),
    refuses(I(GROK, image=FILE, mask=FILE), "mask", "[sdk] no mask"),
    refuses(I(GROK, aspect_ratio="5:4"), "aspect_ratio", "[sdk]"),
    refuses(I(GROK, size="1000x300"), "size", "[contract] decision 21: no near ratio"),
    refuses(I(GROK, style="vivid"), "style", "style is rejected"),
    refuses(I(GROK, quality="4k"), "quality", "4k is rejected"),
    refuses(I(GROK, **p(resolution="4k")), "parameters.resolution", "[sdk]"),
    refuses(I(GROK, **p(quality="low")), "parameters.quality", "[sdk] 2.0 only"),
    refuses(I(GROK, image=URL, reference_images=(URL,) * 3), "reference_images", "[doc] 3 images"),
    refuses(V(GVIDEO, **p(duration=16)), "parameters.duration", "[sdk] 1 to 15"),
    refuses(V(GVIDEO, **p(duration=0)), "parameters.duration", "[sdk] 1 to 15"),
    refuses(V(GVIDEO, **p(duration="6")), "parameters.duration", "[sdk] an integer"),
    refuses(V(GVIDEO, **p(resolution="1080p")), "parameters.resolution", "[sdk] 1.5 only"),
    refuses(V(GVIDEO, **p(fps=30)), "parameters.fps", "[sdk] no fps"),
    refuses(V(GVIDEO, reference_images=(URL,) * 8), "reference_images", "[doc] 7 references"),
    refuses(V(GVIDEO15, reference_images=(URL,), **p(resolution="1080p")), "parameters.resolution", "[doc] 720p"),
    refuses(V(GVIDEO, video=URL), "video", "[doc] 8.7 s", "8.7", media={"video": [clip(8.8)]}),
    refuses(V(GVIDEO, video=URL, **p(duration=5)), "parameters.duration", "[doc] not on edits"),
    refuses(V(GVIDEO, "a" * 4097), "prompt", "[sdk] 4096 characters"),
    refuses(S("xai/grok-tts", speed=1.6), "speed", "[sdk] 0.7 to 1.5"),
    refuses(S("xai/grok-tts", voice="alloy"), "voice", "[sdk]"),
    refuses(S("xai/grok-tts", "a" * 15001), "input", "[sdk] 15 000 characters"),
    refuses(T("xai/grok-stt", **p(channels=9, multichannel=True)), "parameters.channels", "[sdk] 2 to 8"),
]

IMAGEN, FLASH, GEMINI = (
    "vertexai/imagen-4.0-fast-generate-001-eu",
    "vertexai/gemini-3.1-flash-image",
    "vertexai/gemini-3-pro-image",
)
VEO, FAST, LITE, OMNI = (
    "vertexai/veo-3.1-generate-001",
    "vertexai/veo-3.1-fast-generate-001",
    "vertexai/veo-3.1-lite-generate-001",
    "vertexai/gemini-omni-1.2-flash",
)

VERTEXAI = [
    takes(I(IMAGEN), "[contract] the command line's default", width=1024, height=1024),
    takes(I(IMAGEN, aspect_ratio="16:9", n=4), "[doc]", width=1408, height=768, n=4),
    takes(
        I("vertexai/imagen-4.0-generate-001", quality="high", aspect_ratio="3:4"), "[doc] 2K", width=1792, height=2560
    ),
    takes(I(IMAGEN, size="1024x1024"), "[contract] decision 21", parameters={"aspectRatio": "1:1"}),
    takes(
        I(IMAGEN, **p(seed=7, outputOptions={"mimeType": "image/jpeg", "compressionQuality": 50})),
        "[sdk]",
        seed=7,
        format="jpeg",
        compression=50,
    ),
    takes(I(FLASH, quality="low", aspect_ratio="1:4"), "[doc]", width=256, height=1024),
    takes(I(GEMINI, quality="4k"), "[doc] 4K", width=4096, height=4096),
    takes(
        I(GEMINI, size="2048x2048"),
        "[contract] decision 21",
        parameters={"imageConfig": {"aspectRatio": "1:1", "imageSize": "2K"}},
    ),
    takes(
        I(GEMINI, image=URL), "[doc] the image's ratio", media={"image": [picture(1000, 1500)]}, width=848, height=1264
    ),
    takes(
        V(FAST, **p(durationSeconds=4, resolution="720p", generateAudio=False)),
        "[guide] example",
        width=1280,
        height=720,
        fps=24,
        frames=96,
        audio=False,
    ),
    takes(V(VEO, image=DATA), "[guide] bytes", width=1280, height=720, frames=192, audio=True),
    takes(V(VEO, image=GS), "[guide] gs://"),
    takes(
        V(VEO, image=FILE, **p(aspectRatio="9:16", resolution="1080p")),
        "[contract] decision 24",
        width=1080,
        height=1920,
    ),
    takes(V(VEO, reference_images=(DATA,) * 3, **p(durationSeconds=8)), "[doc] 8 s", frames=192),
    takes(
        V(VEO, video=FILE, **p(durationSeconds=6)),
        "[doc] extension",
        media={"video": [clip(8, 720, 1280)]},
        width=720,
        height=1280,
        frames=336,
    ),
    takes(
        V(OMNI, **p(response_format={"duration": "15s", "resolution": "4k"})),
        "[doc]",
        width=3840,
        height=2160,
        frames=360,
    ),
    takes(S("vertexai/gemini-3.8-flash-tts", voice="Puck"), "[doc]", voice="Puck"),
    takes(T("vertexai/gemini-3.5-transcribe", diarize=True), "[sdk]", diarize=True),
    refuses(I(IMAGEN, image=FILE), "image", "[guide] a clear 400", "from text only"),
    refuses(I(IMAGEN, aspect_ratio="21:9"), "aspect_ratio", "[sdk] five ratios"),
    refuses(I(IMAGEN, quality="4k"), "quality", "[guide]"),
    refuses(I(IMAGEN, **p(sampleCount=5)), "parameters.sampleCount", "[sdk] 1 to 4"),
    refuses(I(IMAGEN, **p(sampleImageSize="2K")), "parameters.sampleImageSize", "1K only"),
    refuses(I(IMAGEN, **p(seed=7, addWatermark=True)), "parameters.seed", "[sdk]", "watermark"),
    refuses(I(IMAGEN, **p(aspect_ratio="1:1")), "parameters.aspect_ratio", "[sdk]", 'Unknown name "aspect_ratio"'),
    refuses(I(GEMINI, image=FILE, mask=FILE), "mask", "[doc] no mask"),
    refuses(I(GEMINI, aspect_ratio="1:8"), "aspect_ratio", "[doc] 3.1 flash only"),
    refuses(I(GEMINI, **p(imageConfig={"imageSize": "2k"})), "parameters.imageConfig.imageSize", "[doc] upper-case K"),
    refuses(I(GEMINI, image=FILE, reference_images=(FILE,) * 14), "reference_images", "[doc] 14 images"),
    refuses(V(VEO, **p(durationSeconds=5)), "parameters.durationSeconds", "[doc]", "4, 6, 8"),
    refuses(V(VEO, **p(durationSeconds="4")), "parameters.durationSeconds", "[doc] an integer"),
    refuses(V(VEO, **p(aspectRatio="1:1")), "parameters.aspectRatio", "[doc]"),
    refuses(V(VEO, image=URL), "image", "[guide] an http URL is not fetched", "is not fetched"),
    refuses(V(LITE, **p(resolution="4k")), "parameters.resolution", "[doc]"),
    refuses(V(VEO, reference_images=(DATA,), **p(durationSeconds=4)), "parameters.durationSeconds", "[doc] 8 s"),
    refuses(V(VEO, reference_images=(DATA,), **p(aspectRatio="9:16")), "parameters.aspectRatio", "[doc] not 9:16"),
    refuses(V(VEO, reference_images=(DATA,), image=DATA), "image", "[doc] nothing beside references"),
    refuses(V(VEO, reference_images=(DATA,) * 4), "reference_images", "[doc] 3 references"),
    refuses(V(VEO, video=FILE, image=DATA), "image", "[sdk] image excludes video"),
    refuses(V(VEO, video=FILE, **p(resolution="1080p")), "parameters.resolution", "[doc] not for extension"),
    refuses(V(FAST, video=FILE), "video", "[contract] B.2"),
    refuses(V(OMNI, **p(response_format={"duration": "2s"})), "parameters.response_format.duration", "[doc] 3 to 15"),
    refuses(S("vertexai/gemini-3.8-flash-tts", speed=1.5), "speed", "[doc] no speed"),
    refuses(S("vertexai/gemini-3.8-flash-tts", voice="alloy"), "voice", "[doc]"),
    refuses(T("vertexai/gemini-3.5-transcribe", **p(foo=1)), "parameters.foo", "[sdk]"),
]

PIMAGE, PEDIT, T2V, I2V, VACE, PVIDEO = (
    "pruna/p-image",
    "pruna/p-image-edit",
    "pruna/wan-t2v",
    "pruna/wan-i2v",
    "pruna/vace",
    "pruna/p-video",
)

PRUNA = [
    takes(I(PIMAGE), "[api] 16:9", width=1280, height=720),
    takes(I(PIMAGE, aspect_ratio="3:4", **p(seed=3)), "[api]", width=864, height=1152, seed=3),
    takes(I(PIMAGE, size="1440x256"), "[api] custom", width=1440, height=256),
    takes(I(PIMAGE, quality="high"), "quality is ignored", parameters={}),
    takes(I(PIMAGE, **p(aspect_ratio="custom", width=512, height=768)), "[api]", width=512, height=768),
    takes(I("pruna/p-image-pro", size="2048x2048"), "[api]", width=2048, height=2048),
    takes(I(PEDIT, image=FILE), "[api]", media={"image": [picture(800, 800)]}, width=1024, height=1024),
    takes(
        I(PEDIT, image=DATA, reference_images=(URL,) * 4, aspect_ratio="1:1"), "[api] 5 images", width=1024, height=1024
    ),
    takes(
        V(T2V, **p(resolution="720p", aspect_ratio="16:9")),
        "[guide] example",
        width=1280,
        height=720,
        fps=16,
        frames=81,
    ),
    takes(V(T2V, **p(num_frames=121, frames_per_second=5)), "[api]", fps=5, frames=121, width=832, height=480),
    takes(V(I2V, image=URL), "[guide]", media={"image": [picture(1000, 1000)]}, width=624, height=624),
    takes(
        V(VACE, video=URL, **p(size="720*1280")),
        "[guide]",
        media={"video": [clip()]},
        width=720,
        height=1280,
        frames=81,
    ),
    takes(
        V(PVIDEO, **p(duration=20, fps=48, resolution="1080p")), "[api]", width=1920, height=1080, fps=48, frames=960
    ),
    takes(
        V(PVIDEO, image=FILE), "[doc] the image's ratio", media={"image": [picture(500, 500)]}, width=720, height=720
    ),
    refuses(I(PIMAGE, **p(foo=1)), "parameters.foo", "[api] closed schemas", "Extra inputs are not permitted"),
    refuses(I(PIMAGE, size="1441x1024"), "size", "[api] 256 to 1440"),
    refuses(I(PIMAGE, size="1000x1024"), "size", "[api] divisible by 16"),
    refuses(I(PIMAGE, **p(width=512)), "parameters.width", "[api] custom only"),
    refuses(I(PIMAGE, **p(aspect_ratio="custom", width=512)), "parameters.height", "[api]", "Field required"),
    refuses(I(PIMAGE, **p(aspect_ratio="custom", width=250, height=256)), "parameters.width", "[api]"),
    refuses(I(PIMAGE, **p(aspect_ratio="21:9")), "parameters.aspect_ratio", "[api]"),
    refuses(I(PIMAGE, **p(seed=None)), "parameters.seed", "[api] not nullable"),
    refuses(I(PIMAGE, image=FILE), "image", "[guide] a clear 400"),
    refuses(I(PEDIT), "image", "[api] 1 to 5 images"),
    refuses(I(PEDIT, image=URL, reference_images=(URL,) * 5), "reference_images", "[api] 1 to 5 images"),
    refuses(I(PEDIT, image=URL, **p(images=["data:image/png;base64,AA=="])), "parameters.images[0]", "[guide] a URL"),
    refuses(V(T2V, **p(num_frames=80)), "parameters.num_frames", "[api] 81 to 121", "greater than or equal to 81"),
    refuses(V(T2V, **p(num_frames=122)), "parameters.num_frames", "[api] 81 to 121"),
    refuses(V(T2V, **p(frames_per_second=31)), "parameters.frames_per_second", "[api] 5 to 30"),
    refuses(V(T2V, **p(resolution="1080p")), "parameters.resolution", "[api]"),
    refuses(V(T2V, image=URL), "image", "[guide] wan-i2v"),
    refuses(V(I2V), "image", "[api] required"),
    refuses(V(I2V, image=URL, **p(aspect_ratio="16:9")), "parameters.aspect_ratio", "[api] from the image"),
    refuses(V(VACE, **p(size="832x480")), "parameters.size", "[api] an asterisk"),
    refuses(V(VACE, **p(sample_solver="euler")), "parameters.sample_solver", "[api]"),
    refuses(V(PVIDEO, **p(fps=30)), "parameters.fps", "[api] 24 or 48"),
    refuses(V(PVIDEO, **p(duration=21)), "parameters.duration", "[api] 1 to 20"),
]

LOCAL = [
    takes(I("local/image"), "ours", width=1024, height=1024),
    takes(I("local/image", size="64x4096"), "ours: 64 to 4096", width=64, height=4096),
    takes(I("local/image", aspect_ratio="2:1"), "ours: any ratio", width=1448, height=724),
    takes(I("local/image", **p(width=333, height=777)), "ours", width=333, height=777),
    takes(I("local/image", style="watercolour"), "ours", style="watercolour"),
    takes(
        I("local/image", **p(format="webp", background="transparent", seed=5)),
        "ours",
        format="webp",
        transparent=True,
        seed=5,
    ),
    takes(I("local/image", image=URL), "ours", media={"image": [picture(2000, 1000)]}, width=1448, height=724),
    takes(V("local/video"), "ours", width=1280, height=720, fps=24, frames=96),
    takes(V("local/video", **p(duration=60, fps=60, size="64x64")), "ours: up to 60 s", frames=3600),
    takes(V("local/video", video=FILE), "ours", media={"video": [clip(3.0)]}, frames=72, width=1280),
    takes(S("local/speech", speed=0.25, **p(language="sv")), "ours", speed=0.25, language="sv"),
    takes(T("local/transcribe", diarize=True), "ours", diarize=True),
    refuses(I("local/image", size="63x64"), "size", "ours: 64 to 4096"),
    refuses(I("local/image", size="64x4097"), "size", "ours: 64 to 4096"),
    refuses(I("local/image", **p(width=333)), "parameters.height", "ours"),
    refuses(I("local/image", **p(width=333, height=333, size="64x64")), "parameters.size", "ours"),
    refuses(I("local/image", **p(foo=1)), "parameters.foo", "ours"),
    refuses(I("local/image", **p(format="gif")), "parameters.format", "ours"),
    refuses(I("local/image", **p(format="jpeg", background="transparent")), "parameters.format", "ours"),
    refuses(I("local/image", **p(caption="no")), "parameters.caption", "ours"),
    refuses(I("local/image", aspect_ratio="wide"), "aspect_ratio", "ours"),
    refuses(V("local/video", **p(duration=60.1)), "parameters.duration", "ours: up to 60 s"),
    refuses(V("local/video", **p(size="65x64")), "parameters.size", "ours: even sides"),
    refuses(V("local/video", video=FILE), "video", "ours: up to 60 s", media={"video": [clip(61)]}),
    refuses(V("local/video", **p(fps=61)), "parameters.fps", "ours"),
    refuses(S("local/speech", speed=4.5), "speed", "[contract] A.12"),
    refuses(T("local/transcribe", **p(recognizer="magic")), "parameters.recognizer", "ours"),
]

KOKORO_MODEL = "kokoro/kokoro"
KOKORO = [
    takes(S(KOKORO_MODEL), "its source", voice="af_heart", language="en-us"),
    *(
        takes(S(KOKORO_MODEL, voice=voice), "its source: the first letter is the language", language=language)
        for voice, language in (("bf_emma", "en-gb"), ("ef_dora", "es"), ("jf_alpha", "ja"), ("zm_yunxi", "cmn"))
    ),
    takes(S(KOKORO_MODEL, voice="af_bella(2)+af_sky"), "its source: blends", voice="af_bella(2)+af_sky"),
    takes(S(KOKORO_MODEL, voice="alloy"), "its source: mapped names", voice="alloy"),
    takes(S(KOKORO_MODEL, voice="echo"), "its source: mapped names have no language", language=None),
    takes(S(KOKORO_MODEL, speed=0.25, format="flac"), "its source", speed=0.25, format="flac"),
    takes(S(KOKORO_MODEL, **p(anything="ignored")), "its source: unknown members are ignored"),
    takes(S(KOKORO_MODEL, "a" * 20_000), "its source: no short limit"),
    *(
        refuses(S(KOKORO_MODEL, voice=voice), "voice", "its source")
        for voice in ("af bella", "bella", "af_bella+", "af_bella(x)", "xf_bella", "af_bogus", "af_sky+af_bogus")
    ),
    refuses(S(KOKORO_MODEL, speed=0.24), "speed", "its source"),
    refuses(S(KOKORO_MODEL, **p(speed=5)), "parameters.speed", "its source"),
    refuses(S(KOKORO_MODEL, **p(response_format="ogg")), "parameters.response_format", "its source"),
    refuses(S(KOKORO_MODEL, **p(lang_code="q")), "parameters.lang_code", "its source"),
    refuses(S(KOKORO_MODEL, **p(stream="false")), "parameters.stream", "its source"),
    refuses(S(KOKORO_MODEL, " "), "input", "[contract] decision 30"),
]

VOXTRAL, VOXTRAL_STT = "mistral/voxtral-mini-tts-latest", "mistral/voxtral-mini-2602"
MISTRAL = [
    *(
        takes(S(VOXTRAL, format=name), "[contract] A.12", format=name)
        for name in ("mp3", "wav", "opus", "aac", "flac", "pcm")
    ),
    takes(S(VOXTRAL, voice="any"), "[contract] no list published", voice="any"),
    takes(T(VOXTRAL_STT, diarize=True), "[doc]", diarize=True),
    takes(T(VOXTRAL_STT, language="fr"), "[doc]", language="fr"),
    takes(T(VOXTRAL_STT, **p(timestamp_granularities=["word"])), "[doc]"),
    refuses(S(VOXTRAL, "a" * 4097), "input", "[contract] decision 30"),
    refuses(S(VOXTRAL, ""), "input", "[contract] decision 30"),
    refuses(S(VOXTRAL, format="ogg"), "format", "[contract] A.12"),
    refuses(S(VOXTRAL, speed=2.0), "speed", "no speed published"),
    refuses(S(VOXTRAL, speed=0.1), "speed", "[contract] A.12"),
    refuses(S(VOXTRAL, **p(voice=3)), "parameters.voice", "[doc]"),
    refuses(T(VOXTRAL_STT, language="french"), "language", "[doc]"),
    refuses(T(VOXTRAL_STT, **p(temperature="hot")), "parameters.temperature", "[doc]"),
    refuses(T(VOXTRAL_STT, **p(timestamp_granularities=["line"])), "parameters.timestamp_granularities[0]", "[doc]"),
    refuses(T(VOXTRAL_STT), "audio", "[contract] audio only", media={"audio": [picture()]}),
]

NB, KB, FASTER = (
    "berget/NbAiLab/nb-whisper-large",
    "berget/KBLab/kb-whisper-large",
    "berget/Systran/faster-whisper-large-v3",
)
BERGET = [
    takes(T(NB, language="no", diarize=True), "[contract] B.2", language="no", diarize=True),
    takes(T(NB), "[contract] B.2", diarize=False),
    takes(T(KB, language="sv"), "[contract] B.2", language="sv"),
    takes(T(KB, prompt="Namn: Åsa"), "[contract] A.13", prompt="Namn: Åsa"),
    *(takes(T(FASTER, language=code), "Whisper's languages", language=code) for code in ("en", "de", "ja", "yue")),
    takes(T(FASTER, **p(temperature=0.5)), "[doc]"),
    takes(T(FASTER, **p(recognizer="record")), "our own parameter", recognizer="record"),
    refuses(T(NB, language="en"), "language", "[contract] B.2"),
    refuses(T(KB, language="en"), "language", "Swedish only"),
    refuses(T(KB, diarize=True), "diarize", "[contract] A.13"),
    refuses(T(FASTER, diarize=True), "diarize", "[contract] A.13"),
    *(refuses(T(FASTER, language=code), "language", "Whisper's languages") for code in ("xx", "eng", "")),
    refuses(T(FASTER, **p(temperature=2)), "parameters.temperature", "[doc]"),
    refuses(T(FASTER, **p(language=5)), "parameters.language", "[doc]"),
    refuses(T(FASTER), "audio", "[contract] audio only", media={"audio": [picture()]}),
]

LARGE, TURBO = "evroc/openai/whisper-large-v3", "evroc/openai/whisper-large-v3-turbo"
EVROC = [
    *(
        takes(T(model, language=code), "Whisper's languages", language=code)
        for model in (LARGE, TURBO)
        for code in ("en", "sv", "fi", "uk")
    ),
    takes(T(LARGE, prompt="x"), "[contract] A.13", prompt="x"),
    takes(T(TURBO), "[contract] A.13", media={"audio": [recording(3000)]}),
    *(
        refuses(T(model, language=code), "language", "Whisper's languages")
        for model in (LARGE, TURBO)
        for code in ("xx", "english")
    ),
    *(refuses(T(model, diarize=True), "diarize", "[contract] A.13") for model in (LARGE, TURBO)),
    *(refuses(T(model, **p(temperature=-1)), "parameters.temperature", "[doc]") for model in (LARGE, TURBO)),
    *(refuses(T(model), "audio", "[contract] audio only", media={"audio": [picture()]}) for model in (LARGE, TURBO)),
]

SCRIBE = "elevenlabs/scribe_v2"
ELEVENLABS = [
    takes(T(SCRIBE), "[doc]", diarize=False),
    takes(T(SCRIBE, diarize=True), "[doc]", diarize=True),
    *(takes(T(SCRIBE, language=code), "[doc]", language=code) for code in ("en", "swe", "de")),
    takes(T(SCRIBE, **p(num_speakers=32)), "[doc]"),
    takes(T(SCRIBE, **p(timestamps_granularity="character")), "[doc]"),
    takes(T(SCRIBE, **p(tag_audio_events=False)), "[doc]"),
    takes(T(SCRIBE, **p(temperature=2)), "[doc]"),
    takes(T(SCRIBE, audio=source("url", "audio")), "[contract] A.13"),
    *(refuses(T(SCRIBE, language=code), "language", "[doc]") for code in ("english", "EN", "e")),
    *(refuses(T(SCRIBE, **p(num_speakers=count)), "parameters.num_speakers", "[doc]") for count in (0, 33, "2")),
    refuses(T(SCRIBE, **p(timestamps_granularity="line")), "parameters.timestamps_granularity", "[doc]"),
    refuses(T(SCRIBE, **p(tag_audio_events="yes")), "parameters.tag_audio_events", "[doc]"),
    refuses(T(SCRIBE, **p(temperature=2.1)), "parameters.temperature", "[doc]"),
    refuses(T(SCRIBE), "audio", "[contract] audio only", media={"audio": [picture()]}),
]

NEURAL = "azure-speech/neural-tts"
AZURE = [
    *(
        takes(S(NEURAL, format=name), "[contract] A.12", format=name)
        for name in ("mp3", "wav", "opus", "aac", "flac", "pcm")
    ),
    takes(S(NEURAL), "[contract] B.2", voice="en-US-JennyNeural"),
    takes(S(NEURAL, voice="sv-SE-SofieNeural"), "[contract] no list published", voice="sv-SE-SofieNeural"),
    takes(S(NEURAL, speed=2.0), "[contract] A.12", speed=2.0),
    takes(S(NEURAL, **p(style="cheerful")), "open parameters"),
    *(refuses(S(NEURAL, speed=speed), "speed", "[contract] A.12") for speed in (0.2, 4.5, True)),
    *(refuses(S(NEURAL, format=name), "format", "[contract] A.12") for name in ("ogg", "MP3", "")),
    refuses(S(NEURAL, ""), "input", "[contract] decision 30"),
    refuses(S(NEURAL, "a" * 4097), "input", "[contract] decision 30"),
    refuses(S(NEURAL, **p(voice=1)), "parameters.voice", "[doc]"),
    refuses(S(NEURAL, **p(speed="fast")), "parameters.speed", "[doc]"),
]

TABLE: dict[str, list[Row]] = {
    "openai": OPENAI,
    "xai": XAI,
    "vertexai": VERTEXAI,
    "pruna": PRUNA,
    "local": LOCAL,
    "kokoro": KOKORO,
    "mistral": MISTRAL,
    "berget": BERGET,
    "evroc": EVROC,
    "elevenlabs": ELEVENLABS,
    "azure-speech": AZURE,
}
