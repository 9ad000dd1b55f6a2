"""The `command` driver: any program of the command line as an instrument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from instruments.bounded import from_json
from instruments.drivers.children import run_child
from instruments.drivers.declared import DeclaredAction, DeclaredReturn, check_template, fill
from instruments.errors import DeviceFaultError, MeasurementInvalidError
from instruments.protocol.values import Scalar
from instruments.sdk.action import Action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Measured, Returned


class CommandReturn(DeclaredReturn):
    """A value read from the program's standard output."""

    key: str | None = None
    """Its name in the JSON, the value's own name when left out."""
    pattern: str | None = None
    """With `parse: regex`: the expression whose first group (or group `value`) is the value."""


class CommandAction(DeclaredAction):
    """One action: a program without a shell, and how to read what it writes."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments, with `{name}` for an action's arguments. Each stays one argument."""
    parse: Literal["json", "last_line", "regex", "nothing"] = "json"
    """`json`: the last line that is a JSON object; `last_line`: the last line is the only value."""
    returns: dict[str, CommandReturn] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for part in self.command:
            check_template(part, self.arguments, "command")
        if self.parse == "last_line" and len(self.returns) != 1:
            raise ValueError(f"parse: last_line gives one value, but returns declares {sorted(self.returns)}")
        for name, returned in self.returns.items():
            if self.parse == "regex" and returned.pattern is None:
                raise ValueError(f"parse: regex, but {name!r} has no pattern")
            if returned.pattern is not None and re.compile(returned.pattern).groups < 1:
                raise ValueError(f"pattern of {name!r} has no group for the value")
        return self


class CommandDriver(Driver):
    """Any program of the command line: arguments in, JSON, a last line or matches of expressions out.

    Exit status 0 is success. A stop ends the program and whatever it started. If the driver itself is killed the program
    goes on, and the attempt counts as interrupted.

    Args:
        actions: By name.
        cwd: Where programs start.
        env: Their environment, beside the driver's own.
    """

    def __init__(
        self, *, actions: dict[str, CommandAction], cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        if not actions:
            raise ValueError("actions is empty: declare at least one")
        if cwd is not None and not cwd.is_dir():
            raise ValueError(f"cwd {str(cwd)!r} is no folder")
        self._declared = actions
        self._cwd, self._env = cwd, env

    def actions(self) -> Mapping[str, Action]:
        """Return the declared actions."""
        return {name: self._action(name, declared) for name, declared in self._declared.items()}

    def _action(self, name: str, declared: CommandAction) -> Action:
        def carry_out(ctx: ActionContext, **arguments: Scalar) -> dict[str, Returned]:
            command = [fill(part, arguments) for part in declared.command]
            done = run_child(ctx, command, cwd=self._cwd, env=self._env)
            if done.status != 0:
                said = (done.stderr.strip() or done.stdout.strip())[-500:]
                raise DeviceFaultError(f"program {command[0]!r} ended with status {done.status}: {said}")
            return _read(declared, done.stdout)

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


def _read(declared: CommandAction, output: str) -> dict[str, Returned]:
    if declared.parse == "nothing" or not declared.returns:
        return {}
    lines = [line for line in output.splitlines() if line.strip()]
    if declared.parse == "regex":
        return {name: _match(name, returned, output) for name, returned in declared.returns.items()}
    if not lines:
        raise MeasurementInvalidError("the program wrote nothing; expected its values on standard output")
    if declared.parse == "last_line":
        ((name, returned),) = declared.returns.items()
        return {name: _scalar(lines[-1].strip(), returned, name)}
    for line in reversed(lines):
        try:
            content = from_json(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            return {name: _from_json(content, name, returned) for name, returned in declared.returns.items()}
    raise MeasurementInvalidError(f"no line of the output is a JSON object; the last is {lines[-1][:200]!r}")


def _from_json(content: dict[str, Any], name: str, returned: CommandReturn) -> Returned:
    key = returned.key or name
    if key not in content:
        raise MeasurementInvalidError(f"the output has no {key!r}; it has {', '.join(sorted(content)) or 'nothing'}")
    value = content[key]
    if isinstance(value, dict) and "value" in value and set(value) <= {"value", "sem", "unit"}:
        return Measured(value["value"], sem=value.get("sem"), unit=value.get("unit"))
    result: Returned = value  # whatever it is, the host checks its kind
    return result


def _match(name: str, returned: CommandReturn, output: str) -> Returned:
    matches = list(re.finditer(returned.pattern or "", output, re.MULTILINE))
    if not matches:
        raise MeasurementInvalidError(f"{name!r}: nothing in the output matches {returned.pattern!r}")
    found = matches[-1]  # programs tell the final value last
    text = found.group("value") if "value" in found.groupdict() else found.group(1)
    return _scalar(text, returned, name)


def _scalar(text: str, returned: CommandReturn, name: str) -> Returned:
    return read_scalar(text, returned.kind, name)


def read_scalar(text: str, kind: str, name: str) -> float | int | bool | str:
    """Read a value from a device's or a program's text.

    Raises:
        MeasurementInvalidError: If the text is not of that kind.
    """
    text = text.strip()
    try:
        if kind == "float":
            return float(text)
        if kind == "int":
            return int(text)
        if kind == "bool":
            return {"1": True, "on": True, "true": True, "0": False, "off": False, "false": False}[text.lower()]
    except (ValueError, KeyError) as error:
        raise MeasurementInvalidError(f"{name!r}: {text[:200]!r} is not of kind {kind}") from error
    return text
