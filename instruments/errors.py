"""Every error of the instruments package.

InstrumentError
├── ClockError                (ValueError)       a clock that cannot be read from its text form
├── ProtocolError             (ValueError)
│   ├── FrameTooLargeError                       a frame above the size limit
│   └── MalformedFrameError                      bytes that are no message
├── TransportError            (ConnectionError)
│   ├── AddressError          (ValueError)       an address that is refused or cannot be read
│   ├── KeyFileError          (ValueError)       a key, or a file of keys, that cannot be used
│   └── NotConnectedError                        no driver speaks for that instrument now
├── RecordingError            (ValueError)       a flight recording that cannot be read or replayed
├── JournalError
│   ├── JournalLockedError                       another process holds the journal
│   └── JournalCorruptError                      the file is no journal, or damaged
├── DriverError
│   ├── DriverNotFoundError   (LookupError)      no such tag, module or class
│   ├── DriverDefinitionError (TypeError)        a driver class or action declared wrongly
│   ├── DriverOptionsError    (ValueError)       options or limits that do not fit the driver
│   └── RefusedError                             the controller will not have this driver
├── ActionError                                  raised inside an action; becomes the outcome's fault
│   ├── DeviceFaultError      (RuntimeError)     the device reported a fault
│   ├── OutOfLimitsError      (ValueError)       a value outside what is allowed
│   ├── InvalidCommandError   (ValueError)       arguments that the action cannot take
│   ├── MeasurementInvalidError (ValueError)     a result that cannot be trusted, NaN for one
│   └── ActionCancelledError                     the action was asked to end
└── UnitError                 (ValueError)       unknown unit, or dimensions that differ
"""

from __future__ import annotations

from typing import ClassVar


class InstrumentError(Exception):
    """Base of every error of this package."""

    retryable: bool = False
    """Whether doing the same again may succeed without anybody changing anything."""


class UnitError(InstrumentError, ValueError):
    """A unit is unknown, or two units measure different things."""


class ClockError(InstrumentError, ValueError):
    """A clock's text form cannot be read."""


class ProtocolError(InstrumentError, ValueError):
    """Something on the wire does not follow the protocol."""


class FrameTooLargeError(ProtocolError):
    """A frame is larger than the wire allows."""


class MalformedFrameError(ProtocolError):
    """Bytes that are not a message of the protocol."""


class TransportError(InstrumentError, ConnectionError):
    """The other side cannot be reached."""

    retryable = True


class AddressError(TransportError, ValueError):
    """An address is refused or cannot be read."""

    retryable = False


class KeyFileError(TransportError, ValueError):
    """A key is missing, cannot be read or written, or is none."""

    retryable = False


class NotConnectedError(TransportError):
    """No driver is connected for that instrument."""


class RecordingError(InstrumentError, ValueError):
    """A flight recording cannot be read or replayed."""


class JournalError(InstrumentError):
    """The driver's journal cannot be read or written."""


class JournalLockedError(JournalError):
    """Another process holds the journal."""

    retryable = True


class JournalCorruptError(JournalError):
    """The journal file is damaged or is something else."""


class DriverError(InstrumentError):
    """A driver cannot be loaded, built or served."""


class DriverNotFoundError(DriverError, LookupError):
    """No driver under that tag or path."""


class DriverDefinitionError(DriverError, TypeError):
    """A driver class or one of its actions is declared wrongly."""


class DriverOptionsError(DriverError, ValueError):
    """Options or limits do not fit the driver."""


class RefusedError(DriverError):
    """The controller refused this driver for good."""


class ActionError(InstrumentError):
    """Raised inside an action: it becomes the fault that the controller sees.

    Args:
        message: What happened, with the values.
        retryable: Overrides the class's default.
    """

    code: ClassVar[str] = "driver_error"

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class DeviceFaultError(ActionError, RuntimeError):
    """The device reported a fault, or did not answer."""

    code = "device_fault"


class OutOfLimitsError(ActionError, ValueError):
    """A value lies outside what is allowed."""

    code = "out_of_limits"


class InvalidCommandError(ActionError, ValueError):
    """A command names an unknown action or gives arguments that the action cannot take."""

    code = "invalid_command"


class MeasurementInvalidError(ActionError, ValueError):
    """A result cannot be trusted: not a number, missing, or of the wrong kind."""

    code = "measurement_invalid"
    retryable = True


class RawFileError(ActionError, ValueError):
    """A raw file cannot be kept: it is too large, has no name that a file can have, or is not what was told."""


class ActionCancelledError(ActionError):
    """The action was asked to end before it was done."""

    code = "cancelled"
    retryable = True
