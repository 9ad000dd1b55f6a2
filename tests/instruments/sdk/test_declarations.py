"""Actions, options, limits and tags: what is declared wrongly is told where and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from instruments.errors import (
    DriverDefinitionError,
    DriverNotFoundError,
    DriverOptionsError,
    MeasurementInvalidError,
)
from instruments.protocol.capabilities import ActionDescription
from instruments.sdk.action import Action, action
from instruments.sdk.checks import check_returned
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver, describe_driver
from instruments.sdk.limits import narrow
from instruments.sdk.options import build_driver
from instruments.sdk.quantity import Measured, Quantity
from instruments.sdk.registry import load_driver
from tests.instruments.devices import Bench


class Pump(Driver):
    """A pump."""

    def __init__(self, *, port: str, syringe: float = 5.0, mode: Literal["push", "pull"] = "push") -> None:
        if syringe <= 0:
            raise ValueError(f"syringe of {syringe} mL")
        self.port, self.syringe, self.mode = port, syringe, mode

    @action(
        duration=lambda volume, rate, **_: (60.0 * volume / rate, 120.0 * volume / rate),
        consequence="consumes",
        returns={"volume": Quantity("mL")},
    )
    def push(
        self,
        ctx: ActionContext,
        volume: Annotated[float, Quantity("mL", low=0, high=5)],
        rate: Annotated[float, Quantity("mL/min", low=0.5, high=10)] = 1.0,
        valve: Literal["a", "b"] = "a",
        steps: Annotated[int, Quantity(low=1, high=9)] = 3,
        quiet: bool = False,
    ) -> Mapping[str, float]:
        """Push a volume out."""
        return {"volume": volume}


def test_declaration_is_read_from_the_signature() -> None:
    described = describe_driver(Pump(port="x")).actions["push"]
    assert {name: argument.kind for name, argument in described.arguments.items()} == {
        "volume": "float", "rate": "float", "valve": "str", "steps": "int", "quiet": "bool",
    }  # fmt: skip
    assert described.arguments["volume"].required
    assert described.arguments["rate"].default == 1.0
    assert described.arguments["valve"].choices == ("a", "b")
    assert described.description == "Push a volume out."
    schema = described.json_schema()
    assert schema["required"] == ["volume"]
    assert schema["properties"]["volume"] == {"type": "number", "unit": "mL", "minimum": 0.0, "maximum": 5.0}


def test_duration_may_depend_on_the_arguments() -> None:
    push = Pump(port="x").actions()["push"]
    assert push.duration_for({"volume": 2.0, "rate": 4.0}) == (30.0, 60.0)
    # Typical in the middle (2.5 mL at 5.25 mL/min); longest at an end or in the middle.
    assert push.describe().duration_s == pytest.approx((60 * 2.5 / 5.25, 60.0))


def test_action_is_still_a_method() -> None:
    from instruments.clock import SystemClock

    assert Pump(port="x").push(ActionContext("a", SystemClock()), volume=1.0) == {"volume": 1.0}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"prot": "x"}, "unknown option 'prot'; it takes port"),
        ({}, "port: Field required"),
        ({"port": "x", "syringe": "big"}, "syringe: Input should be a valid number"),
        ({"port": "x", "mode": "sideways"}, "mode: Input should be 'push' or 'pull'"),
        ({"port": "x", "syringe": -1}, "syringe of -1"),
    ],
)
def test_wrong_option_is_told(options: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverOptionsError, match=match):
        build_driver(Pump, options)


def test_error_about_options_does_not_repeat_a_secret() -> None:
    with pytest.raises(DriverOptionsError) as raised:
        build_driver(Pump, {"port": {"password": "hunter2"}})
    assert "hunter2" not in str(raised.value)


def make_action(**changes: Any) -> Action:
    parts: dict[str, Any] = {
        "name": "go", "handler": lambda ctx, **_: None, "arguments": {"x": Quantity("bar", low=0, high=1)},
        "returns": {}, "duration": (1.0, 2.0), "consequence": "safe", **changes,
    }  # fmt: skip
    return Action(**parts)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"arguments": {"x": Quantity("barr")}}, "'x': unknown unit 'barr'"),
        ({"arguments": {"x": Quantity("bar", low=2, high=1)}}, "low 2.0 lies above high 1.0"),
        ({"duration": (3.0, 2.0)}, "is not .typical, longest."),
        ({"duration": (0.0, 0.0)}, "leaves no time"),
        ({"duration": lambda x: (1.0 / x, 2.0 / x)}, "cannot be told: ZeroDivisionError"),
        ({"defaults": {"y": 1.0}}, "unknown arguments"),
        ({"consequence": "harmless"}, "consequence"),
    ],
)
def test_wrong_action_is_told(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverDefinitionError, match=match):
        make_action(**changes).describe()


def test_driver_without_actions_is_told() -> None:
    with pytest.raises(DriverDefinitionError, match="has no actions"):
        describe_driver(Driver())


@pytest.mark.parametrize(
    ("limits", "low", "high"),
    [
        ({"volume": [1, 3]}, 1.0, 3.0),
        ({"push.volume": [None, 3]}, 0.0, 3.0),
        ({"volume": [-10, 100]}, 0.0, 5.0),
        ({"volume": {"low": 1000, "unit": "uL"}}, 1.0, 5.0),
    ],
)
def test_limit_narrows_and_never_widens(limits: dict[str, Any], low: float, high: float) -> None:
    volume = narrow(describe_driver(Pump(port="x")), limits).actions["push"].arguments["volume"]
    assert (volume.low, volume.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({"volum": [1, 2]}, "there are push.volume, volume|there are volume"),
        ({"volume": [6, 7]}, "leaves nothing"),
        ({"volume": 3}, "neither"),
        ({"volume": ["a", 2]}, "not a number"),
        ({"volume": {"low": 1, "unit": "s"}}, "measure different things"),
        ({"volume": {"min": 1}}, "unknown keys"),
        ({"valve": ["c"]}, "none of"),
        ({"quiet": [0, 1]}, "a switch has no limits"),
        ({"volume": [0, float("inf")]}, "inf is no finite number of"),
        ({"volume": [float("nan"), 1]}, "nan is no finite number of"),
        ({"volume": [0, 10**400]}, "is no finite number of"),
        ({"volume": [True, 1]}, "True is not a number"),
    ],
)
def test_wrong_limit_is_told(limits: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverOptionsError, match=match):
        narrow(describe_driver(Pump(port="x")), limits)


def test_default_outside_narrowed_limits_must_be_said() -> None:
    rate = narrow(describe_driver(Pump(port="x")), {"rate": [2, 5]}).actions["push"].arguments["rate"]
    assert rate.required
    assert rate.default is None


def test_returned_value_in_another_unit_is_converted_with_its_spread() -> None:
    described = make_action(returns={"t": Quantity("kelvin")}).describe()
    values = check_returned({"t": Measured(25.0, sem=2.0, unit="degC")}, described, "go")
    assert values["t"].value == pytest.approx(298.15)
    assert values["t"].sem == pytest.approx(2.0)
    assert values["t"].unit == "kelvin"


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        ({"t": float("inf")}, "not a finite number"),
        ({"t": "hot"}, "is not a number"),
        ({"t": True}, "is not a number"),
        ({"t": Measured(1.0, unit="bar")}, "measure different things"),
        ({"t": Measured(1.0, sem=-1.0)}, "standard error"),
        ({"t": 1.0, "u": 2.0}, "undeclared values: ..u"),
        ([1.0], "expected a mapping"),
        (None, "missing"),
    ],
)
def test_returned_value_that_is_not_as_declared_is_invalid(returned: object, match: str) -> None:
    described: ActionDescription = make_action(returns={"t": Quantity("kelvin")}).describe()
    with pytest.raises(MeasurementInvalidError, match=match):
        check_returned(returned, described, "go")


def test_driver_is_found_by_place(tmp_path: Path) -> None:
    assert load_driver("tests.instruments.devices:Bench") is Bench
    path = tmp_path / "mine.py"
    path.write_text("from instruments.sdk.driver import Driver\nclass Mine(Driver):\n    pass\n")
    assert load_driver(str(path)).__name__ == "Mine"
    assert load_driver(f"{path}:Mine") is load_driver(str(path))


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ("scpy", "no driver 'scpy'"),
        ("tests.instruments.devices:Nothing", "is no driver class"),
        ("no.such.module:X", "cannot be imported"),
        ("/no/such/file.py:X", "no Python file"),
    ],
)
def test_driver_that_is_not_there_is_told(place: str, match: str) -> None:
    with pytest.raises(DriverNotFoundError, match=match):
        load_driver(place)
