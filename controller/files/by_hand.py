"""The lab of a campaign by hand: `lab: {by_hand: true}`, or `{by_hand: {instructions: …, hours: …, answers: …}}`.

One person-instrument and one step, made of the campaign's own parameters and objectives. So the same campaign can be carried out by
plans (`campaign ask` and `tell`), task by task (`labwright run`), and by its twin (`--simulate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, ValidationError

from controller.domain.base import Model, Name
from controller.domain.campaign import CampaignFile
from controller.domain.lab import PERSON
from controller.domain.parameter import CategoricalParameter, DiscreteParameter, IntegerParameter, Parameter
from controller.files.faults import Faults
from controller.files.reading import Document

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from instruments.tasks.form import FormField

INSTRUMENT: Final = "people"
ACTION: Final = "experiment"
_MOST_CHOICES: Final = 1000
"""Of an argument, as on the wire."""
_INSTRUCTIONS: Final = "Carry the experiment out with the settings given, and answer with what was measured."


class ByHand(Model):
    """What may be said of a campaign by hand."""

    instructions: Annotated[str, Field(min_length=1, max_length=1000)] = _INSTRUCTIONS
    """What is to be done."""
    hours: Annotated[float, Field(gt=0, le=10_000)] = 24.0
    """An experiment that takes longer is late [h]."""
    answers: Annotated[dict[Name, dict[str, Any]], Field(max_length=90)] = {}
    """Name -> a field of the form: limits of an objective, or what is to be noted besides."""


def lab_by_hand(document: Document, campaign: CampaignFile, faults: Faults) -> dict[str, Any] | None:
    """Return the content of the lab file that `{by_hand: …}` stands for, or add what is wrong to `faults` and return None."""
    from instruments.tasks.form import FormField

    n_before = len(faults)
    written = campaign.lab["by_hand"] if isinstance(campaign.lab, dict) else None
    place = ("lab", "by_hand")
    for key in campaign.lab if isinstance(campaign.lab, dict) else ():
        if key != "by_hand":
            document.fault(faults, ("lab", key), "does not go together with by_hand; remove it")
    try:
        wanted = ByHand() if written is True else ByHand.model_validate(written)
    except ValidationError as error:
        for fault in error.errors():
            document.fault(faults, (*place, *fault["loc"]), f"{fault['msg']}; expected true, or instructions, hours, answers")
        return None
    fields: dict[str, dict[str, Any]] = {}
    for name, objective in campaign.objectives.items():
        fields[name] = {"unit": objective.unit, **wanted.answers.get(name, {})}
        if fields[name]["unit"] != objective.unit:
            document.fault(faults, (*place, "answers", name, "unit"), f"must be that of the objective, {objective.unit or 'none'}")
    fields |= {name: content for name, content in wanted.answers.items() if name not in fields}
    for name, content in fields.items():
        try:
            field = FormField.model_validate(content)
        except (ValidationError, ValueError) as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            document.fault(faults, (*place, "answers", name), why.removeprefix("Value error, "))
            continue
        if name in campaign.objectives and field.type not in ("float", "int"):
            document.fault(faults, (*place, "answers", name), "is an objective and must be a number")
        if name in campaign.parameters:
            document.fault(faults, (*place, "answers", name), "is a parameter already; give it another name")
    if len(faults) > n_before:
        return None
    longest = 3600.0 * wanted.hours
    action = {
        "instructions": wanted.instructions.replace("{", "{{").replace("}", "}}"),
        "arguments": {name: _argument(parameter) for name, parameter in campaign.parameters.items()},
        "returns": fields, "duration": [longest / 4.0, longest], "consequence": "consumes",
    }  # fmt: skip
    step = {
        "step": ACTION, "instrument": INSTRUMENT, "action": ACTION, "with": {name: f"${name}" for name in campaign.parameters},
        "gives": {name: name for name in campaign.objectives},
    }  # fmt: skip
    people = {"driver": PERSON, "options": {"actions": {ACTION: action}}, "capacity": min(campaign.batch, 64)}
    return {"lab": f"{campaign.campaign[:110]}-by-hand", "instruments": {INSTRUMENT: people}, "protocol": [step]}


def _argument(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, CategoricalParameter):
        few = len(parameter.choices) <= _MOST_CHOICES
        return {"kind": "str", **({"choices": list(parameter.choices)} if few else {})}
    values = parameter.values if isinstance(parameter, DiscreteParameter) else parameter.bounds
    kind = "int" if isinstance(parameter, IntegerParameter) else "float"
    return {"kind": kind, "unit": parameter.unit, "low": float(min(values)), "high": float(max(values))}


def form_of(definition: Definition) -> dict[str, FormField]:
    """Return what is to be answered of one experiment by hand: its objectives, and what people are asked beside them in the lab."""
    from instruments.tasks.form import FormField

    form = {name: FormField(unit=objective.unit) for name, objective in definition.problem.objectives.items()}
    for step in definition.lab.protocol:
        instrument = definition.lab.instruments[step.instrument]
        action = instrument.options.get("actions", {}).get(step.action, {}) if instrument.driver == PERSON else {}
        fields: Mapping[str, Any] = action.get("returns", {})
        given = {value: objective for objective, value in step.gives.items()}
        for value, content in fields.items():
            field = FormField.model_validate(content)
            name = given.get(value, value)
            if name not in form or (value in given and field.unit == form[name].unit):
                form[name] = field
    return {name: field for name, field in form.items() if field.type != "file"}

