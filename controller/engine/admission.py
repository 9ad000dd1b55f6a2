"""Which keys may speak in a lab: the list of the store, read again while it works, and the keys of the drivers it starts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.domain.access import AccessKey
from controller.domain.lab import EXTERNAL, LabSpec
from controller.errors import StoreError
from instruments.ratelimit import RateLimitedLog
from instruments.transport.keys import KeyPair, new_pair, read_pair, write_pair

CONTROLLER_KEY = "controller.key"
"""File of the controller's own pair, in the folder `keys` of a store."""
KEYS_S = 0.2
"""How often the list is read again [real s]: so long a revoked key may still be heard."""

quiet_log = RateLimitedLog(logging.getLogger(__name__))


class Keyring:
    """The keys of one store.

    Args:
        read: Returns the list as the store holds it now.
        folder: Where the controller's own key is.
    """

    def __init__(self, read: Callable[[], Sequence[AccessKey]], folder: Path) -> None:
        self._read = read
        self._folder = folder
        self._keys: dict[str, AccessKey] = {}

    def pair(self) -> KeyPair | None:
        """Return the controller's own pair, None where it has none and so speaks in the clear.

        Raises:
            KeyFileError: If there is a file and it cannot be used.
        """
        path = self._folder / CONTROLLER_KEY
        return read_pair(path) if path.exists() else None

    def refresh(self) -> None:
        """Read the list. Raises `StoreError`."""
        self._keys = {key.public_key: key for key in self._read()}

    async def watch(self) -> None:
        """Read the list again and again, for ever."""
        while True:
            await asyncio.sleep(KEYS_S)
            try:
                await asyncio.to_thread(self.refresh)
            except StoreError:
                pass  # while the store is away nothing can be revoked in it either: what was last read holds
            except Exception:  # a row that no command would write must not end the reading for good
                quiet_log.exception("the list of keys cannot be read, what was last read holds; labwright keys list")

    def find(self, public_key: str) -> AccessKey | None:
        """Return a key of the list."""
        return self._keys.get(public_key)


class LabAdmission:
    """Decides about every connection and every frame of one lab.

    Args:
        spec: The lab.
        keyring: The list.
    """

    def __init__(self, spec: LabSpec, keyring: Keyring) -> None:
        self._spec = spec
        self._keyring = keyring
        self._own: dict[str, str] = {}

    def own_key(self, instrument: str, path: Path) -> None:
        """Admit the driver that the controller starts for an instrument, with a pair kept in `path`.

        It is kept, so that a driver which outlives its controller is known to the next one.

        Raises:
            KeyFileError: If it cannot be read or written.
        """
        if not path.exists():
            write_pair(path, new_pair())
        self._own[read_pair(path).public] = instrument

    def objection(self, public_key: str, instrument: str | None = None) -> str | None:
        """Say why the holder of a key may not speak, or may not speak for an instrument; None when it may."""
        own = self._own.get(public_key)
        if own is not None:
            return None if instrument in (None, own) else f"this is the key of {own}, it may not serve {instrument}"
        key = self._keyring.find(public_key)
        if key is None:
            return "this key is not on the list: labwright keys new NAME --driver --public-key KEY"
        why = key.objection_to_driver(time.time())
        if why is not None or instrument is None:
            return why
        if not key.serves(self._spec.lab, instrument):
            return f"key {key.name!r} may serve {', '.join(key.instruments)}, not {self._spec.lab}/{instrument}"
        spec = self._spec.instruments.get(instrument)
        if spec is None:
            return None  # the hub refuses it and says what to do
        if spec.driver != EXTERNAL:
            return f"the controller starts the driver of {instrument} itself; only `driver: {EXTERNAL}` may come with a key"
        if spec.key is not None and spec.key != public_key and not self._follows(key, spec.key):
            return f"the lab file names another key for {instrument} than that of {key.name!r}"
        return None

    def _follows(self, key: AccessKey, named: str) -> bool:
        """Say whether a key took the place of the one that the lab file names."""
        before = self._keyring.find(named)
        return before is not None and (before.kind, before.name) == (key.kind, key.name)
