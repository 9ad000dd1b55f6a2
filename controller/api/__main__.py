"""The process that serves HTTP: it is told on its standard input what to serve, and ends when that is closed.

A process of its own, so that nothing that comes over HTTP holds the control loop up, and a stop gets through while that hangs.
Addresses of stores can hold passwords: on standard input nobody sees them, as anybody sees arguments.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import socket
import ssl
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvicorn

from controller.api.app import make_app
from controller.api.certificate import Renewal
from controller.api.connections import BoundedConnection
from controller.api.desk import Desk
from controller.api.limits import IDLE_S, MOST_HEAD, REQUEST_S

ACCEPTED_AT_ONCE, WAITING = 32, 128
"""Connections accepted before what has arrived on others is read: so many that a request is read long before a flood of newer
connections makes the older ones give way; and how many may wait in the kernel to be accepted."""
LEAVE_S = 3
"""What is being answered may take so long when the process is told to end [real s]."""


class _Server(uvicorn.Server):
    """Uvicorn's server on sockets that are there already, with a bound on TLS handshakes that get nowhere."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        tls = self.config.ssl
        self.servers = [
            await loop.create_server(
                lambda: BoundedConnection(self.config, self.server_state, {}, loop),
                sock=one, backlog=ACCEPTED_AT_ONCE, ssl=tls, ssl_handshake_timeout=REQUEST_S if tls else None,
            )
            for one in sockets or ()
        ]  # fmt: skip
        for one in sockets or ():
            one.listen(WAITING)  # asyncio takes its backlog for both
        if isinstance(tls, ssl.SSLContext):
            renewal = Renewal(tls, Path(str(self.config.ssl_certfile)), Path(str(self.config.ssl_keyfile)))
            self.renewing = loop.create_task(renewal.watch(), name="certificate")
        self.started = True


def main() -> None:
    """Serve until told to end, or until the daemon is gone."""
    told: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What strangers send must not fill the log: the guard and the connections say what there is to say.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    for noisy in ("alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Rows by the ten thousand hold no cycles: to look for some after every seven hundred took a sixth of the time of long answers.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    desk = Desk(told["urls"], Path(told["beat"]))
    config = uvicorn.Config(
        make_app(desk, frozenset(told["names"]), version("labwright")), loop="asyncio", http=BoundedConnection, ws="none",
        lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=LEAVE_S, h11_max_incomplete_event_size=MOST_HEAD,
        ssl_certfile=told["certificate"], ssl_keyfile=told["key"],
    )  # fmt: skip
    server = _Server(config)
    threading.Thread(target=_leave_with_parent, args=(server, desk), daemon=True).start()
    listening = socket.socket(fileno=told["descriptor"])
    asyncio.run(server.serve([listening]))
    desk.close()
    logging.shutdown()
    os._exit(0)  # threads that wait for a store that is away are not waited for; what they write is written whole or not at all


def _leave_with_parent(server: _Server, desk: Desk) -> None:
    sys.stdin.buffer.read()
    desk.watch.leaving = True
    server.should_exit = True


if __name__ == "__main__":
    main()
