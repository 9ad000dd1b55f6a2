"""The base of every model a user writes or the log keeps, and the plain value types."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Value: TypeAlias = bool | int | float | str
"""One setting of one parameter, or one measured value."""

Point: TypeAlias = dict[str, Value]
"""One setting of every parameter, by name."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=64)]
"""The name of a parameter, objective or action, as it also travels on the wire; in an expression only identifiers can be used."""

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+@-]*$", max_length=128)]
"""A name for people and folders: no spaces, no slashes."""


class Model(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _unused(value: object) -> bool:
    return value is None or (isinstance(value, (tuple, list, dict)) and not value)


LATER: Final[Any] = Field(exclude_if=_unused)
"""For an optional key of what is searched that came after the first release: left out of what is written while it is not used
(None or empty), so that the fingerprints of campaigns that began without it stay theirs."""
