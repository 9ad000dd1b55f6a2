"""The `scpi` driver: any instrument that speaks SCPI, described by a file of commands; through PyVISA.

Sources: IEEE 488.2 common commands (`*IDN?`, `*OPC?`, `*CLS`) and SCPI-1999 volume 2 (`SYSTem:ERRor?`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from instruments.bounded import read_small
from instruments.drivers.command import read_scalar
from instruments.drivers.declared import Declared, DeclaredAction, DeclaredReturn, check_template, fill
from instruments.errors import DeviceFaultError, DriverOptionsError, MeasurementInvalidError
from instruments.protocol.values import Scalar, shorten
from instruments.sdk.action import Action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Returned

_DEEPEST = 20
"""Levels of a file of commands; its own form has five."""
_POLL_S = 0.1
_STOP_WAIT_S = 0.3
log = logging.getLogger(__name__)


class Awaited(Declared):
    """Wait until a reading has arrived at a value: ramps, heaters, moving stages."""

    query: str
    value: str
    """The value wanted, a template: `{temperature}`."""
    tolerance: Annotated[float, Field(ge=0.0)]
    """Largest difference, in the unit of the reading."""
    poll: Annotated[float, Field(gt=0.0)] = 1.0
    """Pause between two readings [lab s]."""


class ScpiReturn(DeclaredReturn):
    """A value that the device is asked for."""

    query: str


class ScpiAction(DeclaredAction):
    """One action: write, wait until it is there, settle, check, ask."""

    write: tuple[str, ...] = ()
    wait_for: Awaited | None = None
    settle: Annotated[float, Field(ge=0.0)] = 0.0
    """Pause before asking [lab s]."""
    check: str | None = None
    """Asked until the answer is 1: `*OPC?`."""
    returns: dict[str, ScpiReturn] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        templates = [*self.write, *(returned.query for returned in self.returns.values())]
        if self.wait_for is not None:
            templates += [self.wait_for.query, self.wait_for.value]
        for template in templates:
            check_template(template, self.arguments, "action")
        for name, argument in self.arguments.items():
            if argument.quantity().kind == "str" and argument.choices is None:
                # Free text could carry a second command behind a semicolon or a line's end.
                raise ValueError(f"argument {name!r} is a text: list its choices")
        return self


class ScpiCommands(Declared):
    """The whole file of commands."""

    actions: Annotated[dict[str, ScpiAction], Field(min_length=1)]
    identity: str | None = None
    """A text that the answer to `*IDN?` must contain, so that the wrong device is never driven."""
    setup: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    """Written when the device must stand still: name what switches it off."""
    safe: tuple[str, ...] | None = None
    """Written when nobody is watching; `stop` when left out."""
    error_query: str | None = "SYST:ERR?"
    """Asked after every write; an answer that does not begin with 0 is a fault. Null for devices without it."""
    read_termination: str = "\n"
    write_termination: str = "\n"
    timeout: Annotated[float, Field(gt=0.0, le=60.0)] = 2.0
    """Longest wait for one answer [real s]."""

    @model_validator(mode="after")
    def _fixed_commands_have_no_fields(self) -> Self:
        for command in (*self.setup, *self.stop, *(self.safe or ())):
            check_template(command, {}, "setup, stop and safe")
        return self


class ScpiDriver(Driver):
    """Any instrument that speaks SCPI over TCP, serial, USB or GPIB.

    Args:
        resource: The VISA address, `TCPIP::10.0.0.5::5025::SOCKET`.
        commands: The file of commands (YAML), or its content.
        backend: The PyVISA library: empty for the vendor's, `@py`, or `FILE@sim`.
    """

    def __init__(self, *, resource: str, commands: Path | dict[str, Any], backend: str = "@py") -> None:
        self._resource, self._backend = resource, backend
        self._commands = read_commands(commands)
        self._manager: Any = None
        self._session: Any = None
        self._lock = threading.Lock()

    # --- life -------------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Open the connection, check who is there, and write the set-up commands."""
        with self._lock:
            session = self._open()
            try:
                if self._commands.identity is not None:
                    answer = str(session.query("*IDN?")).strip()
                    if self._commands.identity not in answer:
                        raise DeviceFaultError(
                            f"{self._resource} says that it is {answer!r}, expected {self._commands.identity!r} in it"
                        )
            except DeviceFaultError:
                self._close()
                raise
            except Exception as error:
                self._close()
                raise _fault(f"{self._resource}: *IDN?", error) from error
        for command in self._commands.setup:
            self._write(command)

    def teardown(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()
            if self._manager is not None:
                self._manager.close()
                self._manager = None

    def stop(self) -> None:
        """Write the stop commands, past a transaction that hangs if need be."""
        self._urgent(self._commands.stop)

    def go_safe(self) -> None:
        """Write the safe commands."""
        self._urgent(self._commands.stop if self._commands.safe is None else self._commands.safe)

    def _urgent(self, commands: tuple[str, ...]) -> None:
        # A transaction in another thread may hang until its timeout: a stop does not wait for it.
        held = self._lock.acquire(timeout=_STOP_WAIT_S)
        try:
            session = self._open()
            for command in commands:
                session.write(command)
        finally:
            if held:
                self._lock.release()

    # --- actions ----------------------------------------------------------------------------------------------------

    def actions(self) -> Mapping[str, Action]:
        """Return the actions of the file."""
        return {name: self._action(name, declared) for name, declared in self._commands.actions.items()}

    def _action(self, name: str, declared: ScpiAction) -> Action:
        def carry_out(ctx: ActionContext, **arguments: Scalar) -> dict[str, Returned]:
            for template in declared.write:
                ctx.check()
                self._write(fill(template, arguments))
            if declared.wait_for is not None:
                self._wait_for(ctx, declared.wait_for, arguments)
            ctx.sleep(declared.settle)
            if declared.check is not None:
                self._wait_until_done(ctx, declared.check)
            values: dict[str, Returned] = {}
            for key, returned in declared.returns.items():
                ctx.check()
                values[key] = read_scalar(self._query(fill(returned.query, arguments)), returned.kind, key)
            return values

        return Action(
            name=name,
            handler=carry_out,
            arguments=declared.quantities(),
            returns={key: returned.quantity() for key, returned in declared.returns.items()},
            duration=declared.duration,
            consequence=declared.consequence,
            description=declared.description,
            defaults=declared.defaults(),
        )

    def _wait_for(self, ctx: ActionContext, awaited: Awaited, arguments: Mapping[str, Scalar]) -> None:
        wanted = float(read_scalar(fill(awaited.value, arguments), "float", "value"))
        query = fill(awaited.query, arguments)
        first: float | None = None
        while True:
            reading = float(read_scalar(self._query(query), "float", query))
            if abs(reading - wanted) <= awaited.tolerance:
                return
            first = reading if first is None else first
            if wanted != first:
                ctx.progress((reading - first) / (wanted - first), f"{query} {reading:g}, wanted {wanted:g}")
            ctx.sleep(awaited.poll)  # ends the wait when the action's deadline has passed

    def _wait_until_done(self, ctx: ActionContext, check: str) -> None:
        while self._query(check).strip() not in ("1", "+1"):
            ctx.sleep(_POLL_S)

    # --- the wire to the device -------------------------------------------------------------------------------------

    def _write(self, command: str) -> None:
        with self._lock:
            try:
                session = self._open()
                session.write(command)
                if self._commands.error_query is None:
                    return
                answer = str(session.query(self._commands.error_query)).strip()
            except DeviceFaultError:
                raise
            except Exception as error:
                self._close()  # whatever is still on its way belongs to the old connection
                raise _fault(f"{self._resource}: {command}", error) from error
        if not answer.lstrip("+").startswith("0"):
            raise DeviceFaultError(f"{self._resource}: {command!r} was answered by {answer!r}")

    def _query(self, query: str) -> str:
        with self._lock:
            try:
                answer = str(self._open().query(query))
            except DeviceFaultError:
                raise
            except Exception as error:
                self._close()
                raise _fault(f"{self._resource}: {query}", error) from error
        if not answer.strip():
            raise MeasurementInvalidError(f"{self._resource}: {query!r} was answered by nothing")
        return answer

    def _open(self) -> Any:
        if self._session is not None:
            return self._session
        try:
            import pyvisa
        except ImportError as error:
            raise DeviceFaultError("PyVISA is not installed: pip install 'labwright[instruments]'") from error
        try:
            if self._manager is None:
                self._manager = pyvisa.ResourceManager(self._backend)
            session: Any = self._manager.open_resource(self._resource)
        except Exception as error:  # each backend raises its own classes
            raise _fault(f"{self._resource} cannot be opened", error) from error
        session.read_termination = self._commands.read_termination
        session.write_termination = self._commands.write_termination
        session.timeout = 1000.0 * self._commands.timeout
        self._session = session
        return session

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except Exception:  # it is broken already, and each backend raises its own classes
                log.debug("closing %s", self._resource, exc_info=True)


def read_commands(commands: Path | Mapping[str, Any]) -> ScpiCommands:
    """Read a file of commands, or its content.

    Raises:
        DriverOptionsError: If it cannot be read or does not fit.
    """
    place, content = "commands", commands
    if isinstance(commands, Path):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        place = str(commands)
        try:
            yaml = YAML(typ="safe", pure=True)
            yaml.max_depth = _DEEPEST
            content = yaml.load(read_small(commands))
        except (OSError, ValueError, YAMLError) as error:
            raise DriverOptionsError(f"{place} cannot be read: {shorten(' '.join(str(error).split()), 300)}") from error
    try:
        return TypeAdapter(ScpiCommands).validate_python(content)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{'.'.join(str(part) for part in d['loc']) or 'file'}: {d['msg']}" for d in details[:5]]
        raise DriverOptionsError(f"{place}: {'; '.join(lines)}") from error


def _fault(place: str, error: Exception) -> DeviceFaultError:
    if isinstance(error, DeviceFaultError):
        return error
    return DeviceFaultError(f"{place}: {type(error).__name__}: {error}", retryable=True)
