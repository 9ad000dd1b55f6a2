"""Watches over the daemon: a small process that starts it again when it has crashed or hangs, and touches nothing else.

It never speaks with an instrument. Drivers are processes of their own that outlive the daemon; they finish what they do and are
found by the next one. So the worst that a wrong decision here can cost is a restart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import CampaignLockedError
from controller.presence import Presence, present
from instruments.bounded import from_json, process_id, read_small

POLL_S = 0.2
BEAT_S = 1.0
"""How often the daemon's event loop shows that it turns [real s]."""
_FINAL = frozenset({0, 2, 4})
"""Exit codes that another start would not change: it ended as told, wrong input, somebody else is at work."""

_STORE = 5
"""Exit code of a daemon that cannot use its store (a full disk, a server that is away): tried again for as long as it takes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """When the watch acts. All times are real [s]."""

    start_s: float = 300.0
    """A daemon that starts may take so long until its first beat: it reads the logs of its campaigns."""
    hang_s: float = 60.0
    """A daemon whose beat has stood still for so long hangs."""
    abort_s: float = 5.0
    """So long it may take to write down where it hangs, before it is killed."""
    first_pause_s: float = 1.0
    """Pause before the first restart; doubles with each further one."""
    longest_pause_s: float = 60.0
    most: int = 8
    """After so many restarts within `window_s` the watch gives up."""
    window_s: float = 3600.0


def watch(command: Sequence[str], folder: Path, patience: Patience | None = None) -> int:
    """Run the daemon and keep it running until it ends as told, or until restarts are of no use.

    SIGTERM and SIGINT are passed on, as often as they come.

    Args:
        command: Starts the daemon in the foreground.
        folder: Where the daemon leaves its beat, and the watch its notes.
        patience: When to act.

    Returns:
        The daemon's exit code; 1 after giving up.

    Raises:
        CampaignLockedError: If another watch is at work there.
    """
    if (other := watch_state(folder)["watch"]) is not None:
        raise CampaignLockedError(f"a watch (process {other}) is at work in {folder} already; labwright daemon stop ends it")
    return _Watch(command, folder, patience or Patience()).run()


def watch_state(folder: Path) -> dict[str, Any]:
    """Return `watch` (its process, None when none is), `restarts`, `last_end` and `alarm` of the watch on a store's daemon."""
    standing = present(_note(folder))
    try:
        note = from_json(read_small(_note(folder)) if standing is None else standing)
        told = {k: note[k] for k in ("restarts", "last_end", "alarm")}
        return {"watch": None if standing is None else process_id(note["pid"]), **told}
    except (OSError, ValueError, KeyError, TypeError):
        return {"watch": None, "restarts": 0, "last_end": "", "alarm": ""}


def beat_file(folder: Path) -> Path:
    """Return the file whose time of change the daemon renews while its event loop turns."""
    return folder / "daemon.beat"


class _Watch:
    def __init__(self, command: Sequence[str], folder: Path, patience: Patience) -> None:
        self._command, self._folder, self._patience = list(command), folder, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._told = 0
        self._ends: deque[float] = deque()
        self._restarts, self._last_end, self._alarm = 0, "", ""
        self._note = Presence(_note(folder))

    def run(self) -> int:
        before = {number: signal.signal(number, self._pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._keep_running()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._alarm:
                self._note.leave_behind()
            else:
                self._note.withdraw()

    def _pass_on(self, number: int, frame: object) -> None:
        del frame
        self._told += 1
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def _keep_running(self) -> int:
        pause = self._patience.first_pause_s
        while True:
            self._write_note()
            began = time.monotonic()
            code = self._once()
            if self._told or code in _FINAL:
                return code
            now = time.monotonic()
            if code == _STORE:
                self._last_end = f"cannot use its store (exit code {code}; daemon.log says why)"
            else:
                self._ends.append(now)
            while self._ends and now - self._ends[0] > self._patience.window_s:
                self._ends.popleft()
            if len(self._ends) > self._patience.most:
                self._alarm = (
                    f"the daemon ended {len(self._ends)} times within {self._patience.window_s:g} s, the last time because it "
                    f"{self._last_end}: no longer started again; look into daemon.log, then labwright daemon start --supervise"
                )
                log.critical("%s", self._alarm)
                self._write_note()
                return 1
            # One that has worked for a while is needed again soon; one that cannot even start is not helped by haste.
            if now - began > self._patience.longest_pause_s:
                pause = self._patience.first_pause_s
            log.error("the daemon %s; started again in %g s (restart %d)", self._last_end, pause, self._restarts + 1)
            self._write_note()
            if not self._wait(pause):
                return 0
            pause = min(2.0 * pause, self._patience.longest_pause_s)
            self._restarts += 1

    def _once(self) -> int:
        """Run the daemon once and return how it ended."""
        beat = beat_file(self._folder)
        # When it is told to abort it writes down what each of its threads is doing. A process group of its own: Ctrl-C reaches it
        # through us alone, once.
        try:
            process = self._process = subprocess.Popen(
                self._command, env={**os.environ, "PYTHONFAULTHANDLER": "1"}, process_group=0
            )
        except OSError as error:  # no memory or no process to be had: it may be there again in a while
            self._process, self._last_end = None, f"could not be started ({error})"
            return 1
        if self._told:  # told in between
            process.terminate()
        last, still_since, limit = _beat(beat), time.monotonic(), self._patience.start_s
        while (code := process.poll()) is None:
            time.sleep(POLL_S)
            if (found := _beat(beat)) != last:
                last, still_since, limit = found, time.monotonic(), self._patience.hang_s
            elif time.monotonic() - still_since > limit:
                self._last_end = f"has shown no sign of life for {limit:g} s and was killed"
                return self._kill(process)
        ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._last_end = f"ended unexpectedly ({ended})"
        return code

    def _kill(self, process: subprocess.Popen[bytes]) -> int:
        log.error("the daemon (process %d) %s", process.pid, self._last_end)
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._patience.abort_s)
        process.kill()
        process.wait()
        return -signal.SIGKILL

    def _wait(self, pause: float) -> bool:
        """Pause; False if told to end meanwhile."""
        end = time.monotonic() + pause
        while time.monotonic() < end and not self._told:
            time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))
        return not self._told

    def _write_note(self) -> None:
        content = {
            "pid": os.getpid(), "restarts": self._restarts, "last_end": self._last_end, "alarm": self._alarm,
        }  # fmt: skip
        with contextlib.suppress(OSError):  # the note is only for looking; a full disk must not end the watch
            self._note.show(json.dumps(content))


def notify_service_manager(state: str, send: Callable[[str, bytes], None] | None = None) -> None:
    """Tell systemd `READY=1`, `WATCHDOG=1` or `STOPPING=1`, where it asked to be told (`sd_notify(3)`); else do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError):
            (send or _send)(address, state.encode())


def _send(address: str, content: bytes) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(content, "\0" + address[1:] if address.startswith("@") else address)


def _note(folder: Path) -> Path:
    return folder / "daemon.watch.json"


def _beat(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
