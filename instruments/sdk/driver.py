"""The base of every driver: one plain class per device."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import ClassVar

from instruments.errors import DriverDefinitionError
from instruments.protocol.capabilities import Capabilities
from instruments.protocol.driver_session import LostPolicy
from instruments.sdk.action import Action, ActionMethod


class Driver:
    """Speaks for one device. Subclass it, take options as keywords of `__init__`, and declare methods with `@action`.

    What you may assume: `setup` is called before any action and, if it raised, again every few seconds until it does
    not; no more than `capacity` actions are carried out at once; arguments have been checked against the declared units
    and limits. What you must guarantee: `stop` and `go_safe` may be called at any time, from another thread, while an
    action is going on, and must leave the device standing still or safe within a second.

    Plain methods are called in threads, async ones in a loop of their own, so a method that blocks never holds up the
    wire.
    """

    simulated: ClassVar[bool] = False
    """Whether what it returns is simulated: marked so in every row, for ever."""
    on_lost_controller: ClassVar[LostPolicy] = "finish_and_hold"
    """When the controller has been silent for the lease: `carry_on`, `finish_and_hold` or `go_safe`."""
    twin: ClassVar[str | None] = None
    """Tag of the driver that simulates this device; None takes a generic one, which invents values."""
    capacity: int = 1
    """How many actions the device carries out at once."""
    lease_s: ClassVar[float] = 10.0
    """Silence of the controller [real s] until `on_lost_controller`, before the first welcome says otherwise."""
    version: ClassVar[str] = "1"
    folder: Path | None = None
    """Where the driver may keep files of its own, beside its journal; set by the host before `setup`."""

    def setup(self) -> Awaitable[None] | None:
        """Connect to the device. Raise to have it tried again."""
        return None

    def teardown(self) -> Awaitable[None] | None:
        """Let the device go; called once when the driver leaves."""
        return None

    def stop(self) -> Awaitable[None] | None:
        """Make the device stand still now, whatever it does."""
        return None

    def go_safe(self) -> Awaitable[None] | None:
        """Bring the device into its safe state: nobody is watching. Stops it unless overridden."""
        return self.stop()

    def actions(self) -> Mapping[str, Action]:
        """Return the actions by name: the methods declared with `@action`, unless overridden.

        Raises:
            DriverDefinitionError: If one is declared wrongly.
        """
        found: dict[str, Action] = {}
        for cls in reversed(type(self).__mro__):
            for attribute, value in vars(cls).items():
                if isinstance(value, ActionMethod):
                    if vars(type(self)).get(attribute, value) is not value and not isinstance(
                        vars(type(self))[attribute], ActionMethod
                    ):
                        raise DriverDefinitionError(f"{attribute} overrides an action without @action")
                    found[value.name] = value.bind(self)
        return found


def describe_driver(driver: Driver) -> Capabilities:
    """Return what a driver offers.

    Args:
        driver: Any driver.

    Returns:
        The wire's description.

    Raises:
        DriverDefinitionError: If it has no actions, or one is declared wrongly.
    """
    actions = driver.actions()
    if not actions:
        raise DriverDefinitionError(f"{type(driver).__name__} has no actions: declare methods with @action(...)")
    return Capabilities(
        actions={name: action.describe() for name, action in actions.items()},
        capacity=driver.capacity,
        description=(type(driver).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")[:2000],
    )
