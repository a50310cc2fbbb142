"""The curl examples of Opper's guides on files, images and video, word for word."""

FILES_UPLOAD = """\
curl -sX POST https://api.opper.ai/v3/files \\
  -H "Authorization: Bearer $OPPER_API_KEY" \\
  -F "file=@cat.jpg"
"""

FILES_SEED_A_VIDEO = """\
curl -sX POST https://api.opper.ai/v3/videos \\
  -H "Authorization: Bearer $OPPER_API_KEY" -H "Content-Type: application/json" \\
  -d '{ "model": "openai/sora-2", "prompt": "the cat blinks slowly", "image": "file_abc123" }'
"""

IMAGES_GENERATE = """\
curl -sX POST https://api.opper.ai/v3/images \\
  -H "Authorization: Bearer $OPPER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "openai/gpt-image-1",
    "prompt": "a wide-angle photo of a hot air balloon over green hills at dawn",
    "size": "1024x1024"
  }'
"""

IMAGES_EDIT = """\
curl -sX POST https://api.opper.ai/v3/images \\
  -H "Authorization: Bearer $OPPER_API_KEY" -H "Content-Type: application/json" \\
  -d '{
    "model": "openai/gpt-image-1",
    "prompt": "put the balloon over a snowy mountain range",
    "image": "file_abc123"
  }'
"""

IMAGES_MODELS = """\
curl -s "https://api.opper.ai/v3/images/models" \\
  -H "Authorization: Bearer $OPPER_API_KEY"
"""

VIDEO_SUBMIT = """\
curl -sX POST https://api.opper.ai/v3/videos \\
  -H "Authorization: Bearer $OPPER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "openai/sora-2",
    "prompt": "a hot air balloon drifting over green hills at dawn",
    "parameters": { "seconds": "4", "size": "1280x720" }
  }'
"""

VIDEO_POLL = """\
curl -s https://api.opper.ai/v3/artifacts/gen_XXX/status \\
  -H "Authorization: Bearer $OPPER_API_KEY"
"""

VIDEO_DOWNLOAD = """\
curl -s "<url-from-completed-response>" -o video.mp4
"""

VIDEO_MODELS = """\
curl -s "https://api.opper.ai/v3/videos/models" \\
  -H "Authorization: Bearer $OPPER_API_KEY"
"""

VIDEO_FROM_A_URL = """\
curl -sX POST https://api.opper.ai/v3/videos \\
  -H "Authorization: Bearer $OPPER_API_KEY" -H "Content-Type: application/json" \\
  -d '{
    "model": "openai/sora-2",
    "prompt": "the cat slowly turns its head and blinks",
    "image": "https://example.com/cat.jpg",
    "parameters": { "seconds": "4", "size": "720x1280" }
  }'
"""

# The parameters that the video guide names for each model.
VIDEO_PARAMETERS = {
    "openai/sora-2": {"seconds": "4", "size": "1280x720"},
    "xai/grok-imagine-video": {"duration": 6, "aspect_ratio": "16:9", "resolution": "720p"},
    "pruna/wan-t2v": {"resolution": "720p", "aspect_ratio": "16:9"},
    "vertexai/veo-3.1-fast-generate-001": {"durationSeconds": 4, "resolution": "720p", "generateAudio": False},
}
