"""The process that serves HTTP, started as the daemon starts it, over a store that a test has filled."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trustme

from controller.api.serving import Serving, serving_at

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """Where it is served, and what the process wrote."""

    url: str
    pid: int
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextmanager
def served(folder: Path, *urls: str, serving: Serving | None = None) -> Iterator[Served]:
    """Serve some stores, as long as the block lasts."""
    serving = serving or serving_at("127.0.0.1:0")
    beat, out = folder / "daemon.beat", folder / "http.log"
    beat.touch()
    listening = serving.listen()
    with out.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "controller.api"], stdin=subprocess.PIPE, stdout=written, stderr=written,
            pass_fds=[listening.fileno()], start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None
    told = {
        "urls": urls, "names": serving.names, "descriptor": listening.fileno(), "beat": str(beat),
        "certificate": serving.certificate and str(serving.certificate), "key": serving.key and str(serving.key),
    }  # fmt: skip
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    url = serving.url(listening.getsockname()[1])
    listening.close()
    try:
        if not serving.encrypted:
            wait_for_health(url, beat=beat)
        yield Served(url, process.pid, out)
    finally:
        process.stdin.close()
        if process.wait(20) != 0:
            log.error("the process that served HTTP ended with %s: %s", process.returncode, out.read_text(encoding="utf-8"))


def wait_for_health(
    url: str, timeout: float = 90.0, verify: ssl.SSLContext | bool = True, *, beat: Path | None = None
) -> None:
    """Wait until it is served; the daemon that a test plays lives as long, and renews its `beat`."""
    deadline = time.monotonic() + timeout
    while True:
        if beat is not None:
            beat.touch()
        try:
            if httpx.get(f"{url}/v1/health", timeout=timeout, verify=verify).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} is not served within {timeout:g} s"
        time.sleep(0.05)


def certified(folder: Path) -> tuple[Path, Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1 and bench.example, its key, and what a client that trusts it uses."""
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1", "bench.example")
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(made.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return cert, key, context


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """Make one request, again where there were too many before; of a stream only how it begins."""
    while (answer := _asked(method, url, options)).status_code == 429:
        time.sleep(0.1)
    return answer


def _asked(method: str, url: str, options: dict[str, Any]) -> httpx.Response:
    with httpx.stream(method, url, timeout=120.0, **options) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer
