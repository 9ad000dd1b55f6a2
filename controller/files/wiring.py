"""Where a campaign meets a lab: every parameter set, every objective given, units and limits respected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.domain.base import Value
from controller.domain.campaign import CampaignFile
from controller.domain.lab import StepSpec
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter, Parameter
from controller.files.faults import Faults, Keys, listed, nearest
from controller.files.laboratory import Laboratory
from controller.files.reading import Document

if TYPE_CHECKING:
    from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, ReturnDescription

_KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text"}


def check_wiring(document: Document, campaign: CampaignFile, laboratory: Laboratory, faults: Faults) -> None:
    """Check the protocol of a lab against a campaign; faults are placed in the file to be changed."""
    wiring = _Wiring(document, campaign, laboratory, faults)
    used: set[str] = set()
    given: dict[str, str] = {}
    for i, step in enumerate(laboratory.spec.protocol):
        used |= wiring.arguments(i, step)
        wiring.returns(i, step, given)
    for name in campaign.parameters:
        if name not in used:
            offered = f"write ${name} into `with` of a step in {laboratory.document.path}, or remove the parameter"
            document.fault(faults, ("parameters", name), f"no step of the protocol uses it; {offered}", value=False)
    for name in campaign.objectives:
        if name not in given:
            hint = f"the steps give {listed(given)}" if given else "no step has `gives`"
            message = (
                f"no step of the protocol gives it; {hint}; add `gives: {{{name}: VALUE}}` to a step, or rename it"
            )
            document.fault(faults, ("objectives", name), message, value=False)


def check_readings(document: Document, campaign: CampaignFile, laboratory: Laboratory, faults: Faults) -> None:
    """Check what context variables are read from: an interlock of the lab, a value that it returns, in the same unit."""
    from instruments.units import same_unit

    locks = {lock.interlock: lock for lock in laboratory.spec.interlocks}
    for name, place in campaign.context_from.items():
        keys: Keys = ("context_from", name)
        interlock, _, value = place.rpartition(".")
        variable = campaign.context.get(name)
        if variable is None:
            document.fault(faults, keys, f"{name} is no context variable; {nearest(name, campaign.context)}", value=False)
        elif interlock not in locks:
            hint = nearest(interlock, locks) if locks else "the lab has no interlocks"
            document.fault(faults, keys, f"must be INTERLOCK.VALUE; {interlock or place} is no interlock of the lab: {hint}")
        elif (actions := laboratory.offers[locks[interlock].instrument].actions) is not None:
            action = actions.get(locks[interlock].action)
            returned = None if action is None else action.returns.get(value)
            if returned is None:
                document.fault(faults, keys, f"the interlock reads no {value}; {nearest(value, action.returns if action else ())}")
            elif (returned.kind == "str") != isinstance(variable, CategoricalParameter):
                document.fault(faults, keys, f"is {_KINDS[returned.kind]}, which {name} is not")
            elif not same_unit(returned.unit or "", variable.unit or ""):
                unit = f"in {returned.unit}" if returned.unit else "a bare number"
                document.fault(faults, keys, f"is {unit}; write {name} so")


@dataclass(frozen=True)
class _Wiring:
    document: Document
    campaign: CampaignFile
    laboratory: Laboratory
    faults: Faults

    def _action(self, step: StepSpec) -> ActionDescription | None:
        offer = self.laboratory.offers[step.instrument]
        return None if offer.actions is None else offer.actions.get(step.action)

    def _refuse(self, keys: Keys, message: str) -> None:
        self.laboratory.document.fault(self.faults, keys, message)

    def arguments(self, i: int, step: StepSpec) -> set[str]:
        """Check the arguments of step `i`; return the parameters that it uses."""
        actions = self.laboratory.offers[step.instrument].actions
        action = self._action(step)
        if actions is not None and action is None:
            hint = nearest(step.action, actions)
            self._refuse(("protocol", i, "action"), f"{step.instrument} has no such action; {hint}")
        used: set[str] = set()
        for name, value in step.arguments.items():
            keys: Keys = ("protocol", i, "with", name)
            argument = None if action is None else action.arguments.get(name)
            if action is not None and argument is None:
                self._refuse(keys, f"{step.action} takes no argument {name}; {nearest(name, action.arguments)}")
            if isinstance(value, str) and value.startswith("$"):
                used |= self._reference(keys, value[1:], step, argument)
            elif argument is not None:
                self._literal(keys, value, argument)
        for name, argument in {} if action is None else action.arguments.items():
            if argument.required and name not in step.arguments:
                unit = f" [{argument.unit}]" if argument.unit else ""
                self._refuse(
                    ("protocol", i, "with"),
                    f"{step.action} also needs {name}{unit}; add {name}: $parameter, or a value",
                )
        return used

    def _reference(self, keys: Keys, name: str, step: StepSpec, argument: ArgumentDescription | None) -> set[str]:
        """Check `$parameter` or `$step.value`; return the parameter, if it is one."""
        if (parameter := self.campaign.parameters.get(name)) is not None:
            if argument is not None:
                self._parameter(keys, name, parameter, argument)
                self._inactive(keys, name, parameter, argument)
            return {name}
        earlier_name, dot, value = name.partition(".")
        earlier = next((s for s in self.laboratory.spec.protocol if s.step == earlier_name), None)
        if not dot or earlier is None:
            self._refuse(keys, f"the campaign has no parameter {name}; {nearest(name, self.campaign.parameters)}")
        elif not self._stands_before(earlier_name, step):
            message = f"{earlier_name} does not come before {step.step}; list the step that returns a value first"
            self._refuse(keys, message)
        elif (action := self._action(earlier)) is not None:
            returned = action.returns.get(value)
            if returned is None:
                self._refuse(keys, f"{earlier_name} returns no {value}; {nearest(value, action.returns)}")
            elif argument is not None:
                self._handed_on(keys, returned, argument)
        return set()

    def _stands_before(self, name: str, step: StepSpec) -> bool:
        """Say whether step `name` is listed before `step`, which then waits for it."""
        order = [s.step for s in self.laboratory.spec.protocol]
        return order.index(name) < order.index(step.step)

    def _literal(self, keys: Keys, value: Value, argument: ArgumentDescription) -> None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = {
            "float": is_number, "int": is_number and float(value).is_integer() if is_number else False,
            "bool": isinstance(value, bool), "str": isinstance(value, str),
        }[argument.kind]  # fmt: skip
        if not fits:
            self._refuse(keys, f"must be {_KINDS[argument.kind]}")
        elif argument.choices is not None and value not in argument.choices:
            self._refuse(keys, f"must be one of {listed(argument.choices)}")
        elif is_number and not _within(float(value), argument):
            self._refuse(keys, f"is outside what the instrument allows: {_allowed(argument)}")

    def _parameter(self, keys: Keys, name: str, parameter: Parameter, argument: ArgumentDescription) -> None:
        """Check that every setting of a parameter can be sent as `argument`."""
        if isinstance(parameter, CategoricalParameter):
            if argument.kind != "str":
                self._refuse(keys, f"the parameter {name} has choices, but the argument takes {_KINDS[argument.kind]}")
            elif argument.choices is not None and (
                strange := [c for c in parameter.choices if c not in argument.choices]
            ):
                message = f"the instrument does not know {listed(strange)}; it takes {listed(argument.choices)}"
                self.document.fault(self.faults, ("parameters", name, "choices"), message)
            return
        if argument.kind in ("str", "bool"):
            self._refuse(keys, f"the parameter {name} is a number, but the argument takes {_KINDS[argument.kind]}")
            return
        if argument.kind == "int" and not _is_whole(parameter):
            message = "the instrument takes whole numbers; use type: integer, or whole values"
            self.document.fault(self.faults, ("parameters", name), message, value=False)
        if self._unit_fits(("parameters", name), self.document, parameter.unit, argument.unit, "the instrument takes"):
            self._limits(name, parameter, argument)

    def _inactive(self, keys: Keys, name: str, parameter: Parameter, argument: ArgumentDescription) -> None:
        """Check what is sent where a parameter is not active."""
        from instruments.units import convert, same_dimension

        if parameter.active_when is None:
            return
        value = parameter.when_inactive
        if value is None and argument.required:
            message = (
                f"the parameter is not always active, and {self.laboratory.document.path} needs a value for it always; add "
                "when_inactive: VALUE, what the instrument is sent then"
            )
            self.document.fault(self.faults, ("parameters", name), message, value=False)
        place: Keys = ("parameters", name, "when_inactive")
        if isinstance(value, str) and argument.choices is not None and value not in argument.choices:
            self.document.fault(self.faults, place, f"would be refused: the instrument takes {listed(argument.choices)}")
        if isinstance(value, (int, float)) and same_dimension(parameter.unit or "", argument.unit or ""):
            sent = float(f"{convert(float(value), parameter.unit or '', argument.unit or ''):.9g}")
            if not _within(sent, argument):
                self.document.fault(self.faults, place, f"would be refused: the instrument allows {_allowed(argument)}")

    def _limits(self, name: str, parameter: Parameter, argument: ArgumentDescription) -> None:
        from instruments.units import convert

        assert not isinstance(parameter, CategoricalParameter)  # noqa: S101 - told apart by the caller
        settings = parameter.values if parameter.type == "discrete" else parameter.bounds
        # Rounded, so that a bound written in another unit does not miss the limit by its last digit.
        sent = [float(f"{convert(float(v), parameter.unit or '', argument.unit or ''):.9g}") for v in settings]
        outside = [v for v, there in zip(settings, sent, strict=True) if not _within(there, argument)]
        if outside:
            key = "values" if parameter.type == "discrete" else "bounds"
            message = f"{listed(f'{v:g}' for v in outside)} would be refused: the instrument allows {_allowed(argument)}; narrow it"
            self.document.fault(self.faults, ("parameters", name, key), message)

    def _handed_on(self, keys: Keys, returned: ReturnDescription, argument: ArgumentDescription) -> None:
        numbers = ("float", "int")
        if returned.kind != argument.kind and not (returned.kind in numbers and argument.kind == "float"):
            self._refuse(keys, f"is {_KINDS[returned.kind]}, but the argument takes {_KINDS[argument.kind]}")
        else:
            self._unit_fits(keys, self.laboratory.document, returned.unit, argument.unit, "the argument is in")

    def returns(self, i: int, step: StepSpec, given: dict[str, str]) -> None:
        """Check what step `i` gives; `given` gathers objective -> step."""
        action = self._action(step)
        for name, value in step.gives.items():
            keys: Keys = ("protocol", i, "gives", name)
            if name in given:
                self._refuse(keys, f"step {given[name]} gives {name} already; remove one of the two")
            given.setdefault(name, step.step)
            if action is None:
                continue
            returned = action.returns.get(value)
            if returned is None:
                self._refuse(keys, f"{step.action} returns no {value}; {nearest(value, action.returns)}")
            elif name in self.campaign.objectives:
                if returned.kind not in ("float", "int"):
                    self._refuse(keys, f"{value} is {_KINDS[returned.kind]}, but an objective must be a number")
                elif (unit := self.campaign.objectives[name].unit) is not None:
                    self._unit_fits(("objectives", name), self.document, unit, returned.unit, "it is measured in")

    def _unit_fits(self, keys: Keys, document: Document, ours: str | None, theirs: str | None, said: str) -> bool:
        """Check two units against each other; a unit is never taken for granted where the other side has one."""
        from instruments.units import same_dimension, same_unit

        if same_unit(ours or "", theirs or ""):
            return True
        place = (*keys, "unit") if document.holds((*keys, "unit")) else keys
        if ours is None:
            document.fault(self.faults, place, f"has no unit, but {said} {theirs}; add unit: {theirs}", value=False)
        elif theirs is None:
            message = f"the unit {ours} meets a bare number in {self.laboratory.document.path}"
            document.fault(self.faults, place, f"{message}; leave the unit out, or declare it there")
        elif same_dimension(ours, theirs):
            return True
        else:
            document.fault(
                self.faults, place, f"cannot be converted: {said} {theirs}, which is of another dimension; correct one"
            )
        return False


def _within(value: float, argument: ArgumentDescription) -> bool:
    return not (
        (argument.low is not None and value < argument.low) or (argument.high is not None and value > argument.high)
    )


def _allowed(argument: ArgumentDescription) -> str:
    unit = f" {argument.unit}" if argument.unit else ""
    if argument.low is not None and argument.high is not None:
        return f"{argument.low:g} to {argument.high:g}{unit}"
    return f"at least {argument.low:g}{unit}" if argument.low is not None else f"at most {argument.high:g}{unit}"


def _is_whole(parameter: Parameter) -> bool:
    match parameter:
        case IntegerParameter():
            return True
        case ContinuousParameter() | CategoricalParameter():
            return False
    return all(v.is_integer() for v in parameter.values)
