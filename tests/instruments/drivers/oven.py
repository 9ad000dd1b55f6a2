"""A small oven that speaks SCPI over TCP, with dynamics: its temperature ramps towards the setpoint."""

from __future__ import annotations

import math
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Oven:
    """First-order heating with a time constant of 0.15 s, and an error queue as SCPI-1999 has it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.received: list[str] = []
        self.errors: list[str] = []
        self.mute = False
        self._from, self._to, self._since, self._on = 25.0, 25.0, time.monotonic(), True

    @property
    def temperature(self) -> float:
        target = self._to if self._on else 25.0
        return target + (self._from - target) * math.exp(-(time.monotonic() - self._since) / 0.15)

    def answer(self, line: str) -> str | None:
        with self.lock:
            self.received.append(line)
            word, _, value = line.partition(" ")
            match word:
                case "*IDN?":
                    return "ACME,OVEN,1,0"
                case "*OPC?":
                    return "1"
                case "SYST:ERR?":
                    return self.errors.pop(0) if self.errors else '0,"No error"'
                case "TEMP?":
                    return None if self.mute else f"{self.temperature:.4f}"
                case "TEMP":
                    if float(value) > 200.0:
                        self.errors.append('-222,"Data out of range"')
                    else:
                        self._from, self._to, self._since = self.temperature, float(value), time.monotonic()
                case "OUTP":
                    self._from, self._on, self._since = self.temperature, value == "ON", time.monotonic()
                case _:
                    self.errors.append('-113,"Undefined header"')
            return None


@contextmanager
def oven_on_a_port() -> Iterator[tuple[Oven, str]]:
    """Run an oven; gives it and its VISA address."""
    oven = Oven()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                reply = oven.answer(line.decode().strip())
                if reply is not None:
                    self.wfile.write(reply.encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield oven, f"TCPIP::127.0.0.1::{server.server_address[1]}::SOCKET"
        finally:
            server.shutdown()
            thread.join(5)
