"""What the controller's side of the wire tells the controller."""

from __future__ import annotations

from dataclasses import dataclass, field

from instruments.protocol.messages import AttemptStatus, Hello, InstrumentState, RejectCode
from instruments.protocol.values import Outcome


@dataclass(frozen=True)
class LinkUp:
    """A driver was taken on: time to inquire after open attempts."""

    instrument: str
    hello: Hello


@dataclass(frozen=True)
class LinkDown:
    """A driver fell silent or left."""

    instrument: str
    reason: str


@dataclass(frozen=True)
class AttemptAccepted:
    """The command is in the driver's journal. `duration_s` is (typical, longest) for its arguments [lab s]."""

    instrument: str
    attempt: str
    duration_s: tuple[float, float]
    conversions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptRejected:
    """Nothing was done and nothing will be."""

    instrument: str
    attempt: str
    code: RejectCode
    message: str


@dataclass(frozen=True)
class AttemptStarted:
    """The action is being carried out since `at` [lab time]."""

    instrument: str
    attempt: str
    at: float


@dataclass(frozen=True)
class AttemptProgress:
    """How far the action has come."""

    instrument: str
    attempt: str
    fraction: float
    note: str


@dataclass(frozen=True)
class AttemptFinished:
    """An outcome. Comes again until `InstrumentHub.acknowledge`: treat a repetition as harmless."""

    instrument: str
    attempt: str
    outcome: Outcome


@dataclass(frozen=True)
class AttemptReported:
    """The driver's answer to an inquiry."""

    instrument: str
    attempt: str
    status: AttemptStatus
    outcome: Outcome | None
    message: str = ""


@dataclass(frozen=True)
class InstrumentStateChanged:
    """The instrument's state, when it changes."""

    instrument: str
    state: InstrumentState
    message: str = ""


@dataclass(frozen=True)
class StopConfirmed:
    """The driver carried out a stop request; `stuck` lists attempts whose code has not returned."""

    instrument: str
    request: str
    stuck: tuple[str, ...] = ()
    message: str = ""


HubEvent = (
    LinkUp
    | LinkDown
    | AttemptAccepted
    | AttemptRejected
    | AttemptStarted
    | AttemptProgress
    | AttemptFinished
    | AttemptReported
    | InstrumentStateChanged
    | StopConfirmed
)
