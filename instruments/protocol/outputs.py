"""What the sessions ask their shells to do. In order; after a failed write, nothing more about that attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instruments.protocol.events import HubEvent
from instruments.protocol.messages import FromController, FromDriver
from instruments.protocol.records import AttemptRecord

EndReason = Literal["cancelled", "stopped"]


@dataclass(frozen=True)
class Send:
    """Send a message to the controller, on the channel that its type belongs to."""

    message: FromDriver


@dataclass(frozen=True)
class Write:
    """Make this record durable before anything else about its attempt; if that fails, skip the rest about it."""

    record: AttemptRecord


@dataclass(frozen=True)
class WriteHold:
    """Make the hold (a stop request's id, or none) durable."""

    request: str | None


@dataclass(frozen=True)
class Execute:
    """Carry out an attempt. `recovering` says that an earlier process of this driver had started it."""

    record: AttemptRecord
    recovering: bool = False


@dataclass(frozen=True)
class End:
    """Make a running attempt end early; its outcome comes through `DriverSession.finished` as any other."""

    attempt: str
    reason: EndReason


@dataclass(frozen=True)
class StopDevice:
    """End everything that runs and call the driver's stop; then tell `DriverSession.stop_done`."""

    attempts: tuple[str, ...]


@dataclass(frozen=True)
class GoSafe:
    """The controller is lost: end everything that runs and call the driver's `go_safe`."""

    attempts: tuple[str, ...]


@dataclass(frozen=True)
class Reconnect:
    """The controller is silent: look where it is now and connect again."""

    reason: str


@dataclass(frozen=True)
class Note:
    """Something worth a line in the log."""

    level: Literal["info", "warning"]
    message: str


@dataclass(frozen=True)
class Leave:
    """End the process. `refused` says that the controller will not have this driver."""

    reason: str
    refused: bool = False


DriverOutput = Send | Write | WriteHold | Execute | End | StopDevice | GoSafe | Reconnect | Note | Leave


@dataclass(frozen=True)
class SendTo:
    """Send a message to one start (`boot_id`) of a driver, on the channel that its type belongs to."""

    boot_id: str
    message: FromController


@dataclass(frozen=True)
class Emit:
    """Tell whoever listens to the hub."""

    event: HubEvent


ControllerOutput = SendTo | Emit
