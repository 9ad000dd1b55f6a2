"""Asks who connects: a handler of ZAP, libzmq's authentication protocol (https://rfc.zeromq.org/spec/27/).

libzmq asks it once for each connection, in the middle of the handshake, and says whose every frame is from then on. Where no
handler answers, nobody is let in: the socket enforces its domain (`ZMQ_ZAP_ENFORCE_DOMAIN`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

import zmq
import zmq.asyncio
from zmq.utils import z85

from instruments.protocol.values import shorten
from instruments.ratelimit import RateLimitedLog

DOMAIN = b"labwright"
_PLACE = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_PAUSE_S = 0.2
log = logging.getLogger(__name__)


class Admission(Protocol):
    """Knows the keys that are valid now."""

    def objection(self, public_key: str, instrument: str | None = None) -> str | None:
        """Say why the holder of a key may not speak, or may not speak for an instrument; None when it may.

        Args:
            public_key: In Z85.
            instrument: Its name; None asks for the key alone.
        """
        ...


class ZapHandler:
    """Answers libzmq for all sockets of one context. Used from one event loop.

    Args:
        context: The sockets'.
        admission: Knows the keys.
    """

    def __init__(self, context: zmq.asyncio.Context, admission: Admission) -> None:
        self._context = context
        self._admission = admission
        self._quiet_log = RateLimitedLog(log)
        self._socket = self._bound()
        self._task = asyncio.create_task(self._serve(), name="zap")

    def _bound(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.ROUTER)
        socket.set(zmq.LINGER, 0)
        socket.bind(_PLACE)
        return socket

    async def _serve(self) -> None:
        while True:
            try:
                if self._socket.closed:
                    self._socket = self._bound()
                await self._answer_one()
            except Exception:  # without a handler nobody is let in any more, so it must go on
                self._quiet_log.exception("a connection could not be authenticated")
                self._socket.close()
                await asyncio.sleep(_PAUSE_S)

    async def _answer_one(self) -> None:
        parts = await self._socket.recv_multipart()
        if len(parts) < 4:
            return  # not even the number of the question to answer: libzmq itself never asks so
        code, text, user = self._verdict(parts)
        await self._socket.send_multipart([parts[0], parts[1], _VERSION, parts[3], code, text, user, b""])

    def _verdict(self, parts: list[bytes]) -> tuple[bytes, bytes, bytes]:
        # routing id, empty, version, request, domain, address, the socket's own id, mechanism, credentials
        if len(parts) != 9 or parts[2] != _VERSION or parts[4] != DOMAIN or parts[7] != b"CURVE" or len(parts[8]) != 32:
            return b"400", b"only CURVE is taken here", b""
        key = z85.encode(parts[8])
        why = self._admission.objection(key.decode("ascii"))
        if why is not None:
            self._quiet_log.warning("refused a connection from %s: %s", parts[5].decode("ascii", "replace"), shorten(why))
            return b"400", b"this key is not admitted", b""
        return b"200", b"OK", key

    async def close(self) -> None:
        """Stop answering. Harmless when repeated."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()
