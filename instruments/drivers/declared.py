"""Actions declared in files: the parts that every driver without code shares."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from instruments.errors import DriverOptionsError
from instruments.protocol.capabilities import Consequence, ValueKind
from instruments.protocol.values import Scalar
from instruments.sdk.quantity import Quantity

_FORMATTER = string.Formatter()


class Declared(BaseModel):
    """Base of what is read from a lab file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredArgument(Declared):
    """An argument of an action."""

    unit: str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    kind: ValueKind | None = None
    """`str` if there are choices, else `float`."""
    default: Scalar | None = None
    description: str = ""

    def quantity(self) -> Quantity:
        """Return it as the SDK writes it."""
        kind: ValueKind = self.kind or ("str" if self.choices else "float")
        return Quantity(self.unit, self.low, self.high, self.choices, description=self.description, kind=kind)


class DeclaredReturn(Declared):
    """A returned value."""

    unit: str | None = None
    kind: ValueKind = "float"
    description: str = ""

    def quantity(self) -> Quantity:
        """Return it as the SDK writes it."""
        return Quantity(self.unit, description=self.description, kind=self.kind)


class DeclaredAction(Declared):
    """What every declared action says of itself. `duration` is (typical, longest) [lab s]."""

    arguments: dict[str, DeclaredArgument] = {}
    duration: tuple[Annotated[float, Field(ge=0.0)], Annotated[float, Field(gt=0.0)]]
    consequence: Consequence
    description: str = ""

    @model_validator(mode="after")
    def _duration_is_ordered(self) -> Self:
        if self.duration[0] > self.duration[1]:
            raise ValueError(f"duration {self.duration}: typical is longer than the longest")
        return self

    def quantities(self) -> dict[str, Quantity]:
        """Return the arguments as the SDK writes them."""
        return {name: argument.quantity() for name, argument in self.arguments.items()}

    def defaults(self) -> dict[str, Scalar]:
        """Return the defaults of arguments that may be left out."""
        return {name: a.default for name, a in self.arguments.items() if a.default is not None}


def fields_of(template: str, place: str) -> set[str]:
    """Return the argument names in a template such as `TEMP {temperature:.1f}`.

    Raises:
        DriverOptionsError: If a field is not a plain name: attributes, indices and positions are refused.
    """
    try:
        names = {field for _, field, _, _ in _FORMATTER.parse(template) if field is not None}
    except ValueError as error:
        raise DriverOptionsError(f"{place}: template {template!r}: {error}; write {{{{ for a brace") from error
    for name in names:
        if not name.isidentifier():
            raise DriverOptionsError(f"{place}: template {template!r}: field {name!r} is not an argument's name")
    return names


def check_template(template: str, arguments: Mapping[str, Any], place: str) -> None:
    """Check that a template uses no argument that the action does not have.

    Raises:
        DriverOptionsError: If it does.
    """
    unknown = fields_of(template, place) - set(arguments)
    if unknown:
        known = ", ".join(sorted(arguments)) or "none"
        raise DriverOptionsError(f"{place}: template {template!r} uses unknown {sorted(unknown)}; arguments: {known}")


def fill(template: str, arguments: Mapping[str, Scalar]) -> str:
    """Fill a checked template. Switches become 1 and 0; floats keep every digit unless the template says otherwise."""
    parts = []
    for literal, field, spec, _ in _FORMATTER.parse(template):
        parts.append(literal)
        if field is not None:
            value = arguments[field]
            parts.append(format(int(value) if isinstance(value, bool) else value, spec or ""))
    return "".join(parts)
