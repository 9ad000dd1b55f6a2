"""The driver contract: what every driver must do, checked on the real server over the memory transport."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from instruments.client import (
    AttemptAccepted,
    AttemptFinished,
    AttemptRejected,
    AttemptStarted,
    EventStream,
    InstrumentHub,
    LinkUp,
    StopConfirmed,
)
from instruments.clock import Clock, ScaledClock
from instruments.errors import InstrumentError
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, Capabilities
from instruments.protocol.codec import decode_from_driver, encode
from instruments.protocol.driver_session import DriverTiming
from instruments.protocol.messages import Command, Hello
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import Faulted, Scalar, Succeeded
from instruments.sdk.action import Action
from instruments.sdk.driver import Driver, describe_driver
from instruments.sdk.journal import Journal
from instruments.sdk.server import DriverServer
from instruments.transport.memory import MemoryNetwork
from instruments.units import same_dimension

_INSTRUMENT = "checked"
_TIMING = DriverTiming(heartbeat_s=0.2, lease_s=30.0, hello_s=0.05, longest_hello_s=0.2, offer_s=0.2)
_STOP_BOUND_S = 1.5
E = TypeVar("E")


@dataclass(frozen=True)
class CheckResult:
    """How one check went; `message` says why it failed or was left out."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether it did not fail."""
        return self.status != "failed"


class _SkippedError(Exception):
    """A check that does not apply here."""


def check_driver(
    make_driver: Callable[[], Driver],
    *,
    action: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
    clock: Clock | None = None,
    time_limit_s: float = 30.0,
) -> list[CheckResult]:
    """Check a driver against the contract.

    Checks that carry something out use one action several times: the one named, else one that is `safe`, else one that
    is `repeatable`; of a simulated driver, else any. If a real driver has neither, they are left out.

    Args:
        make_driver: Makes a new driver object each time.
        action: The action to carry out.
        arguments: Its arguments; defaults and the middles of the limits for those left out.
        clock: Lab time; 1000 times real time for simulated drivers, real time for others, when left out.
        time_limit_s: Longest time for each check [real s].

    Returns:
        One result for each check, in a fixed order. Nothing raises: a failure is a result.
    """
    return asyncio.run(_check_all(make_driver, action, dict(arguments or {}), clock, time_limit_s))


