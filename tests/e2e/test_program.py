"""The built program does what the source does: in an emptied environment, as an ordinary user, from any folder.

`OPPERLITE_TEST_PROGRAM` names it. With that variable the other tests here use it too; these are its own.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from opperlite.engine.pictures.pixels import FORMATS
from tests.e2e.decoding import frames, loudness, picture
from tests.e2e.media import photograph, sine_wave
from tests.e2e.processes import children, running, wait_until
from tests.e2e.server import BUILT, CACHE, PATIENCE, PROGRAM, Server, command, environment, serving

pytestmark = pytest.mark.skipif(BUILT is None, reason="OPPERLITE_TEST_PROGRAM names no built program")

NOBODY = 65534
SENTENCE = "The keeper counts the ships."
OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The program in an environment of nothing, but where a one-file program unpacks itself."""
    folder = tmp_path_factory.mktemp("program")
    with serving(folder, "--data", str(folder / "data"), env={"OPPERLITE_CACHE": str(CACHE)}) as server:
        yield server


def content(server: Server, file_id: str) -> bytes:
    return server.download(server.get(f"/v3/files/{file_id}/content").json()["url"])


# ------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_images(form: str, server: Server) -> None:
    body = {
        "model": "openai/gpt-image-1",
        "prompt": "a red kite over the dunes",
        "size": "1024x1024",
        "response_format": "url",
        "parameters": {"output_format": form},
    }
    (item,) = server.post("/v3/images", body).json()["data"]
    data = server.download(item["url"])
    assert item["mime_type"] == f"image/{form}"
    assert picture(data).size == (1024, 1024)


def test_an_edit_of_an_upload(server: Server) -> None:
    photo = server.upload(photograph(), "photo.jpg").json()["id"]
    body = {"model": "openai/gpt-image-1", "prompt": "make it night", "image": photo, "response_format": "url"}
    (item,) = server.post("/v3/images", body).json()["data"]
    assert picture(server.download(item["url"])).size[0] >= 1024


@pytest.mark.parametrize("form", FORMATS)
def test_every_kind_of_picture_is_read(form: str, server: Server) -> None:
    held = io.BytesIO()
    picture(photograph(320, 240)).save(held, form)
    given = server.upload(held.getvalue(), f"photo.{form.lower()}").json()["id"]
    body = {"model": "local/image", "prompt": "make it night", "image": given, "response_format": "url"}
    reply = server.post("/v3/images", body)
    assert reply.status_code == 200, reply.text


def test_a_video(server: Server) -> None:
    job = server.submit({"model": "local/video", "prompt": "waves", "parameters": {"duration": 1, "size": "320x180"}})
    done = server.ended_job(job["status_url"])
    assert done["status"] == "completed", done
    seen = frames(server.download(done["url"]))
    assert (seen.width, seen.height) == (320, 180)


@pytest.mark.parametrize("form", ["mp3", "wav", "opus", "aac", "flac", "pcm"])
def test_speech(form: str, server: Server) -> None:
    body = {"model": "gpt-4o-mini-tts", "input": SENTENCE, "voice": "alloy", "response_format": form}
    reply = server.post("/v1/audio/speech", body)
    assert reply.status_code == 200, reply.text
    if form == "pcm":
        assert len(reply.content) > 24_000
    else:
        seconds, level = loudness(reply.content)
        assert 1 < seconds < 6
        assert level > 0.01


@pytest.mark.parametrize("recognizer", ["record", "acoustic"])
def test_transcription(recognizer: str, tmp_path: Path) -> None:
    with serving(tmp_path, "--recognizer", recognizer) as server:
        said = server.post("/v3/audio/speech", {"model": "kokoro/kokoro", "input": SENTENCE}).json()
        body = {"model": "openai/gpt-transcribe", "audio": said["audio"]["file_id"]}
        heard = server.post("/v3/audio/transcriptions", body).json()["text"]
    if recognizer == "record":
        assert heard == SENTENCE
    else:
        assert {"the", "keeper"} <= set(heard.lower().strip(".").split())


def test_a_voice_of_another_language(server: Server) -> None:
    body = {"model": "kokoro/kokoro", "input": "Le gardien compte les navires.", "voice": "ff_siwis"}
    reply = server.post("/v3/audio/speech", body)
    assert reply.status_code == 200, reply.text


# -------------------------------------------------------------------------------------------------- routes


def test_the_documentation_page_has_all_its_parts(server: Server) -> None:
    page = server.get("/docs").text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
        assert f"/docs/{name}" in page
        assert len(server.get(f"/docs/{name}").content) > 500
    assert server.get("/v3/openapi.json").json()["openapi"] == "3.1.0"
    assert server.get("/v3/openapi.yaml").text.startswith("openapi: 3.1.0")


