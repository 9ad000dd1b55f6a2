"""Serves a lab by hand: one driver process per instrument, as the controller would start them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from simulators.errors import ServingError

_POLL_S = 0.1
_PATIENCE_S = 10.0


def serve_lab(
    lab: Mapping[str, Any], *, controller: str, folder: Path, clock: str = "system", key: Path | None = None,
    server_key: str | None = None,
) -> dict[str, int]:  # fmt: skip
    """Serve every instrument of a lab until a signal ends it or a driver leaves.

    Args:
        lab: As a lab file would say it.
        controller: `tcp://127.0.0.1:PORT`, or the rendezvous file.
        folder: Where each instrument keeps its journal, device log and driver log.
        clock: The lab clock in its text form.
        key: File of the key pair with which all of its drivers speak, where the controller asks for keys.
        server_key: The controller's public key; a rendezvous file holds it too.

    Returns:
        Exit status of each driver that did not leave in good order; empty when all did, as after SIGINT or SIGTERM.

    Raises:
        ServingError: If a driver's process cannot be started.
    """
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    keys = [*(("--key", str(key.resolve())) if key else ()), *(("--server-key", server_key) if server_key else ())]
    drivers: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, instrument in lab["instruments"].items():
            drivers[name] = _start(name, instrument, controller, folder / name, clock, keys)
        while not asked.wait(_POLL_S) and all(driver.poll() is None for driver in drivers.values()):
            pass
    finally:
        statuses = _end(drivers)
        for number, handler in before.items():
            signal.signal(number, handler)
    # One that was told to leave before it could listen to signals ends by the signal itself; that is no fault of its own.
    return {name: status for name, status in statuses.items() if status not in (0, -signal.SIGTERM)}


def _start(
    name: str, instrument: Mapping[str, Any], controller: str, folder: Path, clock: str, keys: Sequence[str]
) -> subprocess.Popen[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        options = folder / "options.json"
        options.write_text(json.dumps(instrument.get("options", {})), encoding="utf-8")
        with (folder / "driver.log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "instruments", "serve", "--driver", instrument["driver"]),
                    *("--instrument", name, "--controller", controller, "--journal", str(folder / "journal.db")),
                    *("--options-file", str(options), "--limits", json.dumps(instrument.get("limits", {}))),
                    *("--clock", clock),
                    *keys,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that Ctrl-C reaches them once, through us
            )
    except OSError as error:
        raise ServingError(f"{name}: its driver cannot be started in {folder}: {error}") from error


def _end(drivers: Mapping[str, subprocess.Popen[bytes]]) -> dict[str, int]:
    """Ask every driver to leave when idle, then at once; return how each left."""
    for _ in range(2):
        for driver in drivers.values():
            if driver.poll() is None:
                driver.terminate()
        for driver in drivers.values():
            try:
                driver.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                continue
    for driver in drivers.values():
        if driver.poll() is None:
            driver.kill()
    return {name: driver.wait() for name, driver in drivers.items()}
