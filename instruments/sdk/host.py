"""Carries actions out: plain methods in threads, async ones in a loop of their own, so that the wire never waits."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instruments.clock import Clock
from instruments.errors import (
    ActionCancelledError,
    ActionError,
    DriverDefinitionError,
    FrameTooLargeError,
    InvalidCommandError,
    MeasurementInvalidError,
)
from instruments.protocol.capabilities import ActionDescription, Capabilities
from instruments.protocol.codec import encode
from instruments.protocol.driver_session import Rejection
from instruments.protocol.messages import Command, Finished
from instruments.protocol.outputs import EndReason
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import FaultCode, Faulted, Outcome, Succeeded, shorten
from instruments.sdk.action import Action
from instruments.sdk.checks import check_arguments, check_limits, check_returned
from instruments.sdk.context import ActionContext
from instruments.sdk.recovery import Recovery

_PROGRESS_PAUSE_S = 0.1
_SCALED_SLACK_S = 5.0
"""What every deadline is longer by in a lab that is faster than real time [real s]."""
_CLOSE_BOUND_S = 1.0
_SHORTEST_DEADLINE_S = 1.0
"""Where the controller gives no deadline [lab s]: a duration that depends on the arguments may be zero for some."""
log = logging.getLogger(__name__)


class DeviceCalls:
    """Calls a driver's methods off the wire's event loop and gives back futures of that loop.

    Daemon threads rather than a pool: a method that never returns must not keep the process from leaving.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.current_thread()
        self._lock = threading.Lock()

    def call(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> asyncio.Future[Any]:
        """Call `function`, plain or async; cancelling the future ends an async one and abandons a plain one."""
        if inspect.iscoroutinefunction(function):
            return asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(function(*args, **keywords), self._device_loop())
            )
        home = asyncio.get_running_loop()
        future: asyncio.Future[Any] = home.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            elif isinstance(error, Exception):
                future.set_exception(error)
            else:
                # SystemExit or KeyboardInterrupt of a driver is its fault, not a wish to end the host.
                future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

        def work() -> None:
            result, error = None, None
            try:
                result = function(*args, **keywords)
                if inspect.isawaitable(result):
                    result = asyncio.run_coroutine_threadsafe(_await(result), self._device_loop()).result()
            except BaseException as raised:
                error = raised
            if not home.is_closed():
                try:
                    home.call_soon_threadsafe(settle, result, error)
                except RuntimeError:
                    log.debug("the loop closed before %r returned", function)

        threading.Thread(target=work, name=f"action {getattr(function, '__name__', '?')}", daemon=True).start()
        return future

    async def close(self) -> None:
        """End the loop of async methods; one that is blocked is left behind after a moment."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(self._thread.join, _CLOSE_BOUND_S)

    def _device_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()

                def work() -> None:
                    loop.run_forever()
                    loop.run_until_complete(_cancel_all())
                    loop.close()

                self._thread = threading.Thread(target=work, name="device loop", daemon=True)
                self._thread.start()
                self._loop = loop
            return self._loop


async def _cancel_all() -> None:
    pending = asyncio.all_tasks() - {asyncio.current_task()}
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _unless_ended(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return `handler` behind a last look: a stop that came while its thread was being made finds the device untouched."""
    if inspect.iscoroutinefunction(handler):

        async def begin_async(context: ActionContext, **arguments: Any) -> Any:
            context.check()
            return await handler(context, **arguments)

        return begin_async

    def begin(context: ActionContext, **arguments: Any) -> Any:
        context.check()
        return handler(context, **arguments)

    return begin


@dataclass
class _Going:
    context: ActionContext
    wish: asyncio.Event = field(default_factory=asyncio.Event)
    reason: EndReason | None = None
    asking: bool = False
    """Whether its recover hook has not answered yet what became of it."""


def _code_of_end(going: _Going, *, timed_out: bool) -> FaultCode:
    """Return the code of an attempt that was ended; a deadline that passes while the recover hook is asked tells nothing of it."""
    if going.reason is not None and not timed_out:
        return FaultCode(going.reason)
    return FaultCode.interrupted if going.asking else FaultCode.timeout