def test_the_self_test_finds_nothing(tmp_path: Path) -> None:
    ran = command(tmp_path, "selftest")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_temporary_folder_without_execution(tmp_path: Path) -> None:
    """What is drawn, encoded and spoken needs nothing that is executed from /tmp."""
    inside = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp && exec "$0" "$@"']
    if (
        shutil.which("unshare") is None
        or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    if PROGRAM[0].startswith("/tmp/"):
        pytest.skip("the program is in /tmp itself")
    env = environment(Path("/tmp")) | {"PATH": os.environ["PATH"]}
    ran = subprocess.run(
        [*inside, *PROGRAM, "selftest"], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_version_names_the_commit_and_every_package_with_its_version(tmp_path: Path) -> None:
    told = json.loads(command(tmp_path, "version", "--json").stdout)
    assert told["build"] in ("folder", "one file")
    assert len(told["commit"]) == 40
    versions = {library["name"]: library["version"] for library in told["libraries"]}
    assert all(versions[name] for name in ("uvicorn", "numpy", "pillow", "av", "espeak-ng", "swagger-ui-py"))
    assert "faker" not in versions


def test_every_command_has_help(tmp_path: Path) -> None:
    listed = command(tmp_path, "--help").stdout.partition("Commands:")[2].partition("Examples:")[0]
    names = re.findall(r"^  (\w+)", listed, re.MULTILINE)
    assert {"serve", "backup", "doctor", "selftest"} <= set(names)
    for name in names:
        assert command(tmp_path, name, "--help").returncode == 0, name


def test_a_backup_comes_back(server: Server, tmp_path: Path) -> None:
    held = server.upload(sine_wave(), "tone.wav").json()["id"]
    for words in (
        ("backup", str(tmp_path / "all.tar"), "--data", str(server.data)),
        ("restore", str(tmp_path / "all.tar"), "--data", str(tmp_path / "again")),
        ("doctor", "--data", str(tmp_path / "again")),
    ):
        ran = command(tmp_path, *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    with serving(tmp_path, "--data", str(tmp_path / "again")) as restored:
        assert content(restored, held) == sine_wave()


# ---------------------------------------------------------------------------------------------- the system


def test_kill_and_start_again(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        held = server.upload(sine_wave(), "tone.wav").json()["id"]
        job = server.submit({"model": "local/video", "prompt": "waves", "parameters": {"duration": 4}})
        assert wait_until(lambda: bool(children(server.pid)))
        workers = children(server.pid)
        server.kill()
    assert wait_until(lambda: not any(map(running, workers))), "workers outlive a killed server"
    with serving(tmp_path, "--job-lease", "1s") as again:
        assert content(again, held) == sine_wave()
        assert again.ended_job(f"/v3/artifacts/{job['id']}/status")["status"] == "completed"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_with_a_read_only_home() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("data", "cache"):
            (folder / part).mkdir()
            os.chown(folder / part, NOBODY, NOBODY)
        (folder / "home").mkdir(mode=0o555)
        env = {"HOME": str(folder / "home"), "OPPERLITE_CACHE": str(folder / "cache")}
        try:
            subprocess.run([*PROGRAM, "--version"], user=NOBODY, group=NOBODY, env=env, check=True, cwd="/")
        except PermissionError:
            pytest.skip("another user cannot reach the program")
        with serving(folder, "--data", str(folder / "data"), env=env, user=NOBODY) as server:
            reply = server.post("/v3/images", {"model": "local/image", "prompt": "a kite", "size": "256x256"})
            assert reply.status_code == 200, reply.text
            assert server.post("/v3/audio/speech", {"model": "kokoro/kokoro", "input": "Hi."}).status_code == 200
        assert list((folder / "home").iterdir()) == []


@pytest.mark.skipif(OPENSSL is None, reason="openssl, which makes the certificate, is not installed")
def test_certificates_of_sources_are_checked(tmp_path: Path) -> None:
    """Against the authorities in the program: one that nobody knows is refused as such."""
    with secure_picture(tmp_path) as url:
        body = {"model": "openai/gpt-image-1", "prompt": "make it night", "image": url}
        flags = ("--allow-source", "127.0.0.1", "--data", str(tmp_path / "data"))
        with serving(tmp_path, *flags, env={"OPPERLITE_CACHE": str(CACHE)}) as server:
            error = server.post("/v3/images", body).json()["error"]
    assert error["code"] == "invalid_source"
    assert "self-signed certificate" in error["message"]


@contextmanager
def secure_picture(folder: Path) -> Iterator[str]:
    """The URL of a picture over TLS, with a certificate that nobody knows."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    assert OPENSSL is not None
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([OPENSSL, *words, *more], check=True, capture_output=True, timeout=PATIENCE)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = photograph()
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Answer) as held:
        held.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is what is wanted
        held.socket = context.wrap_socket(held.socket, server_side=True)
        thread = threading.Thread(target=held.serve_forever, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{held.server_port}/cat.jpg"
        held.shutdown()
        thread.join()
