"""How drivers declare arguments and returned values, and how they return values with their spread."""

from __future__ import annotations

from dataclasses import dataclass

from instruments.protocol.capabilities import ArgumentDescription, ReturnDescription, ValueKind
from instruments.protocol.values import Scalar


@dataclass(frozen=True)
class Quantity:
    """One argument or one returned value: `Annotated[float, Quantity("degC", low=20, high=150)]`.

    Args:
        unit: As pint writes it, or `percent`, `mol%`; None for text, switches and counts.
        low: Smallest value [unit].
        high: Largest value [unit].
        choices: The texts allowed, for arguments of kind `str`.
        description: For people.
        kind: Taken from the annotation where there is one; needed for returned values that are no floats.
    """

    unit: str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    description: str = ""
    kind: ValueKind = "float"

    def as_argument(self, *, required: bool = True, default: Scalar | None = None) -> ArgumentDescription:
        """Return the wire's description of an argument."""
        return ArgumentDescription(
            kind=self.kind,
            unit=self.unit,
            low=None if self.low is None else float(self.low),
            high=None if self.high is None else float(self.high),
            choices=None if self.choices is None else tuple(self.choices),
            required=required,
            default=default,
            description=self.description,
        )

    def as_return(self) -> ReturnDescription:
        """Return the wire's description of a returned value."""
        return ReturnDescription(kind=self.kind, unit=self.unit, description=self.description)


@dataclass(frozen=True)
class Measured:
    """A returned value that says more than its number.

    Args:
        value: The number, text or switch.
        sem: Its standard error, in the same unit.
        unit: Its unit, if not the declared one; the dimension must be the same.
    """

    value: Scalar
    sem: float | None = None
    unit: str | None = None


Returned = float | int | bool | str | Measured
"""What the values of an action's returned mapping may be."""
