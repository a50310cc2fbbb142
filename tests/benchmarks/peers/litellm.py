"""LiteLLM's proxy (PyPI, litellm[proxy]): it keeps no files but asks a provider, here an nginx with fixed replies."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.peers import nginx
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import Peer, free_port, running

FILE = "file-1"
_CONFIG = """
files_settings:
  - custom_llm_provider: openai
    api_base: {upstream}/v1
    api_key: demo
"""


@contextlib.contextmanager
def serving(installation: Installation, folder: Path, listed: int) -> Iterator[Peer | None]:
    """The proxy, whose provider lists so many files; None where it or nginx is not installed."""
    script, port = installation.script("litellm"), free_port()
    own = folder / "litellm"
    own.mkdir()
    with nginx.serving(own, _provider(own / "provider", listed), "application/json") as upstream:
        if script is None or upstream is None:
            yield None
            return
        config = own / "config.yaml"
        config.write_text(_CONFIG.format(upstream=upstream.url))
        words = [str(script), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        key = f"sk-{secrets.token_hex(24)}"  # it refuses to start with a weak one
        environment = {
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would be looked up in the net
            "OPENAI_API_BASE": f"{upstream.url}/v1",
            "OPENAI_API_KEY": "demo",
        }
        headers = {"Authorization": f"Bearer {key}"}
        with running("LiteLLM proxy", words, port, own / "litellm.log", environment, headers) as peer:
            yield peer


def _provider(root: Path, listed: int) -> Path:
    """A folder with the replies to /v1/files and /v1/files/file-1."""
    files = root / "v1" / "files"
    files.mkdir(parents=True)
    entry = {"id": FILE, "object": "file", "bytes": 844, "created_at": 1_795_263_084, "filename": "a.wav"}
    entry |= {"purpose": "user_data", "status": "processed"}
    (files / FILE).write_text(json.dumps(entry))
    (files / "index.json").write_text(json.dumps({"object": "list", "data": [entry] * listed, "has_more": False}))
    return root
