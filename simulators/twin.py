"""The driver `simulated-twin`: stands in for any other driver, with its actions, limits and durations.

What it returns is invented, or comes from Python functions of one's own that know the physics.
"""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from instruments.errors import DeviceFaultError, DriverError, DriverOptionsError
from instruments.sdk.action import Action
from instruments.sdk.driver import Driver
from instruments.sdk.modules import load_module
from instruments.sdk.options import build_driver
from instruments.sdk.quantity import Quantity
from instruments.sdk.registry import load_driver
from simulators.devices.base import Respond, SimulatedDriver, Values, spare_time
from simulators.devices.memory import Scalar
from simulators.faults import FaultPlan, seeded

_WAVES = 3
"""Cosines that make up one returned value; few, so that it is smooth enough to be searched."""


class TwinDriver(SimulatedDriver):
    """Takes what another driver takes and returns what that one returns, drawn smoothly from the arguments or from functions.

    The other driver's device is never touched: its class is asked for its actions, and where these depend on its options an object
    is made of it, but never set up (a driver reaches for its device in `setup`, not before).

    Args:
        driver: The other driver's tag, `module:Class` or `file.py:Class`.
        options: The other driver's options.
        functions: By action: `file.py:function` or `package.module:function`. It is called with the action's arguments by name and,
            where it has a parameter `rng`, with a `random.Random` that is the same whenever the same attempt is asked again; it
            returns a mapping of values, or one bare value if the action returns one; values that it leaves out are invented.
            What it raises is a fault of the device.
        noise: Standard deviation of invented numbers, relative to their range; functions see to theirs.
        duration_scale: 1 for the durations that the other driver declares; smaller to hurry.
        seed: See `SimulatedDriver`.
        faults: See `SimulatedDriver`.
        log: See `SimulatedDriver`.

    Raises:
        DriverNotFoundError: If there is no such driver.
        DriverOptionsError: If the options do not fit it, or a function is not there or takes something else.
    """

    def __init__(
        self,
        *,
        driver: str,
        options: dict[str, Any] | None = None,
        functions: dict[str, str] | None = None,
        noise: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01,
        duration_scale: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0,
        seed: int = 0,
        faults: FaultPlan | None = None,
        log: str | None = None,
    ) -> None:
        super().__init__(seed=seed, faults=faults, log=log)
        twinned = load_driver(driver)
        if issubclass(twinned, TwinDriver):
            raise DriverOptionsError(f"driver: {driver} is a twin itself; name the driver that it stands in for")
        self._driver, self._noise, self._scale = driver, noise, duration_scale
        self._twinned, self.capacity = _actions_of(twinned, options or {})
        self._functions = {name: _function(name, place, self._twinned) for name, place in (functions or {}).items()}

    def actions(self) -> Mapping[str, Action]:
        """Return the other driver's actions, carried out by a device that is not there."""
        return {name: self._twin(action) for name, action in self._twinned.items()}

    def _twin(self, action: Action) -> Action:
        twin = self.simulated_action(
            action.name,
            self._respond(action),
            arguments=action.arguments,
            returns=action.returns,
            duration=self._duration(action),
            consequence=action.consequence,
            description=f"Simulated. {action.description}".strip(),
        )
        return Action(**{**vars(twin), "defaults": action.defaults})

    def _duration(self, action: Action) -> Callable[..., tuple[float, float]]:
        def duration(**arguments: Scalar) -> tuple[float, float]:
            # Left-out arguments take their defaults on the way in, so all of them are here.
            typical, longest = action.duration_for(arguments)
            return self._scale * typical, max(self._scale * longest, self._scale * typical + spare_time(0.0))

        return duration

    def _respond(self, action: Action) -> Respond:
        def respond(arguments: Mapping[str, Scalar], rng: random.Random) -> Values:
            place = [
                _position(arguments[name], quantity) for name, quantity in action.arguments.items() if name in arguments
            ]
            return {
                name: _value(
                    quantity,
                    _smooth(place, seeded("twin", self.seed, self._driver, action.name, name))
                    + rng.gauss(0.0, self._noise),
                )
                for name, quantity in action.returns.items()
            }

        return _computed(self._functions[action.name], action, respond) if action.name in self._functions else respond


