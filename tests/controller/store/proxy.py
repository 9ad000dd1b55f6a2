"""A TCP proxy before the PostgreSQL server that cuts a connection around a COMMIT, which leaves its outcome in doubt."""

from __future__ import annotations

import socket
import threading
from typing import Literal

from tests.forwarding import ForwardingProxy


class CuttingProxy(ForwardingProxy):
    """Forwards everything until `cut` is set; then the next COMMIT ends its connection, once.

    `before`: the server never sees the COMMIT. `silent`: neither does it, nor is it told that the connection has ended.
    `after`: the server carries it out, its answer is lost.
    """

    cut: Literal["before", "silent", "after"] | None = None
    n_cuts = 0

    def to_server(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        while data := client.recv(65536):
            if self.cut is not None and b"COMMIT" in data:
                how, self.cut = self.cut, None
                self.n_cuts += 1
                if how == "after":
                    noted.set()  # what the server answers from now on is dropped
                    server.sendall(data)
                    threading.Event().wait(0.3)
                client.shutdown(socket.SHUT_RDWR)
                if how != "silent":
                    server.shutdown(socket.SHUT_RDWR)
                return
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    def to_client(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        while data := server.recv(65536):
            if not noted.is_set():
                client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
