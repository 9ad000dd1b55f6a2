"""Runs a function in a process of its own under the system's limits, and tells what it cost."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.controller.files.bombs", "tests.instruments.bombs"])


class Cost(NamedTuple):
    """What became of a call, and what it cost."""

    told: Any
    """What it returned, or the exception that it raised."""
    seconds: float
    """Processor time [s]."""
    mebibytes: float
    """How much memory it took at most, beyond what it began with [MiB]."""


def under_limits(function: Callable[..., Any], *arguments: Any, seconds: int = 30, mebibytes: int = 2048) -> Cost:
    """Call `function`; it is killed beyond `seconds` of processor time, and gets no more memory beyond `mebibytes`.

    Args:
        function: Of a module, so that another process finds it.
        arguments: Its arguments.
        seconds: Limit [s].
        mebibytes: Limit of what it may ask for beyond what the process has when it begins [MiB].
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_call, args=(theirs, seconds, mebibytes, function, arguments))
    process.start()
    theirs.close()
    try:
        cost: Cost = ours.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"{function.__name__} was killed (exit code {process.exitcode}) beyond {seconds} s") from None
    process.join()
    return cost


def _call(pipe: Connection, seconds: int, mebibytes: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    begun = time.process_time()
    before, size = _status("VmRSS"), _status("VmSize")
    resource.setrlimit(resource.RLIMIT_CPU, (int(begun) + seconds, int(begun) + seconds))
    resource.setrlimit(resource.RLIMIT_AS, (int((size + mebibytes) * 2**20), resource.RLIM_INFINITY))
    told: Any
    try:
        told = function(*arguments)
    except Exception as error:  # whatever it is, the test that called looks at it
        told = error
    seconds_taken, most = time.process_time() - begun, _status("VmHWM")
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    pipe.send(Cost(told, seconds_taken, most - before))


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024.0
    raise AssertionError(f"no {name}")
