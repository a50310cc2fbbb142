"""A browser plays what is made and shows the documentation, without a network."""

import contextlib
import functools
import html
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from tests.e2e.decoding import picture
from tests.e2e.server import PATIENCE, Server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1280,1024",
)

# Plays the link to its end and tells what it saw. The picture comes only then, and so the page is complete only then.
PLAYER = """<!doctype html><title>player</title>
<video id="video" src="%s" muted playsinline></video><pre id="seen">waiting</pre><img src="/complete">
<script>
const video = document.getElementById("video"), seen = document.getElementById("seen");
const tell = (text) => { seen.textContent = text; fetch("/told"); };
video.onerror = () => tell("error " + video.error.code + " " + video.error.message);
video.onended = () => {
  const frames = video.getVideoPlaybackQuality();
  tell(`ended ${video.videoWidth}x${video.videoHeight} ${video.duration} ${frames.totalVideoFrames}`);
};
video.playbackRate = 4;
video.play().catch((error) => tell("refused " + error));
</script>
"""


def browse(folder: Path, url: str, *flags: str) -> str:
    """Open a page in a browser that has never run before; what the browser printed once the page was complete."""
    assert CHROMIUM is not None
    words = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, url]
    ran = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return ran.stdout


@contextlib.contextmanager
def site(folder: Path) -> Iterator[str]:
    """The address of a small web site of its own origin, as an application that embeds our links would have."""
    told = threading.Event()

    class Pages(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/told":
                told.set()
            elif self.path == "/complete":
                told.wait(PATIENCE / 2)
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_made_video_plays_to_its_end_on_another_page(shared: Server, tmp_path: Path) -> None:
    wanted = {"model": "openai/sora-2", "prompt": "the sea", "parameters": {"seconds": "4", "size": "1280x720"}}
    status = shared.ended_job(shared.submit(wanted)["status_url"])
    (tmp_path / "player.html").write_text(PLAYER % html.escape(status["url"]))
    with site(tmp_path) as base:
        page = browse(tmp_path, f"{base}/player.html", "--dump-dom")
    found = re.search(r'id="seen">([^<]*)<', page)
    assert found is not None, page
    assert (played := re.fullmatch(r"ended 1280x720 ([\d.]+) (\d+)", found[1])), found[1]
    assert float(played[1]) == pytest.approx(4, abs=0.1)
    assert int(played[2]) > 10  # a slow machine drops some


def test_the_docs_are_shown_without_a_network(shared: Server, tmp_path: Path) -> None:
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    dom = browse(tmp_path, f"{shared.url}/docs", nowhere, "--virtual-time-budget=20000", "--dump-dom")
    for path in ("/v3/files", "/v3/images", "/v3/videos", "/v3/audio/speech", "/v3/audio/transcriptions"):
        assert f'data-path="{path}"' in dom
    assert "Failed to load" not in dom

    browse(tmp_path, f"{shared.url}/docs", nowhere, "--virtual-time-budget=20000", "--screenshot=docs.png")
    shown = numpy.asarray(picture((tmp_path / "docs.png").read_bytes()).convert("RGB"))
    assert len(numpy.unique(shown.reshape(-1, 3), axis=0)) > 50  # not an empty page