async def _check_all(
    make_driver: Callable[[], Driver],
    action: str | None,
    arguments: dict[str, Scalar],
    clock: Clock | None,
    time_limit_s: float,
) -> list[CheckResult]:
    results: list[CheckResult] = []

    async def check(name: str, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await asyncio.wait_for(work(), time_limit_s)
        except _SkippedError as reason:
            results.append(CheckResult(name, "skipped", str(reason)))
        except TimeoutError:
            results.append(CheckResult(name, "failed", f"not done within {time_limit_s:g} s"))
        except Exception as error:  # a stranger's driver may raise anything, and that is a result
            text = str(error) if isinstance(error, AssertionError | InstrumentError) else repr(error)
            results.append(CheckResult(name, "failed", text or repr(error)))
        else:
            results.append(CheckResult(name, "passed"))
            return True
        return False

    subject = _Subject(make_driver, action, arguments, clock)
    if not await check("actions are declared and fit into a frame", subject.declared):
        return results
    await check("units are known", subject.units)
    await check("unknown actions and arguments are rejected", subject.unknown)
    await check("values outside the limits are rejected", subject.limits)
    await check("values come back as declared", subject.values)
    await check("a command that comes twice is carried out once", subject.twice)
    await check("a stop during an action is confirmed within its bound", subject.stopped)
    await check("an interrupted action is reported after a restart", subject.restarted)
    return results


def _count_calls(driver: Driver) -> Counter[str]:
    """Make a driver object count, by attempt, how often its handlers are called."""
    calls: Counter[str] = Counter()
    actions = driver.actions

    def counted(handler: Callable[..., Any]) -> Callable[..., Any]:
        def count(ctx: Any, **arguments: Any) -> Any:
            calls[ctx.attempt] += 1
            return handler(ctx, **arguments)

        return count

    def counted_actions() -> Mapping[str, Action]:
        return {name: replace(action, handler=counted(action.handler)) for name, action in actions().items()}

    driver.actions = counted_actions  # type: ignore[method-assign]  # of this one object
    return calls


class _Subject:
    def __init__(
        self, make_driver: Callable[[], Driver], action: str | None, arguments: dict[str, Scalar], clock: Clock | None
    ) -> None:
        self._make = make_driver
        self._wanted = action
        self._arguments = arguments
        self._clock = clock
        self.capabilities: Capabilities
        self.simulated = False

    async def declared(self) -> None:
        driver = self._make()
        self.simulated = driver.simulated
        self.capabilities = describe_driver(driver)
        if self._clock is None:
            # Simulated actions may take lab hours; a real device cannot be hurried.
            self._clock = ScaledClock(1000.0) if driver.simulated else ScaledClock(1.0)
        hello = Hello(
            instrument=_INSTRUMENT, driver=type(driver).__name__, version=driver.version, boot_id="b", journal_id="j",
            simulated=driver.simulated, lease_s=driver.lease_s, capabilities=self.capabilities, state="ready",
        )  # fmt: skip
        _expect(
            decode_from_driver(encode(hello)) == hello, "its description does not come back from the wire as it was"
        )

    async def units(self) -> None:
        for described in self.capabilities.actions.values():
            units = [argument.unit for argument in described.arguments.values()]
            units += [returned.unit for returned in described.returns.values()]
            for unit in units:
                if unit is not None:
                    same_dimension(unit, "")  # asks pint itself

    async def unknown(self) -> None:
        name, described = next(iter(self.capabilities.actions.items()))
        async with _Bench(self._make, self._clock) as bench:
            bench.send("no_such_action_here", {})
            code = (await bench.event(AttemptRejected)).code
            _expect(code == "invalid_command", f"an unknown action was rejected as {code}")
            bench.send(name, {**self._sample(name, described), "no_such_argument_here": 1.0})
            code = (await bench.event(AttemptRejected)).code
            _expect(code == "invalid_command", f"an unknown argument was rejected as {code}")
            _expect(not bench.calls, "a rejected command was carried out")

    async def limits(self) -> None:
        tried = 0
        async with _Bench(self._make, self._clock) as bench:
            for name, described in self.capabilities.actions.items():
                for argument, declared in described.arguments.items():
                    for value in _outside(declared):
                        tried += 1
                        bench.send(name, {**self._sample(name, described), argument: value})
                        rejected = await bench.event(AttemptRejected)
                        _expect(rejected.code == "out_of_limits", f"{name}, {argument}={value!r}: {rejected.message}")
            _expect(not bench.calls, "a rejected command was carried out")
        if not tried:
            raise _SkippedError("no argument has limits")

    async def values(self) -> None:
        name, arguments = self._exercise()
        async with _Bench(self._make, self._clock) as bench:
            bench.send(name, arguments)
            outcome = (await bench.event(AttemptFinished)).outcome
            _expect(isinstance(outcome, Succeeded), f"{name}({arguments}): {getattr(outcome, 'message', outcome)}")

    async def twice(self) -> None:
        name, arguments = self._exercise()
        async with _Bench(self._make, self._clock) as bench:
            attempt = bench.send(name, arguments)
            bench.send(name, arguments, attempt=attempt)
            await bench.event(AttemptFinished)
            bench.hub.acknowledge(_INSTRUMENT, attempt)
            bench.send(name, arguments, attempt=attempt)
            await bench.event(AttemptAccepted)
            await asyncio.sleep(0.1)
            _expect(bench.calls[attempt] == 1, f"{name} was carried out {bench.calls[attempt]} times")

    async def stopped(self) -> None:
        name, arguments = self._exercise()
        async with _Bench(self._make, ScaledClock(1.0)) as bench:  # in real time, so that there is something to stop
            bench.send(name, arguments)
            await bench.event(AttemptStarted)
            asked = time.monotonic()
            bench.hub.stop(_INSTRUMENT, "now")
            confirmed = await bench.event(StopConfirmed)
            took = time.monotonic() - asked
            _expect(not confirmed.message, confirmed.message)
            deaf = f"{name} did not end when it was stopped: use ctx.sleep, or call ctx.check between its steps"
            _expect(not confirmed.stuck, deaf)
            _expect(took < _STOP_BOUND_S, f"the stop took {took:.1f} s")

    async def restarted(self) -> None:
        name, arguments = self._exercise()
        action = self._make().actions()[name]
        record = AttemptRecord(
            attempt="before", action=name, arguments={**action.defaults, **arguments}, received=arguments, units={},
            duration_s=action.duration_for({**action.defaults, **arguments}), deadline_s=1e6, accepted_at=0.0,
            conversions={}, started_at=0.0,
        )  # fmt: skip
        async with _Bench(self._make, self._clock, before=record) as bench:
            outcome = (await bench.event(AttemptFinished)).outcome
            if action.recover is None:
                _expect(isinstance(outcome, Faulted) and outcome.code == "interrupted", f"{outcome}")
                _expect(not bench.calls, f"{name} was carried out again without being asked to")
            else:
                known = isinstance(outcome, Succeeded) or outcome.code == "interrupted"
                _expect(known, f"its recover hook led to {outcome}")

    def _exercise(self) -> tuple[str, dict[str, Scalar]]:
        actions = self.capabilities.actions
        name = self._wanted
        if name is None:
            order = ["safe", "repeatable", *(["consumes", "irreversible"] if self.simulated else [])]
            fitting = sorted((order.index(a.consequence), n) for n, a in actions.items() if a.consequence in order)
            if not fitting:
                raise _SkippedError("no action is safe or repeatable: name one that may be carried out")
            name = fitting[0][1]
        _expect(name in actions, f"no action {name!r}; there are {', '.join(actions)}")
        return name, self._sample(name, actions[name])

    def _sample(self, name: str, described: ActionDescription) -> dict[str, Scalar]:
        del name
        values = {key: _inside(argument) for key, argument in described.arguments.items()}
        return {**values, **{key: value for key, value in self._arguments.items() if key in values}}


def _expect(met: object, complaint: str) -> None:
    # Not an assert statement: `python -O` would leave nothing of the contract.
    if not met:
        raise AssertionError(complaint)


def _inside(argument: ArgumentDescription) -> Scalar:
    if argument.default is not None:
        return argument.default
    if argument.kind == "str":
        return argument.choices[0] if argument.choices else ""
    if argument.kind == "bool":
        return False
    ends = [end for end in (argument.low, argument.high) if end is not None]
    middle = sum(ends) / len(ends) if ends else 1.0
    return round(middle) if argument.kind == "int" else middle


def _outside(argument: ArgumentDescription) -> list[Scalar]:
    if argument.choices is not None:
        return ["no such choice here"]
    outside: list[Scalar] = []
    if argument.low is not None:
        outside.append(argument.low - 1.0)
    if argument.high is not None:
        outside.append(argument.high + 1.0)
    return [int(value) for value in outside] if argument.kind == "int" else outside


class _Bench:
    """The driver under test, served, with a hub beside it."""

    def __init__(
        self, make_driver: Callable[[], Driver], clock: Clock | None, *, before: AttemptRecord | None = None
    ) -> None:
        self._driver = make_driver()
        self.calls = _count_calls(self._driver)
        self._clock = clock
        self._before = before
        self._number = 0

    async def __aenter__(self) -> _Bench:
        self._folder = tempfile.TemporaryDirectory()
        journal = Journal(Path(self._folder.name) / "journal.db", instrument=_INSTRUMENT)
        if self._before is not None:
            journal.write(self._before)
        network = MemoryNetwork()
        self.hub = InstrumentHub(network.server(), heartbeat_s=0.2, lease_s=30.0)
        self._events: EventStream = self.hub.events()
        await self.hub.start()
        self._server = DriverServer(
            self._driver,
            transport=network.client(_INSTRUMENT, "boot"),
            journal=journal,
            clock=self._clock,
            timing=_TIMING,
        )
        self._serving = asyncio.create_task(self._server.serve())
        await self.event(LinkUp)
        if self._before is None:
            while self._server.session.state not in ("ready", "faulted"):
                await asyncio.sleep(0.01)
            if self._server.session.state == "faulted":
                problem = "its setup failed; see the log"
                await self.__aexit__()
                raise AssertionError(problem)
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._serving.done():
            self._server.request_shutdown("now")
        await asyncio.gather(self._serving, return_exceptions=True)
        await self.hub.close()
        self._folder.cleanup()

    def send(self, action: str, arguments: Mapping[str, Scalar], *, attempt: str | None = None) -> str:
        """Send a command; return its attempt."""
        self._number += 1
        attempt = attempt or f"attempt-{self._number}"
        self.hub.command(_INSTRUMENT, Command(attempt=attempt, action=action, arguments=dict(arguments)))
        return attempt

    async def event(self, kind: type[E]) -> E:
        """Return the next event of a kind; a rejection that is not asked for is a failure."""
        async for event in self._events:
            if isinstance(event, kind):
                return event
            if isinstance(event, AttemptRejected):
                raise AssertionError(f"rejected: {event.message}")
        raise AssertionError("the hub closed")
