"""A TCP proxy before the HTTP server that lets an answer begin and never end."""

from __future__ import annotations

import contextlib
import socket
import threading


class StallingProxy:
    """Forwards everything but the answers to what begins with `asked`: of those, the first byte after the headers is the last."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: bytes | None = None
        self.n_stalled = 0
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
                stalls = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, stalls), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, stalls), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, stalls: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.asked is not None and data.startswith(self.asked):
                    stalls.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket, stalls: threading.Event) -> None:
        held = b""
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if not stalls.is_set():
                    client.sendall(data)
                    continue
                held += data
                head, end, body = held.partition(b"\r\n\r\n")
                if body:
                    client.sendall(head + end + body[:1])
                    self.n_stalled += 1
                    return  # both stay open, and nothing more comes
            client.shutdown(socket.SHUT_RDWR)
