"""A lab: its instruments with their limits, and the protocol that one experiment takes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from controller.domain.base import LATER, Label, Model, Name, Value
from controller.domain.constraint import parse_constraint
from instruments.transport.addresses import check_address
from instruments.transport.keys import PUBLIC_KEY

EXTERNAL = "external"
"""The driver tag of an instrument whose driver process is started by somebody else."""
PERSON = "person"
"""The driver tag of people: what an attempt asks of them is a task."""


def _checked_key(key: str) -> str:
    if re.fullmatch(PUBLIC_KEY, key, re.ASCII) is None:
        raise ValueError("is no public key; write the 40 characters that labwright keys list shows, between single quotes")
    return key


PublicKey = Annotated[str, AfterValidator(_checked_key)]


def _checked_endpoint(endpoint: str) -> str:
    check_address(endpoint, with_keys=True, listening=True)
    return endpoint


Endpoint = Annotated[str, AfterValidator(_checked_endpoint)]


class InstrumentSpec(Model):
    """One instrument of the lab file."""

    driver: str
    """A driver's tag, `module:Class`, `file.py:Class`, or `external`."""
    options: dict[str, Any] = {}
    """Passed to the driver's constructor."""
    limits: dict[str, tuple[float, float]] = {}
    """Narrower bounds by argument name, enforced in the driver's process."""
    capacity: Annotated[int, Field(ge=1, le=1000)] = 1
    """Actions that may run at the same time."""
    on_lost_controller: Literal["carry_on", "finish_and_hold", "go_safe"] | None = None
    """What the driver does when the controller has been silent for the lease: begin what waits as well, finish what runs and begin
    nothing, or end what runs and make the device safe. By default what the driver itself declares."""
    key: PublicKey | None = None
    """The public key of an external driver, in quotes: no other may serve the instrument. By default the list of keys decides."""
    twin: InstrumentSpec | None = None
    """What stands in under `--simulate`."""

    @model_validator(mode="after")
    def _check_key(self) -> InstrumentSpec:
        if self.key is not None and self.driver != EXTERNAL:
            raise ValueError(f"key: only for driver: {EXTERNAL}; a driver that the controller starts gets its key from it")
        return self


class StepSpec(Model):
    """One action of the protocol."""

    step: Label
    """The step's name, its own in this protocol."""
    instrument: Label
    """The instrument that carries it out."""
    action: Name
    """The action of its driver."""
    arguments: dict[str, Value] = Field(default={}, alias="with")
    """Argument name -> a value, `$parameter` for the experiment's setting of it, or `$step.value` for what an earlier step
    returned."""
    after: tuple[Label, ...] = ()
    """Steps that must have succeeded before."""
    gives: dict[Name, str] = {}
    """Objective name -> name of the value that the action returns."""

    model_config = {**Model.model_config, "populate_by_name": True}


class InterlockSpec(Model):
    """A reading that must be as required before anything is dispatched to some instruments; without a reading nothing is."""

    interlock: Label
    """The interlock's name, its own in this lab."""
    instrument: Label
    """The instrument that is read; one that no step of the protocol uses, so that a reading never waits behind an action."""
    action: Name
    """The action that reads it; its consequence is `safe`."""
    arguments: dict[str, Value] = Field(default={}, alias="with")
    """Argument name -> value."""
    require: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    """Linear comparisons of the values that the action returns, in its units, with `<=`, `>=` or `==`; all must hold. A truth value
    counts as 1 or 0."""
    hold: Annotated[tuple[Label, ...], Field(min_length=1)]
    """The instruments to which nothing is dispatched meanwhile; what runs there goes on."""
    every: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Pause between two readings [lab s]."""
    patience: Annotated[float, Field(gt=0, le=86400)] | None = None
    """A reading older than this holds as a bad one does [lab s]; by default three times `every`."""
    latch: bool = False
    """Whether a bad reading disables the instruments until a person enables them; otherwise the next good one releases them."""

    model_config = {**Model.model_config, "populate_by_name": True}

    @field_validator("require")
    @classmethod
    def _check_require(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_constraint(text)
        return texts


class LabSpec(Model):
    """The lab file, resolved: every instrument and every step."""

    lab: Label
    instruments: Annotated[dict[Label, InstrumentSpec], Field(min_length=1)]
    protocol: Annotated[tuple[StepSpec, ...], Field(min_length=1)]
    simulated: bool = False
    """True when every instrument is a simulated one."""
    twins: Annotated[tuple[Label, ...], LATER] = ()
    """Where only some are: those that are simulated."""
    speed: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Lab seconds per real second; anything but 1 only where every instrument is simulated."""
    endpoint: Endpoint | None = None
    """Where drivers of other machines connect, `tcp://0.0.0.0:PORT`; needs keys. This machine only, when left out."""
    interlocks: tuple[InterlockSpec, ...] = ()
    """Readings that hold dispatch."""

    @property
    def gives_simulated(self) -> bool:
        """Whether a simulated instrument has a part in the protocol: then what is measured says so."""
        return self.simulated or any(step.instrument in self.twins for step in self.protocol)

    @model_validator(mode="after")
    def _check_protocol(self) -> LabSpec:
        if self.speed != 1.0 and not self.simulated:
            raise ValueError(f"speed: {self.speed:g} is only for simulated labs; real instruments run at speed 1")
        seen: set[str] = set()
        for step in self.protocol:
            if step.step in seen:
                raise ValueError(f"step {step.step!r} is listed twice; give each step its own name")
            if step.instrument not in self.instruments:
                raise ValueError(
                    f"step {step.step!r} uses instrument {step.instrument!r}; the lab has {', '.join(self.instruments)}"
                )
            for earlier in step.after:
                if earlier not in seen:
                    raise ValueError(
                        f"step {step.step!r} comes after {earlier!r}, which is no earlier step; list that one before it"
                    )
            seen.add(step.step)
        return self