class ActionHost:
    """Examines commands and carries out one driver's actions.

    Args:
        actions: The driver's.
        capabilities: Their descriptions, limits of the lab file applied.
        calls: Where the driver's methods are called.
        clock: Lab time.
        on_progress: Told of progress, on the wire's loop, a few times a second at most.
        on_released: Told when the code of a stuck attempt has returned at last.
        on_overrun: Called when an action neither met its deadline nor ended when asked to.
        grace_s: How long an action may take to end once it was asked to [real s].
        folder: Of the driver, for raw files; None where nothing is to be written.
    """

    def __init__(
        self,
        actions: Mapping[str, Action],
        capabilities: Capabilities,
        *,
        calls: DeviceCalls,
        clock: Clock,
        on_progress: Callable[[str, float, str], None],
        on_released: Callable[[str], None],
        on_overrun: Callable[[], None],
        grace_s: float = 0.5,
        folder: Path | None = None,
    ) -> None:
        self._actions = dict(actions)
        self._capabilities = capabilities
        self._misfit: str | None = None
        self._calls = calls
        self._clock = clock
        self._on_progress = on_progress
        self._on_released = on_released
        self._on_overrun = on_overrun
        self._grace_s = grace_s
        self._folder = folder
        self._going: dict[str, _Going] = {}

    def narrow(self, capabilities: Capabilities, misfit: str | None) -> None:
        """Examine commands by these capabilities from now on, or take none at all because of a misfit."""
        self._capabilities, self._misfit = capabilities, misfit

    def examine(self, command: Command, at: float) -> AttemptRecord | Rejection:
        """Decide about a new command.

        Args:
            command: As it came.
            at: Lab time.

        Returns:
            The record to keep, or why it is turned down.
        """
        if self._misfit is not None:
            return Rejection("not_ready", self._misfit)
        described = self._capabilities.actions.get(command.action)
        if described is None:
            known = ", ".join(sorted(self._capabilities.actions))
            return Rejection("invalid_command", f"unknown action {command.action!r}; this driver offers {known}")
        try:
            used, conversions = check_arguments(command, described)
        except ActionError as error:
            return Rejection("out_of_limits" if error.code == "out_of_limits" else "invalid_command", str(error))
        try:
            duration = self._actions[command.action].duration_for(used)
        except DriverDefinitionError as error:
            return Rejection("driver_error", str(error))
        return AttemptRecord(
            attempt=command.attempt,
            action=command.action,
            arguments=used,
            received=dict(command.arguments),
            units=dict(command.units),
            duration_s=duration,
            deadline_s=max(duration[1], _SHORTEST_DEADLINE_S) if command.deadline_s is None else command.deadline_s,
            accepted_at=at,
            conversions=conversions,
        )

    def end(self, attempt: str, reason: EndReason) -> None:
        """Ask a running attempt to end."""
        going = self._going.get(attempt)
        if going is not None and going.reason is None:
            going.reason = reason
            going.context.cancel(reason)
            going.wish.set()

    async def execute(self, record: AttemptRecord, *, recovering: bool) -> tuple[Outcome | None, bool]:
        """Carry out an attempt.

        Args:
            record: The attempt.
            recovering: An earlier process had started it: ask the recover hook first.

        Returns:
            Its outcome, None for one that the device never began according to its recover hook; and whether its code has not
            returned (it is stuck).
        """
        action = self._actions.get(record.action)
        started_at = self._clock.time() if record.started_at is None else record.started_at
        if recovering and (action is None or action.recover is None):
            return self._interrupted(
                started_at, "the driver's process died meanwhile and the action has no check"
            ), False
        if action is None:
            return self._fault(FaultCode.invalid_command, f"no action {record.action!r} any more", started_at), False
        context = ActionContext(
            record.attempt,
            self._clock,
            started_at=started_at,
            deadline_s=record.deadline_s,
            on_progress=self._progress_from_thread(record.attempt),
            folder=self._folder,
        )
        going = self._going[record.attempt] = _Going(context)
        going.asking = recovering
        work = asyncio.ensure_future(self._work(action, going, record))
        wish = asyncio.ensure_future(going.wish.wait())
        try:
            await asyncio.wait((work, wish), timeout=self._patience_s(record), return_when=asyncio.FIRST_COMPLETED)
            timed_out = not work.done() and going.reason is None
            if timed_out:
                context.cancel(f"its deadline of {record.deadline_s:g} s has passed")
            if not work.done():
                await asyncio.wait((work,), timeout=self._grace_s)
            if work.done():
                return self._judge(work, going, timed_out, started_at, record), False
            if timed_out:
                self._on_overrun()
            return self._abandon(work, going, record, started_at)
        finally:
            wish.cancel()
            self._going.pop(record.attempt, None)

    def _patience_s(self, record: AttemptRecord) -> float:
        """Return how long the attempt may take [real s]."""
        speed = self._clock.speed
        # Where lab time runs faster, the host's own work (fsync, threads) takes real time that no declared duration holds.
        return record.deadline_s / speed + (_SCALED_SLACK_S if speed > 1.0 else 0.0)

    def _abandon(
        self, work: asyncio.Future[Outcome | None], going: _Going, record: AttemptRecord, started_at: float
    ) -> tuple[Outcome, bool]:
        # Let it go on unheard. Its place stays taken until it returns: the device may still be in its hands.
        def returned(done: asyncio.Future[Outcome | None]) -> None:
            if not done.cancelled():
                error = done.exception()
                log.warning("attempt %s: its code has returned at last (%s)", record.attempt, error or "normally")
            self._on_released(record.attempt)

        work.add_done_callback(returned)
        code = _code_of_end(going, timed_out=going.reason is None)
        what = f"deadline of {record.deadline_s:g} s passed" if going.reason is None else f"asked to end ({going.reason})"
        text = f"{what}, but the action's code has not returned within {self._grace_s:g} s: it is abandoned"
        return self._fault(code, text, started_at), True

    async def _work(self, action: Action, going: _Going, record: AttemptRecord) -> Outcome | None:
        described, context = self._capabilities.actions[record.action], going.context
        if going.asking and action.recover is not None:
            answer = await self._ask(action.name, action.recover, context, record)
            going.asking = False
            if answer.kind == "unknown":
                return self._interrupted(context.started_at, answer.message or "its recover hook cannot tell")
            if answer.kind == "never_began":
                return None
            returned = answer.values if answer.follow is None else await self._calls.call(answer.follow)
        else:
            self._check_again(record, described)
            returned = await self._calls.call(_unless_ended(action.handler), context, **record.arguments)
        values = check_returned(returned, described, action.name)
        outcome = Succeeded(
            values=values, started_at=context.started_at, finished_at=self._clock.time(), files=context.kept
        )
        try:
            encode(Finished(attempt=record.attempt, outcome=outcome))
        except FrameTooLargeError as error:  # noted as it is it could be offered for ever and never arrive
            raise MeasurementInvalidError(f"action {action.name!r}: {error}", retryable=False) from error
        return outcome

    def _check_again(self, record: AttemptRecord, described: ActionDescription) -> None:
        """Look at the limits once more: between accepting and beginning a controller may have come with narrower ones."""
        if self._misfit is not None:
            raise InvalidCommandError(self._misfit)
        check_limits(record.arguments, described, record.action)

    async def _ask(
        self, action: str, hook: Callable[..., Any], context: ActionContext, record: AttemptRecord
    ) -> Recovery:
        """Ask a recover hook; one that fails knows no more than none at all, whatever it fails of."""
        try:
            answer = await self._calls.call(hook, context, **record.arguments)
        except ActionCancelledError:
            raise
        except Exception as error:
            log.exception("attempt %s: the recover hook of %s failed", record.attempt, action)
            return Recovery.unknown(f"its recover hook failed: {type(error).__name__}: {error}")
        if isinstance(answer, Recovery):
            return answer
        return Recovery.unknown(f"its recover hook returned {answer!r}, expected a Recovery")

    def _judge(
        self,
        work: asyncio.Future[Outcome | None],
        going: _Going,
        timed_out: bool,
        started_at: float,
        record: AttemptRecord,
    ) -> Outcome | None:
        ended = _code_of_end(going, timed_out=timed_out) if timed_out or going.reason is not None else None
        error = work.exception()
        if error is None:
            if work.result() is None and going.reason is not None:
                why = f"it was {going.reason}; the device had not begun it"
                return self._fault(FaultCode(going.reason), why, started_at, retryable=True)
            return work.result()  # done in time after all: a result is a result
        if ended is not None:
            what = f"the deadline of {record.deadline_s:g} s passed" if timed_out else f"it was {ended.value}"
            told = "" if isinstance(error, ActionCancelledError) else f"; the action then said {error!r}"
            return self._fault(ended, what + told, started_at, retryable=True)
        if isinstance(error, ActionError):
            return self._fault(FaultCode(error.code), str(error), started_at, retryable=error.retryable)
        if isinstance(error, TimeoutError):
            return self._fault(
                FaultCode.timeout, f"the device did not answer in time: {error}", started_at, retryable=True
            )
        log.error("attempt %s: action %s failed", record.attempt, record.action, exc_info=error)
        return self._fault(FaultCode.driver_error, f"{type(error).__name__}: {error}", started_at)

    def _fault(self, code: FaultCode, message: str, started_at: float, *, retryable: bool = False) -> Faulted:
        return Faulted(
            code=code,
            message=shorten(message),
            retryable=retryable,
            started_at=started_at,
            finished_at=self._clock.time(),
        )

    def _interrupted(self, started_at: float, why: str) -> Faulted:
        return self._fault(FaultCode.interrupted, f"interrupted: {why}", started_at)

    def _progress_from_thread(self, attempt: str) -> Callable[[float, str], None]:
        home = asyncio.get_running_loop()
        last = float("-inf")

        def tell(fraction: float, note: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _PROGRESS_PAUSE_S or fraction != fraction:
                return
            last = now
            try:
                home.call_soon_threadsafe(self._on_progress, attempt, fraction, note)
            except RuntimeError:
                log.debug("progress of %s after the loop closed", attempt)

        return tell
