"""The form of a task: which values a person gives, and the one place where what was given is checked.

Read by whoever asks (terminal, page, plan) before an answer is taken, and again by the driver that takes it: a file in a folder may
have been written by anybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from instruments.errors import UnitError
from instruments.protocol.values import MAX_TEXT, Scalar, Text, Unit
from instruments.units import check_unit, convert, convert_spread, same_unit

FieldKind = Literal["float", "int", "bool", "str", "file"]
_LONGEST_NUMBER = 200
"""Characters of a number with its unit and standard error."""
_FIGURE = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"(?P<value>{_FIGURE})\s*(?:(?:±|\+/-|\+-)\s*(?P<sem>{_FIGURE}))?\s*(?P<unit>.*)", re.ASCII | re.DOTALL)
_WORDS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class FormField(BaseModel):
    """One value that a person gives."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: FieldKind | None = None
    """`str` if there are choices, else `float`. `file` is a photo or any other file, kept by its SHA-256."""
    unit: Unit | None = None
    low: float | None = None
    """Smallest value [unit]."""
    high: float | None = None
    """Largest value [unit]."""
    choices: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)] | None = None
    optional: bool = False
    """Whether it may be left out; texts and files only, for a number that is not there is no measurement."""
    description: Text = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.choices is not None and (self.type != "str" or len(set(self.choices)) != len(self.choices)):
            raise ValueError("choices are texts, each of them once")
        if self.type not in ("float", "int"):
            if self.unit is not None or self.low is not None or self.high is not None:
                raise ValueError(f"what is of kind {self.type} has neither unit nor low nor high")
        elif self.optional:
            raise ValueError("a number cannot be optional: a person who has none says that it could not be done")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} lies above high {self.high:g}")
        if self.unit is not None:
            check_unit(self.unit)
        return self

    @property
    def type(self) -> FieldKind:
        """The kind, also where it was left out."""
        return self.kind or ("str" if self.choices else "float")

    def told(self) -> dict[str, Any]:
        """Return it as JSON data, with its kind and what is `expected`, for whoever draws a form."""
        return {**self.model_dump(mode="json"), "kind": self.type, "expected": self.expected()}

    def expected(self) -> str:
        """Return what is to be given, for people: `a number of nm from 10 to 2000`."""
        if self.choices is not None:
            return f"one of {', '.join(self.choices)}"
        match self.type:
            case "bool":
                return "yes or no"
            case "str":
                return "a text"
            case "file":
                return "a file"
        what = "a whole number" if self.type == "int" else "a number"
        limits = {(True, True): f" from {self.low:g} to {self.high:g}" if self.low is not None and self.high is not None else "",
                  (True, False): f" of {self.low:g} or more" if self.low is not None else "",
                  (False, True): f" of {self.high:g} or less" if self.high is not None else "", (False, False): ""}  # fmt: skip
        return what + limits[self.low is not None, self.high is not None] + (f" [{self.unit}]" if self.unit else "")


