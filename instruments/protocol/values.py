"""Values, outcomes and the bounded text types from which every message is made."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_TEXT = 2000
"""Longest free text in a message [characters]."""
MAX_ITEMS = 1000
"""Most entries of any list or mapping in a message."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
"""Instruments, drivers, actions, arguments and returned values."""
AttemptId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""Made by the controller, unique for ever."""
Token = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""Sessions, boots, journals and requests."""
READING = "reading-"
"""How attempts begin that are the controller's own readings: safe actions of no campaign, forgotten once acknowledged."""
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Unit = Annotated[str, StringConstraints(max_length=64)]
LONGEST_S = 1e9
"""Longest stretch of time in a message [s]: thirty years."""
Seconds = Annotated[float, Field(ge=0.0, le=LONGEST_S)]
Moment = Annotated[float, Field(ge=-1e12, le=1e12)]
"""Lab time [s since the Unix epoch]."""
Scalar = bool | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | float | Text
"""What an argument or a measured value may be. Infinite and not-a-number floats are refused."""


MAX_RAW_FILE = 2**30
"""Largest raw file [bytes]: one gibibyte."""
MOST_RAW_FILES = 100
"""Most raw files of one attempt."""
FileName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+@=,() -]*$")]
"""Of a raw file, for people: no slash, no dot at its beginning, so that it can name a file in any folder."""
_MEDIA_WORD = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}"
MediaType = Annotated[str, StringConstraints(pattern=f"^{_MEDIA_WORD}/{_MEDIA_WORD}$")]
"""What kind of file it is, as RFC 6838 names it: `text/csv`."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` cut to `limit` characters, so that a long fault message still fits into a frame."""
    # Lone surrogates (from undecodable bytes of a device) are no valid UTF-8 and would break the frame.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


class Frozen(BaseModel):
    """Base of everything on the wire: immutable, strict, no unknown keys, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FaultCode(StrEnum):
    """Why an attempt did not succeed."""

    device_fault = "device_fault"
    out_of_limits = "out_of_limits"
    timeout = "timeout"
    cancelled = "cancelled"
    stopped = "stopped"
    interrupted = "interrupted"
    invalid_command = "invalid_command"
    driver_error = "driver_error"
    measurement_invalid = "measurement_invalid"


class MeasuredValue(Frozen):
    """One returned value with its unit and, where known, its standard error."""

    value: Scalar
    unit: Unit | None = None
    sem: Annotated[float, Field(ge=0.0)] | None = None


class RawFile(Frozen):
    """A file that an action left behind: it stays in the driver's folder, and on the wire goes what stands for it."""

    name: FileName
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=MAX_RAW_FILE)]
    """[bytes]"""
    media_type: MediaType


class Succeeded(Frozen):
    """The action did what it was asked, and these are its values."""

    kind: Literal["succeeded"] = "succeeded"
    values: Annotated[dict[Name, MeasuredValue], Field(max_length=MAX_ITEMS)]
    started_at: Moment
    finished_at: Moment
    files: Annotated[tuple[RawFile, ...], Field(max_length=MOST_RAW_FILES, exclude_if=lambda files: not files)] = ()
    """Left out where there are none: a controller that knows no raw files still understands every driver that keeps none."""


class Faulted(Frozen):
    """The action did not do what it was asked."""

    kind: Literal["faulted"] = "faulted"
    code: FaultCode
    message: Text
    retryable: bool = False
    started_at: Moment | None = None
    """None says that it never began: it waited at the driver until then."""
    finished_at: Moment | None = None


Outcome = Annotated[Succeeded | Faulted, Field(discriminator="kind")]
