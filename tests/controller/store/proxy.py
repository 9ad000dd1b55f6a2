"""A TCP proxy before the PostgreSQL server that cuts a connection around a COMMIT, which leaves its outcome in doubt."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal


class CuttingProxy:
    """Forwards everything until `cut` is set; then the next COMMIT ends its connection, once.

    `before`: the server never sees the COMMIT. `silent`: neither does it, nor is it told that the connection has ended.
    `after`: the server carries it out, its answer is lost.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: Literal["before", "silent", "after"] | None = None
        self.n_cuts = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the test
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                lost = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, lost), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, lost), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut is not None and b"COMMIT" in data:
                    how, self.cut = self.cut, None
                    self.n_cuts += 1
                    if how == "after":
                        lost.set()  # what the server answers from now on is dropped
                        server.sendall(data)
                        threading.Event().wait(0.3)
                    client.shutdown(socket.SHUT_RDWR)
                    if how != "silent":
                        server.shutdown(socket.SHUT_RDWR)
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():
                    continue
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