class Given(BaseModel):
    """One value as it is taken: in the field's own unit, beside what was said."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    value: Scalar
    unit: Unit | None = None
    sem: Annotated[float, Field(ge=0.0)] | None = None
    """Standard error [unit]."""
    said: Text = ""
    """What the person wrote, where that was something else: `0.5 L` for 500 mL."""


class _FaultError(Exception):
    """What is wrong with one value; becomes a line of the faults."""


def read_form(fields: Mapping[str, FormField], given: Mapping[str, Any]) -> tuple[dict[str, Given], list[str]]:
    """Check what a person gave.

    Args:
        fields: The form, by name.
        given: Name -> a number, a truth value, a text (`3.2 mL`, `3.2 ± 0.1 mL`, `yes`), or `{"value": …, "unit": …, "sem": …}`.
            A number without a unit is in the field's. None and empty texts count as not given.

    Returns:
        What is taken, by name in the form's order, and a line for each fault: place, value, what was expected, what to do.
    """
    taken: dict[str, Given] = {}
    faults = []
    for name in given:
        if name not in fields:
            near = get_close_matches(str(name), fields, n=2) or list(fields)
            faults.append(f"{str(name)[:64]}: is not asked for; the form has {', '.join(near) or 'no values'}")
    for name, field in fields.items():
        said = given.get(name)
        if said is None or (isinstance(said, str) and not said.strip()):
            if not field.optional:
                faults.append(f"{name}: is missing; give {field.expected()}")
            elif field.type in ("str", "file"):
                taken[name] = Given(value="")
            continue
        try:
            taken[name] = _read(field, said)
        except _FaultError as fault:
            faults.append(f"{name}: {_shown(said)} {fault}; give {field.expected()}")
    return taken, faults


def _read(field: FormField, said: Any) -> Given:
    match field.type:
        case "bool":
            if isinstance(said, bool):
                return Given(value=said)
            word = said.strip().lower() if isinstance(said, str) else str(said)
            if word not in _WORDS:
                raise _FaultError("is neither yes nor no")
            return Given(value=_WORDS[word])
        case "str" | "file":
            if not isinstance(said, str):
                raise _FaultError("is no text")
            text = said.strip()
            if len(text) > MAX_TEXT:
                raise _FaultError(f"has {len(text)} characters, {MAX_TEXT} at most are kept")
            if any((ord(sign) < 32 and sign not in "\n\t") or 0xD800 <= ord(sign) < 0xE000 for sign in text):
                raise _FaultError("holds signs that are no text")
            if field.type == "file" and _SHA256.fullmatch(text) is None:
                raise _FaultError("is no file that is kept here")
            if field.choices is not None and text not in field.choices:
                raise _FaultError("is none of the choices")
            return Given(value=text)
    return _number(field, said)


def _number(field: FormField, said: Any) -> Given:
    number, unit, sem = _parts(said)
    if not math.isfinite(number) or (sem is not None and not (math.isfinite(sem) and sem >= 0.0)):
        raise _FaultError("is no finite number")
    wanted, value = field.unit or "", number
    if unit is not None:
        try:
            if not same_unit(unit, wanted):
                # Twelve digits: 0.35 um is 350 nm, not 349.99999999999994.
                value = float(f"{convert(number, unit, wanted):.12g}")
                sem = None if sem is None else float(f"{convert_spread(sem, unit, wanted):.12g}")
        except UnitError as error:
            raise _FaultError(f"cannot be taken: {error}") from None
    if not math.isfinite(value):
        raise _FaultError("is no finite number")
    if field.type == "int":
        if abs(value - round(value)) > 1e-9 * max(1.0, abs(value)) or abs(value) >= 2**63:
            raise _FaultError("is no whole number")
        value = round(value)
    if field.low is not None and value < field.low:
        raise _FaultError(f"lies below {field.low:g}")
    if field.high is not None and value > field.high:
        raise _FaultError(f"lies above {field.high:g}")
    note = _shown(said) if value != number else ""
    return Given(value=value if field.type == "int" else float(value), unit=field.unit, sem=sem, said=note)


def _parts(said: Any) -> tuple[float, str | None, float | None]:
    """Return number, unit (None where none was said) and standard error of what a person gave."""
    if isinstance(said, Mapping):
        if not set(said) <= {"value", "unit", "sem"} or "value" not in said:
            raise _FaultError("is not {value, unit, sem}")
        number, unit, sem = said["value"], said.get("unit"), said.get("sem")
        if not _is_number(number) or not (sem is None or _is_number(sem)) or not (unit is None or isinstance(unit, str)):
            raise _FaultError("is not {value: number, unit: text, sem: number}")
        return _float(number), unit, None if sem is None else _float(sem)
    if _is_number(said):
        return _float(said), None, None
    if not isinstance(said, str) or len(said) > _LONGEST_NUMBER:
        raise _FaultError("is no number")
    found = _NUMBER.fullmatch(said.strip().replace("\N{MINUS SIGN}", "-"))
    if found is None:
        raise _FaultError("is no number")
    unit = found["unit"].strip()
    if unit.startswith(","):
        raise _FaultError("has a comma; write a point before the decimals, as in 3.2")
    return _float(found["value"]), unit or None, None if found["sem"] is None else _float(found["sem"])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def _shown(said: object) -> str:
    text = said.strip() if isinstance(said, str) else str(said)
    return repr(text if len(text) <= 60 else text[:59] + "…")
