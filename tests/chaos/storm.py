"""The driver of chaos: from one seed, what goes wrong next, and when."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import psutil

from tests.chaos.bench import EXIT_STORE, Bench
from tests.chaos.labwright import LEASE_S

KILLS = {
    "kill controller": 30, "kill driver": 26, "kill both": 10, "kill proposer": 5, "kill everything": 9,
}  # fmt: skip
"""How often each sort of kill comes, as a share."""
OTHERS = {
    "pause controller": 2, "pause driver": 2, "delay": 3, "swallow": 3, "cut": 4, "half-close": 3, "full disk": 3,
    "jump clock": 3,
}  # fmt: skip
SERVER = {"stop server": 4}
PATIENCE_S = 30.0
"""Longest wait for progress before the next blow falls all the same."""


class Server(Protocol):
    """A database server that can be stopped as by a power cut, and started again."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Storm:
    """Throws at a bench what its seed says, until the campaign has ended.

    Args:
        bench: What to throw it at.
        seed: Decides what, at whom, and when; processes and disks decide the rest.
        server: The database server under the store, if there is one.
    """

    def __init__(self, bench: Bench, seed: int, server: Server | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._bench = bench
        self._random = random.Random(seed)
        self._server = server
        self._store_was_away = self._disk_was_full = 0.0
        self._blows: dict[str, Callable[[], None]] = {
            "kill controller": self._kill_controller, "kill driver": self._kill_driver, "kill both": self._kill_both,
            "kill proposer": self._kill_proposer, "kill everything": self._kill_everything,
            "pause controller": self._pause_controller, "pause driver": self._pause_driver,
            "delay": self._delay, "swallow": self._swallow, "cut": bench.proxy.cut, "half-close": bench.proxy.half_close,
            "full disk": self._full_disk, "jump clock": self._jump_clock, "stop server": self._stop_server,
        }  # fmt: skip

    @property
    def n_kills(self) -> int:
        """How many blows were kills (one of them may have ended several processes)."""
        return sum(self.counts[name] for name in KILLS)

    def run(self, *, timeout_s: float, blows: Sequence[str] | None = None, pace: float = 1.0) -> None:
        """Start the controller and see the campaign through to its end.

        Args:
            timeout_s: Longest time for everything [s].
            blows: What is thrown, in this order, then nothing more; for ever and at random when left out.
            pace: Experiments that go on between two blows, on average.

        Raises:
            AssertionError: If a controller ends other than by our hand, or the campaign takes too long.
        """
        deadline = time.monotonic() + timeout_s
        planned = None if blows is None else list(blows)
        shares = KILLS | OTHERS | (SERVER if self._server is not None else {})
        self._bench.start()
        while True:
            assert time.monotonic() < deadline, f"not done after {timeout_s:g} s; {dict(self.counts)}\n{self._bench.logs()}"
            if planned is not None and not planned:
                if self._ended():
                    return
                time.sleep(0.1)
                continue
            if self._wait(pace, deadline):
                return
            name = planned.pop(0) if planned is not None else self._random.choices(list(shares), list(shares.values()))[0]
            self._blows[name]()
            self.counts[name] += 1

    # --- when -------------------------------------------------------------------------------------------------------

    def _wait(self, pace: float, deadline: float) -> bool:
        """Wait for the next moment to strike; True when the campaign has ended."""
        if self._random.random() < 0.15:  # into whatever is going on now, a start as likely as not
            until, wanted = time.monotonic() + self._random.uniform(0.0, 3.0), None
        else:
            # Some 350 bytes of device log for one experiment; a fraction of one leads into the middle of its steps.
            wanted = self._bench.n_begun() + self._random.uniform(0.0, 2.0 * pace) * 350.0
            until = time.monotonic() + PATIENCE_S
        while time.monotonic() < min(until, deadline):
            if self._ended():
                return True
            if wanted is not None and self._bench.n_begun() >= wanted:
                time.sleep(self._random.uniform(0.0, 0.15))
                break
            time.sleep(0.02)
        return self._ended()

    def _ended(self) -> bool:
        """Say whether the campaign has ended; a controller that could not open its store just now is started again."""
        process = self._bench.process
        assert process is not None
        code = process.poll()
        if code is None:
            return False
        # A campaign that ends while the disk is full cannot print its summary, and says so with 1; the next start prints it.
        unwritten = code == 1 and time.monotonic() - self._disk_was_full < 10.0
        if unwritten or (code == EXIT_STORE and time.monotonic() - self._store_was_away < 30.0):
            time.sleep(0.2)
            self._bench.start()
            return False
        assert code == 0, f"the controller ended by itself with exit code {code}; {dict(self.counts)}\n{self._bench.logs()}"
        return True

    # --- what -------------------------------------------------------------------------------------------------------

    def _kill_controller(self) -> None:
        self._end_controller()
        if self._random.random() < 0.1:
            time.sleep(self._random.uniform(0.5, 2.0) * LEASE_S)  # long enough for drivers to leave as orphans
        self._bench.start()

    def _end_controller(self) -> None:
        process = self._bench.process
        assert process is not None
        process.kill()
        process.wait()

    def _kill_driver(self) -> None:
        self._kill(self._some(self._bench.drivers()))

    def _kill_both(self) -> None:
        victims = self._some(self._bench.drivers())
        if self._random.random() < 0.5:
            self._kill(victims)
            self._end_controller()
        else:
            self._end_controller()
            self._kill(victims)
        self._bench.start()

    def _kill_proposer(self) -> None:
        self._kill(self._bench.proposers())

    def _kill_everything(self) -> None:
        victims = [*self._bench.proposers(), *self._bench.drivers()]
        self._end_controller()
        self._kill(victims)
        self._bench.start()

    def _pause_controller(self) -> None:
        assert self._bench.process is not None
        self._pause([psutil.Process(self._bench.process.pid)])

    def _pause_driver(self) -> None:
        self._pause(self._some(self._bench.drivers()))

    def _delay(self) -> None:
        self._bench.proxy.delay(self._random.uniform(0.05, 0.5))
        time.sleep(self._random.uniform(0.5, 3.0))
        self._bench.proxy.delay(0.0)

    def _swallow(self) -> None:
        self._bench.proxy.swallow(True)
        time.sleep(self._random.uniform(0.2, 1.5) * LEASE_S)
        self._bench.proxy.swallow(False)

    def _full_disk(self) -> None:
        """Let no file of the controller grow for a while: what a full disk is to it."""
        assert self._bench.process is not None
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(self._bench.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._bench.process.pid, resource.RLIMIT_FSIZE, (4096, most))
            time.sleep(self._random.uniform(0.3, 3.0))
            resource.prlimit(self._bench.process.pid, resource.RLIMIT_FSIZE, (most, most))
            self._store_was_away = self._disk_was_full = time.monotonic()

    def _jump_clock(self) -> None:
        """Set a wall clock forward or back by hours, at the controller, at the drivers, or at both."""
        for of in self._random.choice((["controller"], ["drivers"], ["controller", "drivers"])):
            self._bench.set_clock(of, self._random.uniform(-8.0, 8.0) * 3600.0)

    def _stop_server(self) -> None:
        assert self._server is not None
        self._server.stop()
        time.sleep(self._random.uniform(0.0, 2.0))
        self._server.start()
        self._store_was_away = time.monotonic()

    def _some(self, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
        """Return one of them, most often; now and then several."""
        if not processes:
            return []
        n = len(processes) if self._random.random() < 0.15 else 1
        return self._random.sample(sorted(processes, key=lambda p: p.pid), n)

    def _kill(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _pause(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)
        time.sleep(LEASE_S * self._random.uniform(1.1, 1.6))
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
