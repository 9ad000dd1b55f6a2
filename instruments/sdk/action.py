"""Actions: declared on methods with `@action`, or made from parts for drivers whose actions depend on options."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin, overload

from pydantic import ValidationError

from instruments.errors import DriverDefinitionError, InstrumentError
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, Consequence, ValueKind
from instruments.protocol.values import LONGEST_S, Scalar
from instruments.sdk.quantity import Quantity
from instruments.units import check_unit

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

Duration = tuple[float, float] | Callable[..., tuple[float, float]]
"""(typical, longest) [lab s], or a function of the arguments that returns them."""
_KINDS: dict[type, ValueKind] = {float: "float", int: "int", bool: "bool", str: "str"}
_MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Action:
    """One action of one driver, ready to be carried out.

    Args:
        name: Its name on the wire.
        handler: Called with an `ActionContext` and the arguments by name; plain or async.
        arguments: What it takes.
        returns: What its returned mapping holds: exactly these names.
        duration: (typical, longest) [lab s], or a function of the arguments that returns them.
        consequence: What repeating an interrupted attempt would mean.
        recover: Asked after the driver's process died in the middle; called as `handler` is, returns a `Recovery`.
        description: For people.
        defaults: Values of arguments that may be left out.
    """

    name: str
    handler: Callable[..., Any]
    arguments: Mapping[str, Quantity]
    returns: Mapping[str, Quantity]
    duration: Duration
    consequence: Consequence
    recover: Callable[..., Any] | None = None
    description: str = ""
    defaults: Mapping[str, Scalar] = field(default_factory=dict)

    def describe(self) -> ActionDescription:
        """Return the wire's description.

        A duration that depends on the arguments is described by its value in the middle of their ranges and by the
        longest at either end.

        Raises:
            DriverDefinitionError: If a unit is unknown, limits contradict each other, or a duration is missing.
        """
        place = f"action {self.name!r}"
        try:
            for name, quantity in [*self.arguments.items(), *self.returns.items()]:
                if quantity.unit is not None:
                    place = f"action {self.name!r}, {name!r}"
                    check_unit(quantity.unit)
            place = f"action {self.name!r}"
            unknown = set(self.defaults) - set(self.arguments)
            if unknown:
                raise DriverDefinitionError(f"defaults for unknown arguments {sorted(unknown)}")
            arguments = {
                name: quantity.as_argument(required=name not in self.defaults, default=self.defaults.get(name))
                for name, quantity in self.arguments.items()
            }
            return ActionDescription(
                arguments=arguments,
                returns={name: quantity.as_return() for name, quantity in self.returns.items()},
                duration_s=self._general_duration(arguments),
                consequence=self.consequence,
                checkable=self.recover is not None,
                description=self.description,
            )
        except (InstrumentError, ValidationError) as error:
            raise DriverDefinitionError(f"{place}: {error}") from error

    def duration_for(self, arguments: Mapping[str, Scalar]) -> tuple[float, float]:
        """Return (typical, longest) [lab s] for these arguments.

        Raises:
            DriverDefinitionError: If the duration is not two numbers with 0 <= typical <= longest <= `LONGEST_S`.
        """
        try:
            typical, longest = self.duration(**arguments) if callable(self.duration) else self.duration
            typical, longest = float(typical), float(longest)
        except Exception as error:  # a driver's own function may raise anything
            raise DriverDefinitionError(
                f"action {self.name!r}: its duration for {dict(arguments)} cannot be told: {error!r}"
            ) from error
        if not 0.0 <= typical <= longest <= LONGEST_S:
            raise DriverDefinitionError(
                f"action {self.name!r}: duration ({typical}, {longest}) is not (typical, longest) in seconds, {LONGEST_S:g} at most"
            )
        return typical, longest

    def _general_duration(self, arguments: Mapping[str, ArgumentDescription]) -> tuple[float, float]:
        low, middle, high = ({n: _sample(a, at) for n, a in arguments.items()} for at in (0.0, 0.5, 1.0))
        typical = self.duration_for(middle)[0]
        longest = max(self.duration_for(values)[1] for values in (low, middle, high))
        if longest <= 0.0:
            raise DriverDefinitionError(f"action {self.name!r}: a longest duration of zero leaves no time for anything")
        return typical, longest


def _sample(argument: ArgumentDescription, at: float) -> Scalar:
    if argument.kind == "str":
        return argument.choices[0] if argument.choices else str(argument.default or "")
    if argument.kind == "bool":
        return at >= 0.5
    ends = [end for end in (argument.low, argument.high) if end is not None]
    default = argument.default if isinstance(argument.default, int | float) else 1.0
    value = ends[0] + at * (ends[-1] - ends[0]) if ends else float(default)
    return round(value) if argument.kind == "int" else value


class ActionMethod(Generic[S, P, R]):
    """What `@action` makes of a method: still callable as a method, and known to the driver as an action."""

    def __init__(
        self,
        method: Callable[Concatenate[S, P], R],
        *,
        name: str,
        duration: Any,
        consequence: Consequence,
        returns: Mapping[str, Quantity],
    ) -> None:
        self.method = method
        self.name = name
        self._duration = duration
        self._consequence: Consequence = consequence
        self._returns = returns
        self._recover: Callable[..., Any] | None = None
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> ActionMethod[S, P, R]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: S | None, owner: type) -> ActionMethod[S, P, R] | Callable[P, R]:
        if instance is None:
            return self
        bound: Callable[P, R] = types.MethodType(self.method, instance)
        return bound

    def recover(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate the method that finds out what became of an action whose process died."""
        self._recover = hook
        return hook

    def bind(self, driver: object) -> Action:
        """Return the action of one driver object.

        Raises:
            DriverDefinitionError: If an argument's annotation cannot be read.
        """
        arguments, defaults = _arguments_of(self.method, self.name)
        duration = self._duration
        if callable(duration):
            # Declared in the class's body as a function of the object and the arguments.
            duration = types.MethodType(duration, driver) if _takes_self(duration) else duration
        return Action(
            name=self.name,
            handler=types.MethodType(self.method, driver),
            arguments=arguments,
            returns=self._returns,
            duration=duration,
            consequence=self._consequence,
            recover=None if self._recover is None else types.MethodType(self._recover, driver),
            description=(inspect.getdoc(self.method) or "").split("\n\n")[0].replace("\n", " "),
            defaults=defaults,
        )


