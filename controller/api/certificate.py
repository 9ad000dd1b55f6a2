"""Takes up a certificate that was renewed, without a restart: open connections keep the old one, new ones get the new one."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from controller.api.serving import check_pair
from controller.errors import ConflictError

LOOK_S = 2.0
"""How often the files are looked at [real s]."""

log = logging.getLogger(__name__)


class Renewal:
    """Watches the files of a certificate.

    Args:
        context: That serves; its certificate is replaced.
        certificate: With its chain, in PEM.
        key: Its secret key, in PEM.
    """

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        self._context, self._certificate, self._key = context, certificate, key
        self._stamp = self._look()

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.refresh()

    def refresh(self) -> None:
        """Take the files up if they have changed and belong together; else what was served before is."""
        stamp = self._look()
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            # Tried apart first: a key that does not belong to its certificate would leave the context with neither pair.
            check_pair(self._certificate, self._key)
            self._context.load_cert_chain(self._certificate, self._key, password="")
            log.info("the certificate %s was renewed and is served from now on", self._certificate)
        except (ConflictError, OSError) as error:
            log.error("the certificate has changed and cannot be used, the one before is served on: %s", error)

    def _look(self) -> tuple[tuple[int, int], ...] | None:
        try:
            return tuple((found.st_mtime_ns, found.st_ino) for found in (self._certificate.stat(), self._key.stat()))
        except OSError:  # it is just being replaced
            return None
