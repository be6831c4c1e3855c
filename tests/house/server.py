"""Talking to a JupyterLab server that a test has started, with `JUPYTER_TOKEN=t`."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path


def wait_for(runtime: Path, server: subprocess.Popen, seconds: float = 60) -> str:
    """The address of the server, once it answers; ``runtime`` is its JUPYTER_RUNTIME_DIR."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                address = json.loads(file.read_text())["url"]
                ask(f"{address}api/status")
                return address
            except (json.JSONDecodeError, urllib.error.URLError):
                pass  # the file is half written, or written before the server listens
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")


def ask(url: str) -> dict:
    """What the server's API says."""
    request = urllib.request.Request(url, headers={"Authorization": "token t"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def landing_page(address: str) -> str:
    """Where a browser ends up that opens the server."""
    with urllib.request.urlopen(f"{address}?token=t", timeout=30) as page:
        return page.url
