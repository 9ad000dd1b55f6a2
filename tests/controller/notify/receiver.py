"""A real HTTP server on loopback that takes messages, and can be down, slow or out of order when a test wants it to be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 30.0


@dataclass
class Receiver:
    """Where it is, what it answers, and what it was sent."""

    port: int
    status: int = 200
    delay_s: float = 0.0
    location: str = ""
    taken: list[tuple[dict[str, str], dict[str, Any], bytes]] = field(default_factory=list)
    """Headers (in small letters), content and body of each request that was answered with 2xx."""
    refused: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/t0ken-of-the-hook"

    @property
    def texts(self) -> list[str]:
        return [str(content.get("text", content.get("message"))) for _, content, _ in list(self.taken)]

    def notices(self) -> list[dict[str, Any]]:
        return [notice for _, content, _ in list(self.taken) for notice in content["notices"]]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """Take messages as long as the block lasts."""
    made = Receiver(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            time.sleep(made.delay_s)
            status = made.status
            if status < 300:
                made.taken.append((headers, json.loads(body), body))
            else:
                made.refused.append((headers, body))
            self.send_response(status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def until(what: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(0.02)
