"""The generic twin: same actions as the driver it stands in for, smooth values, and no hardware."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from instruments.clock import ScaledClock
from instruments.errors import DeviceFaultError, DriverNotFoundError, DriverOptionsError
from instruments.sdk.action import Action, action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver, describe_driver
from instruments.sdk.options import build_driver
from instruments.sdk.quantity import Quantity
from simulators.twin import TwinDriver

HERE = "tests.simulators.test_twin"


class Furnace(Driver):
    """A real device that must not be reached for."""

    twin = "simulated-twin"
    capacity = 2

    def __init__(self, *, resource: str) -> None:
        raise AssertionError(f"reached for {resource}")

    def setup(self) -> None:
        raise AssertionError("reached for the hardware")

    @action(
        duration=(600.0, 1200.0),
        consequence="irreversible",
        returns={
            "conductivity": Quantity("S/cm", 0.0, 50.0),
            "cycles": Quantity(kind="int"),
            "ok": Quantity(kind="bool"),
            "note": Quantity(kind="str"),
        },
    )
    def anneal(
        self,
        ctx: ActionContext,
        temperature: Annotated[float, Quantity("degC", 100, 900)],
        gas: Literal["argon", "air"] = "argon",
    ) -> Mapping[str, Any]:
        """Anneal a film."""
        raise AssertionError("reached for the hardware")


class Programmable(Driver):
    """A driver whose actions depend on its options, and whose durations on the object."""

    def __init__(self, *, top: float) -> None:
        self.top = top

    def setup(self) -> None:
        raise AssertionError("reached for the hardware")

    def actions(self) -> Mapping[str, Action]:
        def handler(ctx: ActionContext, level: float) -> Mapping[str, Any]:
            raise AssertionError("reached for the hardware")

        return {
            "go": Action(
                "go",
                handler,
                {"level": Quantity("V", 0.0, self.top)},
                {"current": Quantity("A")},
                lambda level: (self.top, 2 * self.top),
                "repeatable",
            )
        }


def _do(driver: Driver, name: str, attempt: str, /, **arguments: Any) -> dict[str, Any]:
    context = ActionContext(attempt, ScaledClock(1e6))
    return dict(asyncio.run(asyncio.wait_for(driver.actions()[name].handler(context, **arguments), 10.0)))


def _furnace(**options: Any) -> TwinDriver:
    return build_driver(TwinDriver, {"driver": f"{HERE}:Furnace", "options": {"resource": "GPIB0::1"}, **options})


def test_twin_offers_what_the_driver_offers_without_making_one() -> None:
    twin, anneal = describe_driver(_furnace()), describe_driver(_furnace()).actions["anneal"]
    assert twin.capacity == 2
    assert (anneal.arguments["temperature"].unit, anneal.arguments["temperature"].high) == ("degC", 900.0)
    assert anneal.arguments["gas"].choices == ("argon", "air")
    assert (anneal.arguments["gas"].required, anneal.arguments["gas"].default) == (False, "argon")
    assert (anneal.duration_s, anneal.consequence, anneal.checkable) == ((600.0, 1200.0), "irreversible", True)
    assert anneal.returns["conductivity"].unit == "S/cm"
    assert TwinDriver.simulated


def test_twin_makes_a_driver_whose_actions_depend_on_its_options_but_never_sets_it_up() -> None:
    twin = build_driver(TwinDriver, {"driver": f"{HERE}:Programmable", "options": {"top": 5.0}})
    twin.setup()
    go = describe_driver(twin).actions["go"]
    assert (go.arguments["level"].high, go.duration_s) == (5.0, (5.0, 35.0))
    assert 0.0 <= _do(twin, "go", "a", level=2.0)["current"] <= 100.0


def test_twin_returns_the_declared_kinds_within_the_declared_limits() -> None:
    values = _do(_furnace(), "anneal", "a", temperature=300.0, gas="air")
    assert [type(values[name]) for name in ("conductivity", "cycles", "ok", "note")] == [float, int, bool, str]
    assert 0.0 <= values["conductivity"] <= 50.0


def test_twin_is_smooth_repeatable_and_depends_on_every_argument_and_the_seed() -> None:
    def curve(gas: str, **options: Any) -> list[float]:
        twin = _furnace(noise=0.0, **options)
        return [
            _do(twin, "anneal", f"{gas}{t}", temperature=float(t), gas=gas)["conductivity"] for t in range(100, 901, 10)
        ]

    argon = curve("argon")
    assert curve("argon") == argon
    assert curve("air") != argon
    assert curve("argon", seed=1) != argon
    assert max(argon) - min(argon) > 1.0
    assert max(abs(b - a) for a, b in itertools.pairwise(argon)) < 0.1 * 50.0


def test_twin_of_an_scpi_device_never_opens_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as device:
        device.settimeout(0.2)
        oven = {
            "write": ["TEMP {temperature}"],
            "arguments": {"temperature": {"unit": "degC", "low": 20, "high": 200}},
            "returns": {"reached": {"query": "TEMP?", "unit": "degC"}},
            "duration": [60, 120],
            "consequence": "repeatable",
        }
        options = {
            "resource": f"TCPIP::127.0.0.1::{device.getsockname()[1]}::SOCKET",
            "commands": {"actions": {"heat": oven}},
        }
        twin = build_driver(TwinDriver, {"driver": "scpi", "options": options})
        twin.setup()
        assert describe_driver(twin).actions["heat"].arguments["temperature"].high == 200.0
        assert isinstance(_do(twin, "heat", "a", temperature=100.0)["reached"], float)
        with pytest.raises(TimeoutError):
            device.accept()


def test_twin_refuses_what_it_cannot_stand_in_for() -> None:
    with pytest.raises(DriverNotFoundError, match="no driver 'furnase'"):
        build_driver(TwinDriver, {"driver": "furnase"})
    with pytest.raises(DriverOptionsError, match="unknown option 'bottom'"):
        build_driver(TwinDriver, {"driver": f"{HERE}:Programmable", "options": {"bottom": 5.0}})
    with pytest.raises(DriverOptionsError, match="is a twin itself"):
        build_driver(TwinDriver, {"driver": "simulators.twin:TwinDriver", "options": {"driver": f"{HERE}:Furnace"}})


def test_twin_remembers_in_the_devices_log(tmp_path: Path) -> None:
    log = tmp_path / "device.jsonl"
    once = _do(_furnace(log=str(log)), "anneal", "a", temperature=300.0, gas="air")
    again = _do(_furnace(log=str(log)), "anneal", "a", temperature=300.0, gas="air")
    assert once == again
    assert log.read_text().count('"began"') == 1


FUNCTIONS = "tests.simulators.functions"


def test_twin_answers_what_a_function_computes_and_the_same_attempt_always_the_same() -> None:
    def asked(seed: int = 0) -> dict[str, Any]:
        twin = _furnace(functions={"anneal": f"{FUNCTIONS}:heat"}, seed=seed)
        return _do(twin, "anneal", "a", temperature=300.0, gas="argon")

    values = asked()
    assert values["conductivity"] == pytest.approx(3.0, abs=0.5)
    assert values["conductivity"] != 3.0
    assert (values["cycles"], values["ok"]) == (2, True)
    assert values["note"] == "simulated"  # left out by the function: invented
    assert asked() == values
    assert asked(seed=1) != values


def test_twin_takes_a_bare_value_where_the_action_returns_one() -> None:
    options = {"driver": f"{HERE}:Programmable", "options": {"top": 5.0}, "functions": {"go": f"{FUNCTIONS}:current"}}
    assert _do(build_driver(TwinDriver, options), "go", "a", level=2.0) == {"current": 4.0}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("broken", "anneal: ZeroDivisionError: 300.0 argon"),
        ("other", "anneal: the function gave {'colour': 300.0}, expected values of conductivity, cycles, ok, note"),
    ],
)
def test_function_that_fails_is_a_fault_of_the_device(function: str, said: str) -> None:
    twin = _furnace(functions={"anneal": f"{FUNCTIONS}:{function}"})
    with pytest.raises(DeviceFaultError, match=re.escape(said)):
        _do(twin, "anneal", "a", temperature=300.0, gas="argon")


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ({"melt": f"{FUNCTIONS}:heat"}, "functions.melt: there is no such action; it has anneal"),
        ({"anneal": f"{FUNCTIONS}:NUMBER"}, "names no function; write file.py:function"),
        ({"anneal": "heat"}, "'heat' names no function; write file.py:function"),
        ({"anneal": "nowhere.py:heat"}, "functions.anneal: there is no Python file"),
        ({"anneal": f"{FUNCTIONS}:unfit"}, "the action takes temperature, gas"),
    ],
)
def test_function_that_does_not_fit_is_told_when_the_twin_is_made(functions: dict[str, str], said: str) -> None:
    with pytest.raises(DriverOptionsError, match=re.escape(said)):
        _furnace(functions=functions)
