"""The composition root: settings and a store become a running controller, for one campaign or for as many as come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.domain.campaign import Definition
from controller.engine.loop import CampaignLoop
from controller.engine.snapshot import Snapshot
from controller.engine.supervisor import Supervisor, ended_snapshot
from controller.errors import ConflictError
from controller.keeping import KeptProcess
from controller.presence import Presence, present
from controller.settings import folder_of
from controller.store.opening import Store
from controller.watching import BEAT_S, beat_file, notify_service_manager, watch_state
from instruments.bounded import process_id

if TYPE_CHECKING:
    from controller.api.serving import Serving

SNAPSHOT_S = 0.25
"""How often a display is told [real s]."""


@dataclass(frozen=True)
class RunOptions:
    """How to run."""

    store_url: str
    device: str = "auto"
    """`cpu`, `cuda` or `auto`, for the models."""
    grace_s: float = 30.0
    """What runs may take so long to finish after Ctrl-C or SIGTERM [real s]; a second signal ends the wait."""


def run_campaign(
    definition: Definition, options: RunOptions, on_snapshot: Callable[[Snapshot], None] | None = None,
    notify: Path | None = None,
) -> Snapshot:  # fmt: skip
    """Run one campaign until it ends, pauses or is told to stop; go on where it was if the store holds it.

    Args:
        definition: The campaign.
        options: Where and how.
        on_snapshot: Called about four times a second with what the campaign looks like.
        notify: File that says who is told of what; nobody is when left out.

    Returns:
        The last snapshot.

    Raises:
        CampaignLockedError: If another controller works on it.
        ConflictError: If the store holds another campaign of this name.
        StoreError: If the store cannot be opened.
    """
    check_device(options.device)
    with Store.open(options.store_url) as store:
        if (ended := ended_snapshot(store, definition)) is not None:
            return ended
    return asyncio.run(_run_campaign(definition, options, on_snapshot or (lambda snapshot: None), notify))


async def _run_campaign(
    definition: Definition, options: RunOptions, on_snapshot: Callable[[Snapshot], None], notify: Path | None
) -> Snapshot:
    async with AsyncExitStack() as stack:
        if notify is not None:
            await stack.enter_async_context(_telling(notify, [options.store_url], only=definition.name))
        return await _carry_out(definition, options, on_snapshot)


async def _carry_out(definition: Definition, options: RunOptions, on_snapshot: Callable[[Snapshot], None]) -> Snapshot:
    async with _signals() as signals, _controller(options) as supervisor:
        loop = await supervisor.add(definition)
        requests = asyncio.create_task(supervisor.serve_requests())
        asked = asyncio.create_task(signals.first.wait())
        ended = asyncio.create_task(loop.finished.wait())
        try:
            while not (asked.done() or ended.done()):
                on_snapshot(loop.snapshot())
                await asyncio.wait({asked, ended}, timeout=SNAPSHOT_S, return_when=asyncio.FIRST_COMPLETED)
            reason = "told to stop by a signal" if asked.done() else "the campaign has ended"
            leaving = asyncio.create_task(
                supervisor.leave(grace_s=options.grace_s if asked.done() else 0.0, reason=reason)
            )
            await _watch(leaving, loop, signals, supervisor, on_snapshot)
        finally:
            for task in (requests, asked, ended):
                task.cancel()
            await asyncio.gather(requests, asked, ended, return_exceptions=True)
        if loop.crashed:
            raise RuntimeError(f"campaign {definition.name} ended on an unexpected error; see the log above")
        return loop.snapshot()


async def _watch(
    leaving: asyncio.Task[None], loop: CampaignLoop, signals: _Signals, supervisor: Supervisor,
    on_snapshot: Callable[[Snapshot], None],
) -> None:  # fmt: skip
    """Show the leave-taking; a second signal cuts the grace time short."""
    while not leaving.done():
        on_snapshot(loop.snapshot())
        await asyncio.wait({leaving}, timeout=SNAPSHOT_S)
        if signals.second.is_set():
            supervisor.hurry()
    await leaving


class _Signals:
    """Counts SIGINT and SIGTERM."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._take)

    def _take(self) -> None:
        if self.first.is_set():
            self.second.set()
        self.first.set()

    def close(self) -> None:
        """Give the signals back."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


@asynccontextmanager
async def _signals() -> AsyncIterator[_Signals]:
    signals = _Signals()
    try:
        yield signals
    finally:
        signals.close()


@asynccontextmanager
async def _controller(options: RunOptions) -> AsyncIterator[Supervisor]:
    with Store.open(options.store_url) as store:
        supervisor = Supervisor(store, device=options.device, version=version("labwright"))
        try:
            yield supervisor
        finally:
            await supervisor.leave(grace_s=0.0, reason="the controller ends")


def check_device(device: str) -> None:
    """Refuse a GPU that is not there now, not in every proposal later.

    Raises:
        ConflictError: If `device` is `cuda` and no GPU can be used.
    """
    if device != "cuda":
        return  # and torch, which takes seconds to load, stays out of this process
    from surrogates.device import resolve
    from surrogates.errors import SurrogateError

    try:
        resolve(device)
    except SurrogateError as error:
        raise ConflictError(f"--device {device}: {error}") from None


def serve_forever(stores: Sequence[RunOptions], http: Serving | None = None, notify: Path | None = None) -> None:
    """Be the daemon, in the foreground: take up what the stores hold unfinished, serve requests, until told to stop.

    Args:
        stores: One entry per store; simulated and real data have one each. Tokens for HTTP are those of the first.
        http: Where HTTP is to be served, if at all.
        notify: File that says who is told of what; nobody is when left out.

    Raises:
        CampaignLockedError: If a daemon runs on one of these stores already.
        ConflictError: If HTTP cannot be served there.
        StoreError: If a store cannot be opened.
    """
    for options in stores:
        check_device(options.device)
    asyncio.run(_serve_forever(stores, http, notify))


async def _serve_forever(stores: Sequence[RunOptions], http: Serving | None, notify: Path | None) -> None:
    async with _signals() as signals, AsyncExitStack() as stack:
        supervisors = []
        for options in stores:
            supervisor = await stack.enter_async_context(_controller(options))
            stack.enter_context(supervisor.store.lock_daemon())
            supervisors.append(supervisor)
        if http is not None:  # before campaigns are taken up, which can take long: a stop is never to wait for that
            await _serve_http(http, [options.store_url for options in stores], stack)
        if notify is not None:
            await stack.enter_async_context(_telling(notify, [options.store_url for options in stores]))
        for options in stores:
            stack.enter_context(_pid_note(options.store_url))
        beats = asyncio.create_task(_beat([beat_file(folder_of(options.store_url)) for options in stores]), name="beat")
        stack.callback(beats.cancel)
        for supervisor in supervisors:
            await supervisor.take_up_unfinished()
        notify_service_manager("READY=1")
        requests = [asyncio.create_task(supervisor.serve_requests()) for supervisor in supervisors]
        await signals.first.wait()
        notify_service_manager("STOPPING=1")
        for task in requests:
            task.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        leaving = asyncio.gather(
            *(
                supervisor.leave(grace_s=options.grace_s, reason="the daemon was told to stop")
                for supervisor, options in zip(supervisors, stores, strict=True)
            )
        )
        while not leaving.done():
            await asyncio.wait({leaving}, timeout=SNAPSHOT_S)
            if signals.second.is_set():
                for supervisor in supervisors:
                    supervisor.hurry()
        await leaving


async def _serve_http(serving: Serving, urls: Sequence[str], stack: AsyncExitStack) -> None:
    from controller.api.process import HttpProcess, listen
    from controller.api.serving import check_people

    check_people(serving, urls[0])
    process = HttpProcess(serving, urls, await listen(serving))
    stack.push_async_callback(process.close)
    process.start()


@asynccontextmanager
async def _telling(file: Path, urls: Sequence[str], only: str | None = None) -> AsyncIterator[None]:
    """Have people told of what happens inside the block, by a process of its own; of one campaign alone with `only`."""
    from controller.notify.outbox import FOLDER
    from controller.notify.service import FAREWELL, LEAVE_S, baseline

    for url in urls:
        baseline(url)
    told = {"urls": list(urls), "file": str(file), "only": only and [only]}
    # Beside a live display nothing else can be written; a daemon has a log.
    errors = None if only is None else folder_of(urls[0]) / FOLDER / "notify.log"
    process = KeptProcess("controller.notify", "tells people", told, errors=errors, close_s=LEAVE_S + 4.0)
    process.start()
    try:
        yield
    except BaseException:  # whatever ended the block: without the farewell it is told that the controller did not mean to end
        await process.close()
        raise
    await process.close(FAREWELL)


async def _beat(files: Sequence[Path]) -> None:
    """Show that the event loop turns: to the watch by the time of a file, to a service manager by a message."""
    while True:
        for file in files:
            with contextlib.suppress(OSError):  # a full disk is no sign of a hanging loop; an old file's time can still be set
                file.touch()
        notify_service_manager("WATCHDOG=1")
        await asyncio.sleep(BEAT_S)


@contextlib.contextmanager
def _pid_note(store_url: str) -> Iterator[None]:
    """Leave this process's number for `daemon status` and `daemon stop`."""
    with Presence(_pid_file(store_url)) as note:
        note.show(str(os.getpid()))
        yield


def daemon_state(store_url: str) -> dict[str, Any]:
    """Return whether a daemon runs on this store, and as which process."""
    state: dict[str, Any] = {"running": False, "pid": None, "folder": str(folder_of(store_url))}
    note = present(_pid_file(store_url))
    if note is not None:
        with contextlib.suppress(ValueError):
            state |= {"running": True, "pid": process_id(note)}
    return state


def stop_daemon(store_url: str, timeout_s: float) -> bool:
    """Tell the daemon, or the watch over it, to stop and wait for both; False when one is still there after `timeout_s`."""
    state, watching = daemon_state(store_url), watch_state(folder_of(store_url))["watch"]
    told = watching or state["pid"]  # the watch passes it on, and starts nothing again
    if told is None:
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(told, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not daemon_state(store_url)["running"] and watch_state(folder_of(store_url))["watch"] is None:
            return True
        time.sleep(0.1)
    return False


def _pid_file(store_url: str) -> Path:
    return folder_of(store_url) / "daemon.pid"

