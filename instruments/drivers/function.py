"""The `function` driver: any Python function as an instrument, in a child process that a stop can end."""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from instruments.drivers.children import run_child
from instruments.drivers.declared import DeclaredArgument, DeclaredReturn
from instruments.errors import DeviceFaultError, DriverError, MeasurementInvalidError
from instruments.protocol.capabilities import Consequence
from instruments.protocol.values import Scalar
from instruments.sdk.action import Action, quantities_of
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.modules import load_module
from instruments.sdk.quantity import Measured, Quantity, Returned

_JSON: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class FunctionDriver(Driver):
    """Any Python function of numbers and texts, called in a child process.

    The function returns a mapping of values, `(value, standard error)` pairs included, or one bare number if one value
    is declared.

    Args:
        function: `package.module:function` or `path/to/file.py:function`.
        returns: The values it returns.
        duration: (typical, longest) [lab s].
        consequence: What repeating an interrupted call would mean.
        arguments: Units and limits by argument; the function's annotations say the rest, or all of it.
        action: The action's name.
        processes: How many calls may go on at once.
    """

    def __init__(
        self,
        *,
        function: str,
        returns: dict[str, DeclaredReturn],
        duration: tuple[float, float],
        consequence: Consequence = "repeatable",
        arguments: dict[str, DeclaredArgument] | None = None,
        action: str = "run",
        processes: int = 1,
    ) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}; at least one is needed")
        self.capacity = processes
        head, _, name = function.rpartition(":")
        if not head:
            raise ValueError(f"function {function!r} is not package.module:function or path/to/file.py:function")
        try:
            found = getattr(load_module(head), name, None)
        except DriverError as error:
            raise ValueError(str(error)) from error
        if not callable(found):
            raise ValueError(f"{head} has no function {name!r}")
        self._function = found
        self._place = f"{os.path.abspath(head)}:{name}" if head.endswith(".py") else function  # noqa: PTH100
        self._returns, self._duration, self._consequence = returns, duration, consequence
        self._declared = arguments or {}
        self._action_name = action

    def actions(self) -> Mapping[str, Action]:
        """Return the one action."""
        name = self._action_name
        parameters = list(inspect.signature(self._function).parameters.values())
        hints = typing.get_type_hints(self._function, include_extras=True)
        arguments, defaults = quantities_of(parameters, hints, f"function {self._place}")
        for key, declared in self._declared.items():
            if key not in arguments:
                raise ValueError(f"arguments: {self._place} takes no {key!r}; it takes {', '.join(arguments)}")
            arguments[key] = declared.quantity()
            if declared.default is not None:
                defaults[key] = declared.default
        returns: dict[str, Quantity] = {key: value.quantity() for key, value in self._returns.items()}
        doc = (inspect.getdoc(self._function) or "").split("\n\n")[0].replace("\n", " ")
        return {
            name: Action(name, self._call, arguments, returns, self._duration, self._consequence, None, doc, defaults)
        }

    def _call(self, ctx: ActionContext, **arguments: Scalar) -> dict[str, Returned]:
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", suffix=".json") as reply:
            request = {"function": self._place, "arguments": arguments, "reply": reply.name}
            done = run_child(
                ctx,
                [sys.executable, "-m", "instruments.drivers.function_child"],
                feed=json.dumps(request).encode() + b"\n",
                env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            text = reply.read()
        if not text:
            raise DeviceFaultError(f"{self._place} ended its process with status {done.status}: {done.stderr[-500:]}")
        content = _JSON.validate_json(text)
        if "error" in content:
            raise DeviceFaultError(f"{self._place} raised {content['error']}")
        return self._values(content["returned"])

    def _values(self, returned: Any) -> dict[str, Returned]:
        if not isinstance(returned, dict):
            if len(self._returns) != 1:
                raise MeasurementInvalidError(
                    f"{self._place} returned {returned!r}, expected a mapping of {sorted(self._returns)}",
                    retryable=False,
                )
            returned = {next(iter(self._returns)): returned}
        return {key: self._value(value) for key, value in returned.items()}

    @staticmethod
    def _value(value: Any) -> Returned:
        if isinstance(value, list) and len(value) == 2:
            return Measured(value[0], sem=value[1])
        result: Returned = value  # whatever it is, the host checks its kind
        return result
