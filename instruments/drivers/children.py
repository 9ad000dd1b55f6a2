"""Child processes of a driver: ended with everything they started when the action is asked to end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from instruments.errors import DeviceFaultError
from instruments.sdk.context import ActionContext

_POLL_S = 0.05
_GRACE_S = 0.2
_MOST_OUTPUT = 1024 * 1024


@dataclass(frozen=True)
class Completed:
    """How a child ended, with at most a mebibyte of each output."""

    status: int
    stdout: str
    stderr: str


def run_child(
    ctx: ActionContext,
    command: Sequence[str],
    *,
    feed: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end, or until the action is asked to end.

    Its standard input stays open behind `feed` for as long as this process lives, so that a child can notice our death.

    Args:
        ctx: The action's context.
        command: The program and its arguments; no shell.
        feed: Written to its standard input, at most a pipe's buffer.
        cwd: Where it starts.
        env: Its environment, beside ours.

    Returns:
        How it ended.

    Raises:
        DeviceFaultError: If it cannot be started or writes too much.
        ActionCancelledError: If the action was asked to end; the child and its children have been ended by then.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # a group of its own, so that its children end with it
            )
        except OSError as error:
            raise DeviceFaultError(f"program {command[0]!r} cannot be started: {error}") from error
        try:
            if feed and child.stdin is not None:
                child.stdin.write(feed)
                child.stdin.flush()
            while child.poll() is None:
                if ctx.cancelled:
                    ctx.check()
                if max(_size(out), _size(err)) > 16 * _MOST_OUTPUT:
                    raise DeviceFaultError(f"program {command[0]!r} has written more than 16 MiB; it was ended")
                try:
                    child.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    continue
        except BrokenPipeError:
            child.wait()
        finally:
            _end_group(child)
            if child.stdin is not None:
                with contextlib.suppress(BrokenPipeError):  # it never read what it was fed
                    child.stdin.close()
        return Completed(child.returncode, _tail(out), _tail(err))


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for number, pause in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break  # nobody is left in the group
        try:
            child.wait(pause)
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, _size(file) - _MOST_OUTPUT))
    return file.read(_MOST_OUTPUT).decode("utf-8", "replace")
