"""A TCP proxy before the HTTP server that lets an answer begin and never end."""

from __future__ import annotations

import socket
import threading

from tests.forwarding import ForwardingProxy


class StallingProxy(ForwardingProxy):
    """Forwards everything but the answers to what begins with `asked`: of those, the first byte after the headers is the last."""

    asked: bytes | None = None
    n_stalled = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to_server(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        while data := client.recv(65536):
            if self.asked is not None and data.startswith(self.asked):
                noted.set()
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    def to_client(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        held = b""
        while data := server.recv(65536):
            if not noted.is_set():
                client.sendall(data)
                continue
            held += data
            head, end, body = held.partition(b"\r\n\r\n")
            if body:
                client.sendall(head + end + body[:1])
                self.n_stalled += 1
                return  # both stay open, and nothing more comes
        client.shutdown(socket.SHUT_RDWR)
