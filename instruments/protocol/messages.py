"""The messages of the wire, in both directions, as tagged unions."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from instruments.protocol.capabilities import Capabilities
from instruments.protocol.values import (
    LONGEST_S,
    MAX_ITEMS,
    AttemptId,
    Frozen,
    Moment,
    Name,
    Outcome,
    Scalar,
    Seconds,
    Text,
    Token,
    Unit,
)

PROTOCOL_VERSION = 1
"""Both sides must speak the same version; the controller refuses any other at the handshake."""

Channel = Literal["data", "control"]
"""Each driver keeps two connections, so that stop and heartbeat never wait behind results."""
InstrumentState = Literal["starting", "ready", "busy", "holding", "stopping", "stopped", "faulted", "leaving"]
AttemptStatus = Literal["never_heard", "accepted", "running", "finished", "interrupted", "rejected", "acknowledged"]
RefuseCode = Literal["protocol", "unexpected", "mismatch", "name_taken", "say_hello"]
RejectCode = Literal["invalid_command", "out_of_limits", "busy", "not_ready", "stopped", "cancelled", "driver_error"]
Attempts = Annotated[tuple[AttemptId, ...], Field(max_length=MAX_ITEMS)]


# --- from the driver ---------------------------------------------------------------------------------------------


class Hello(Frozen):
    """First message of a driver, and again whenever it lost the controller."""

    type: Literal["hello"] = "hello"
    protocol: int = PROTOCOL_VERSION
    instrument: Name
    driver: Text
    version: Text
    boot_id: Token
    """New at every start of the driver's process."""
    journal_id: Token
    """The journal's own id. Its lock admits one process, so a new boot over the same journal proves the old one dead."""
    simulated: bool
    lease_s: Seconds
    """Silence of the controller [real s] after which the driver does what it declared."""
    capabilities: Capabilities
    state: InstrumentState
    held: Token | None = None
    """The stop request that holds the instrument, if one does."""


class Accepted(Frozen):
    """The command is in the driver's journal. `duration_s` is (typical, longest) for these arguments [lab s]."""

    type: Literal["accepted"] = "accepted"
    attempt: AttemptId
    duration_s: tuple[Seconds, Seconds]
    conversions: Annotated[dict[Name, Text], Field(max_length=200)] = {}
    """Arguments that came in another unit of the same dimension: what came, and what is used."""


class Rejected(Frozen):
    """Nothing was done and nothing will be: the decision about this attempt is final."""

    type: Literal["rejected"] = "rejected"
    attempt: AttemptId
    code: RejectCode
    message: Text


class Started(Frozen):
    """The action is being carried out since `at` (lab time)."""

    type: Literal["started"] = "started"
    attempt: AttemptId
    at: Moment


class Progress(Frozen):
    """How far the action has come; may get lost."""

    type: Literal["progress"] = "progress"
    attempt: AttemptId
    fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    note: Text = ""


class Finished(Frozen):
    """The outcome, offered again until it is acknowledged."""

    type: Literal["finished"] = "finished"
    attempt: AttemptId
    outcome: Outcome


class Report(Frozen):
    """What the driver's journal says of one attempt."""

    type: Literal["report"] = "report"
    attempt: AttemptId
    status: AttemptStatus
    outcome: Outcome | None = None
    message: Text = ""


class Heartbeat(Frozen):
    """Sign of life, on the control channel."""

    type: Literal["heartbeat"] = "heartbeat"
    state: InstrumentState
    running: Attempts
    uptime_s: Seconds
    held: Token | None = None
    echo: float | None = None
    """The `sent_at` of the ping that this answers."""


class StateChanged(Frozen):
    """The instrument's state, when it changes."""

    type: Literal["state_changed"] = "state_changed"
    state: InstrumentState
    message: Text = ""


class Stopped(Frozen):
    """The stop was carried out. `stuck` lists actions whose code has not returned although the device was stopped."""

    type: Literal["stopped"] = "stopped"
    request: Token
    stuck: Attempts = ()
    message: Text = ""


class Farewell(Frozen):
    """The driver leaves on purpose."""

    type: Literal["farewell"] = "farewell"
    reason: Text


# --- from the controller -----------------------------------------------------------------------------------------


class Welcome(Frozen):
    """The driver is taken on."""

    type: Literal["welcome"] = "welcome"
    session: Token
    heartbeat_s: Annotated[float, Field(gt=0.0, le=3600.0)]
    lease_s: Annotated[float, Field(gt=0.0, le=1e6)]
    limits: dict[Text, tuple[float, float]] = {}
    """The lab file's bounds by argument, or by `action.argument`, in declared units: the driver enforces the narrower of these and
    its own."""


class Refuse(Frozen):
    """The driver is not taken on; `say_hello` asks one that the controller does not know to introduce itself."""

    type: Literal["refuse"] = "refuse"
    code: RefuseCode
    message: Text


class Command(Frozen):
    """Carry out `action` once. Sending it again is harmless: the driver answers from its journal."""

    type: Literal["command"] = "command"
    attempt: AttemptId
    action: Name
    arguments: Annotated[dict[Name, Scalar], Field(max_length=200)] = {}
    units: Annotated[dict[Name, Unit], Field(max_length=200)] = {}
    """Units of the arguments; one left out means the unit that the driver declares."""
    deadline_s: Annotated[float, Field(gt=0.0, le=LONGEST_S)] | None = None
    """Longest time from start to finish [lab s]; the action's own longest duration when left out."""


class Acknowledge(Frozen):
    """The outcome is durable here: stop offering it."""

    type: Literal["acknowledge"] = "acknowledge"
    attempt: AttemptId


class Cancel(Frozen):
    """End one attempt; if it was never heard of, it will be rejected when it comes."""

    type: Literal["cancel"] = "cancel"
    attempt: AttemptId


class Stop(Frozen):
    """Stop the instrument and hold it until `Resume` names this request."""

    type: Literal["stop"] = "stop"
    request: Token
    mode: Literal["finish", "now"]


class Resume(Frozen):
    """Lift the hold of one stop request; names it, so that a late resume never lifts a newer stop."""

    type: Literal["resume"] = "resume"
    request: Token


class Inquire(Frozen):
    """Ask what the journal says of some attempts."""

    type: Literal["inquire"] = "inquire"
    attempts: Attempts


class Ping(Frozen):
    """The controller's sign of life; answered at once by a heartbeat."""

    type: Literal["ping"] = "ping"
    sent_at: float


class Shutdown(Frozen):
    """Leave: at once (stopping what runs), or when what runs has finished."""

    type: Literal["shutdown"] = "shutdown"
    mode: Literal["now", "when_idle"]


FromDriver = (
    Hello | Accepted | Rejected | Started | Progress | Finished | Report | Heartbeat | StateChanged | Stopped | Farewell
)
FromController = Welcome | Refuse | Command | Acknowledge | Cancel | Stop | Resume | Inquire | Ping | Shutdown
Message = FromDriver | FromController

CONTROL_TYPES: frozenset[str] = frozenset({"heartbeat", "state_changed", "stopped", "cancel", "stop", "ping"})
"""Message types that travel on the control channel; all others keep their order on the data channel."""


def channel_of(message: Message) -> Channel:
    """Return the channel on which a message travels."""
    return "control" if message.type in CONTROL_TYPES else "data"


def message_types() -> tuple[type[Frozen], ...]:
    """Return every message class, drivers' first."""
    return (*get_args(FromDriver), *get_args(FromController))