def _actions_of(twinned: type[Driver], options: Mapping[str, Any]) -> tuple[Mapping[str, Action], int]:
    # `__new__` alone: where actions are declared on methods, nothing of the driver's own code has to be executed.
    bare = twinned.__new__(twinned)
    if twinned.actions is Driver.actions:
        actions = bare.actions()
        try:
            for action in actions.values():
                action.describe()
        except AttributeError:
            pass  # a duration that looks at the object's options
        else:
            return actions, twinned.capacity
    made = build_driver(twinned, options)
    return made.actions(), made.capacity


def _function(action: str, place: str, actions: Mapping[str, Action]) -> Callable[..., Any]:
    """Return the function that `place` names, once it is sure that it can be called with what the action takes."""
    if action not in actions:
        raise DriverOptionsError(f"functions.{action}: there is no such action; it has {', '.join(actions)}")
    head, _, name = place.rpartition(":")
    try:
        found = getattr(load_module(head), name, None) if head else None
    except DriverError as error:
        raise DriverOptionsError(f"functions.{action}: {error}") from error
    if not callable(found):
        raise DriverOptionsError(f"functions.{action}: {place!r} names no function; write file.py:function")
    function: Callable[..., Any] = found
    try:
        inspect.signature(function).bind(**dict.fromkeys(actions[action].arguments), **_generator(function, None))
    except TypeError as error:
        takes = ", ".join(actions[action].arguments) or "nothing"
        raise DriverOptionsError(f"functions.{action}: {place} does not fit: {error}; the action takes {takes}") from None
    return function


def _generator(function: Callable[..., Any], rng: random.Random | None) -> dict[str, Any]:
    return {"rng": rng} if "rng" in inspect.signature(function).parameters else {}


def _computed(function: Callable[..., Any], action: Action, invent: Respond) -> Respond:
    """Return what calls a function and takes what it returns for the values of an action."""

    def respond(arguments: Mapping[str, Scalar], rng: random.Random) -> Values:
        try:
            given = function(**arguments, **_generator(function, rng))
        except Exception as error:  # anybody's code: whatever it raises, the device has failed
            raise DeviceFaultError(f"{action.name}: {type(error).__name__}: {error}") from error
        if not isinstance(given, Mapping) and len(action.returns) == 1:
            given = {next(iter(action.returns)): given}
        if not isinstance(given, Mapping) or not set(given) <= set(action.returns):
            raise DeviceFaultError(f"{action.name}: the function gave {given!r}, expected values of {', '.join(action.returns)}")
        given = dict(given)
        return given if set(given) == set(action.returns) else {**invent(arguments, rng), **given}

    return respond


def _position(value: Scalar, quantity: Quantity) -> float:
    """Return where a value lies within its limits, from 0 to 1; without limits large values are drawn together."""
    if isinstance(value, str):
        return seeded("choice", value).random()
    low, high = quantity.low, quantity.high
    if low is not None and high is not None and high > low:
        return (float(value) - low) / (high - low)
    return 0.5 + math.atan(float(value)) / math.pi


def _smooth(place: list[float], rng: random.Random) -> float:
    """Return a number from 0 to 1 that changes smoothly with `place`; `rng` decides which function it is."""
    total = 0.0
    for _ in range(_WAVES):
        phase = rng.uniform(0.0, 2.0 * math.pi)
        total += math.cos(phase + sum(rng.uniform(-3.0, 3.0) * x for x in place))
    return 0.5 + 0.5 * total / _WAVES


def _value(quantity: Quantity, level: float) -> Scalar:
    """Return `level`, 0 to 1, as a value of the declared kind: numbers from 0 to 100, or within the limits declared."""
    if quantity.kind == "bool":
        return level > 0.5
    if quantity.kind == "str":
        choices = quantity.choices or ("simulated",)
        return choices[min(int(max(level, 0.0) * len(choices)), len(choices) - 1)]
    low = 0.0 if quantity.low is None else quantity.low
    high = low + 100.0 if quantity.high is None else quantity.high
    number = min(max(low + level * (high - low), low), high)
    return round(number) if quantity.kind == "int" else number
