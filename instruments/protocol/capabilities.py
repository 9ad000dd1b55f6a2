"""What a driver says that it can do: its actions, their arguments, limits, returned values and consequences."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from instruments.protocol.values import Frozen, Name, Scalar, Seconds, Text, Unit

ValueKind = Literal["float", "int", "bool", "str"]
Consequence = Literal["safe", "repeatable", "consumes", "irreversible"]
"""What repeating an interrupted action would mean; only `safe` and `repeatable` are repeated without asking."""

_JSON_TYPES = {"float": "number", "int": "integer", "bool": "boolean", "str": "string"}


class ArgumentDescription(Frozen):
    """One argument of an action; `low` and `high` are in `unit`, limits of the lab file already applied."""

    kind: ValueKind = "float"
    unit: Unit | None = None
    low: float | None = None
    high: float | None = None
    choices: Annotated[tuple[Text, ...], Field(max_length=1000)] | None = None
    required: bool = True
    default: Scalar | None = None
    description: Text = ""

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        if self.choices is not None and (self.kind != "str" or not self.choices):
            raise ValueError("choices belong to an argument of kind str and cannot be empty")
        if self.kind in ("bool", "str") and (self.low is not None or self.high is not None):
            raise ValueError(f"an argument of kind {self.kind} has no low or high")
        return self


class ReturnDescription(Frozen):
    """One value that an action returns."""

    kind: ValueKind = "float"
    unit: Unit | None = None
    description: Text = ""


class ActionDescription(Frozen):
    """One action. `duration_s` is (typical, longest) in lab seconds; `checkable` says that it has a recover hook."""

    arguments: Annotated[dict[Name, ArgumentDescription], Field(max_length=200)]
    returns: Annotated[dict[Name, ReturnDescription], Field(max_length=200)]
    duration_s: tuple[Seconds, Seconds]
    consequence: Consequence
    checkable: bool = False
    description: Text = ""

    def json_schema(self) -> dict[str, Any]:
        """Return the arguments as a JSON schema, for editors and for other languages."""
        properties: dict[str, Any] = {}
        for name, argument in self.arguments.items():
            entry: dict[str, Any] = {"type": _JSON_TYPES[argument.kind]}
            if argument.description:
                entry["description"] = argument.description
            if argument.unit is not None:
                entry["unit"] = argument.unit
            if argument.low is not None:
                entry["minimum"] = argument.low
            if argument.high is not None:
                entry["maximum"] = argument.high
            if argument.choices is not None:
                entry["enum"] = list(argument.choices)
            if not argument.required:
                entry["default"] = argument.default
            properties[name] = entry
        required = [name for name, argument in self.arguments.items() if argument.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class Capabilities(Frozen):
    """Everything that a driver offers. `capacity` is how many actions it carries out at once."""

    actions: Annotated[dict[Name, ActionDescription], Field(max_length=200)]
    capacity: Annotated[int, Field(ge=1, le=1000)] = 1
    description: Text = ""
