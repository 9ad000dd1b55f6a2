"""What a task is: what somebody is asked to do, the answer, and how it ended. Plain data, as it lies in files."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from instruments.protocol.values import AttemptId, Moment, Name, Scalar, Seconds, Text, Unit
from instruments.tasks.form import FormField, Given

Kind = Literal["values", "failed", "skipped"]
"""An answer gives the values, says that it could not be done, or that this one is not done."""
EndKind = Literal["answered", "withdrawn", "overdue"]
WAITING, LATE = "waiting", "late"
Stage = Literal["waiting", "answered", "withdrawn", "overdue", "late"]
"""Where a task stands; *late*: an answer came after it had ended otherwise."""


class _Kept(BaseModel):
    """Base of what lies in files: unknown keys are refused, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Argument(_Kept):
    """What an action is to be carried out with."""

    value: Scalar
    unit: Unit | None = None


class Task(_Kept):
    """What a person is asked to do; its id is that of the attempt."""

    format: Literal[1] = 1
    id: AttemptId
    instrument: Name
    action: Name
    instructions: Text
    arguments: dict[Name, Argument] = {}
    fields: dict[Name, FormField] = {}
    """What is to be answered, by name."""
    asked_at: Moment
    """When the attempt began [s since 1970, UTC]."""
    typical_s: Seconds
    """How long it usually takes [s]."""
    longest_s: Seconds
    """After so long it is late [s]."""
    ends_at: Moment | None = None
    """Nobody is waited for any longer then."""

    @property
    def due_at(self) -> float:
        """Return when it is late."""
        return self.asked_at + self.longest_s


class Answer(_Kept):
    """What a person answered, who and when."""

    kind: Kind
    values: dict[Name, Given] = {}
    reason: Text = ""
    """Why it could not be done, or is not done."""
    note: Text = ""
    by: Annotated[str, Field(min_length=1, max_length=500)]
    at: Moment

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.kind != "values" and (self.values or not self.reason.strip()):
            raise ValueError(f"an answer that says {self.kind} gives a reason and no values")
        return self

    def says_the_same(self, other: Answer) -> bool:
        """Say whether another answer says the same, whoever gave it and when."""
        return (self.kind, self.values, self.reason, self.note) == (other.kind, other.values, other.reason, other.note)


class End(_Kept):
    """How a task ended, by its driver."""

    kind: EndKind
    why: Text = ""
    at: Moment