def action(
    *,
    duration: tuple[float, float] | Callable[..., tuple[float, float]],
    consequence: Consequence,
    returns: Mapping[str, Quantity] | None = None,
    name: str | None = None,
) -> Callable[[Callable[Concatenate[S, P], R]], ActionMethod[S, P, R]]:
    """Declare a driver's method as an action.

    The method takes an `ActionContext` and then its arguments, each annotated with `float`, `int`, `bool` or `str`, or
    with `Annotated[..., Quantity(...)]`. It may be plain (it then has a thread of its own) or async.

    Args:
        duration: (typical, longest) [lab s], or a function of the arguments (and of `self`, if it names it) that
            returns them.
        consequence: `safe` (reads only), `repeatable`, `consumes` (sample or reagent) or `irreversible`.
        returns: What the returned mapping holds.
        name: The action's name; the method's when left out.

    Returns:
        The decorator.
    """

    def decorate(method: Callable[Concatenate[S, P], R]) -> ActionMethod[S, P, R]:
        return ActionMethod(
            method,
            name=name or method.__name__,
            duration=duration,
            consequence=consequence,
            returns=dict(returns or {}),
        )

    return decorate


def _takes_self(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters), "") == "self"


def _arguments_of(method: Callable[..., Any], name: str) -> tuple[dict[str, Quantity], dict[str, Scalar]]:
    try:
        hints = typing.get_type_hints(method, include_extras=True)
    except NameError as error:
        raise DriverDefinitionError(f"action {name!r}: an annotation cannot be read: {error}") from error
    parameters = list(inspect.signature(method).parameters.values())
    if len(parameters) < 2:
        raise DriverDefinitionError(f"action {name!r} must take (self, ctx, ...): ctx is its ActionContext")
    return quantities_of(parameters[2:], hints, f"action {name!r}")


def quantities_of(
    parameters: list[inspect.Parameter], hints: Mapping[str, Any], place: str
) -> tuple[dict[str, Quantity], dict[str, Scalar]]:
    """Read arguments and their defaults from a signature.

    Args:
        parameters: Those that are arguments.
        hints: The signature's annotations, with their extras.
        place: For messages.

    Returns:
        Quantities by name, and the defaults.

    Raises:
        DriverDefinitionError: If an annotation or a default cannot be read.
    """
    arguments: dict[str, Quantity] = {}
    defaults: dict[str, Scalar] = {}
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DriverDefinitionError(f"{place}: {parameter.name!r} must be a plain argument, not * or **")
        arguments[parameter.name] = _quantity_of(hints.get(parameter.name, float), f"{place}, {parameter.name!r}")
        if parameter.default is not _MISSING:
            if not isinstance(parameter.default, bool | int | float | str):
                raise DriverDefinitionError(f"{place}: default {parameter.default!r} of {parameter.name!r} is no value")
            defaults[parameter.name] = parameter.default
    return arguments, defaults


def _quantity_of(hint: Any, place: str) -> Quantity:
    quantity = Quantity()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        quantity = next((extra for extra in extras if isinstance(extra, Quantity)), quantity)
    if get_origin(hint) is typing.Literal and all(isinstance(choice, str) for choice in get_args(hint)):
        return Quantity(choices=tuple(get_args(hint)), description=quantity.description, kind="str")
    kind = _KINDS.get(hint)
    if kind is None:
        raise DriverDefinitionError(f"{place}: annotation {hint!r} is not float, int, bool, str or a Literal of texts")
    return Quantity(
        quantity.unit, quantity.low, quantity.high, quantity.choices, description=quantity.description, kind=kind
    )
