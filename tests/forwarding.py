"""A TCP proxy on loopback before a server; what it does with what it forwards is for others to say."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class ForwardingProxy:
    """Forwards everything, each connection and direction in a thread of its own, until it is closed.

    Args:
        port: Of the server.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._sockets):
            each.close()

    def to_server(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        """Forward what the client sends; `noted` is of this connection, for `to_client` to see."""
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    def to_client(self, client: socket.socket, server: socket.socket, noted: threading.Event) -> None:
        """Forward what the server sends."""
        while data := server.recv(65536):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the test
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                noted = threading.Event()
                for forward in (self.to_server, self.to_client):
                    threading.Thread(target=self._until_closed, args=(forward, client, server, noted), daemon=True).start()

    @staticmethod
    def _until_closed(
        forward: Callable[[socket.socket, socket.socket, threading.Event], None],
        client: socket.socket, server: socket.socket, noted: threading.Event,
    ) -> None:  # fmt: skip
        with contextlib.suppress(OSError):
            forward(client, server, noted)
