"""The table of checks: what works or does not, in the order in which it is told."""

from opperlite.selftest import pictures, services, sounds
from opperlite.selftest.running import Check

_PICTURES = "pictures as PNG, JPEG and WebP"
_SPEECH = "speech as MP3, WAV, Opus, AAC, FLAC and PCM"
_CLIP = "a clip with sound from a picture"

CHECKS: tuple[Check, ...] = (
    Check(_PICTURES, pictures.formats),
    Check(_SPEECH, sounds.formats),
    Check("transcription by listening", sounds.by_listening, (_SPEECH,)),
    Check(_CLIP, pictures.clip, (_PICTURES,)),
    Check("a clip from a clip, its thumbnail and spritesheet", pictures.clip_to_clip, (_CLIP,)),
    Check("editing a picture inside a mask", pictures.edits, (_PICTURES,)),
    Check("sources by URL", pictures.by_url, (_PICTURES,)),
    Check("transcription from the server's own record", sounds.by_record, (_SPEECH,)),
    Check("jobs: list, cancel", pictures.jobs),
    Check("files and signed links", services.files, (_PICTURES,)),
    Check("keys apart", services.keys, (_PICTURES,)),
    Check("repeating a request by Idempotency-Key", services.repeats),
    Check("functions, as Opper's packages call them", services.functions),
    Check("OpenAI's API: files", services.openai_files, (_PICTURES,)),
    Check("OpenAI's API: images", pictures.streamed),
    Check("OpenAI's API: speech", sounds.openai_speech),
    Check("OpenAI's API: transcriptions", sounds.openai_transcriptions, (_SPEECH,)),
    Check("OpenAI's API: videos", pictures.openai_videos, (_CLIP,)),
    Check("models", services.models),
    Check("health and metrics", services.health),
    Check("documentation", services.documents),
    Check("backup, restore and doctor", services.copies, (_PICTURES,)),
)
