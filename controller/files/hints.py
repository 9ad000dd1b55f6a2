"""Checks hints and first settings of a campaign file."""

from __future__ import annotations

from controller.domain.campaign import CampaignFile
from controller.domain.parameter import CategoricalParameter
from controller.domain.space import Problem
from controller.files.faults import Faults, nearest
from controller.files.reading import Document


def check_hints(document: Document, campaign: CampaignFile, faults: Faults) -> None:
    """Check that hints name settings that there are."""
    parameters = campaign.parameters
    for i, hint in enumerate(campaign.hints):
        for name, value in hint.near.items():
            if name not in parameters:
                document.fault(faults, ("hints", i, "near", name), f"{name} is no parameter; {nearest(name, parameters)}")
            elif not parameters[name].allows(value):
                document.fault(faults, ("hints", i, "near", name), f"is no setting of {name}; correct it or widen its range")
        for name in hint.spread:
            if name not in hint.near:
                document.fault(faults, ("hints", i, "spread", name), f"near says nothing of {name}; add it there, or remove it")
            elif isinstance(parameters.get(name), CategoricalParameter):
                document.fault(faults, ("hints", i, "spread", name), f"{name} has choices, which have no spread; remove it")


def check_first(document: Document, campaign: CampaignFile, problem: Problem, faults: Faults) -> None:
    """Check that what is to be measured first is allowed."""
    parameters = problem.parameters
    for i, point in enumerate(campaign.first):
        if missing := [name for name in parameters if name not in point and name not in problem.conditional]:
            message = f"says nothing of {', '.join(missing)}; give every parameter a setting"
            document.fault(faults, ("first", i), message, value=False)
        elif strange := [name for name in point if name not in parameters]:
            document.fault(faults, ("first", i, strange[0]), f"{strange[0]} is no parameter; {nearest(strange[0], parameters)}")
        elif not problem.allows(point):
            wrong = [name for name, value in point.items() if not parameters[name].allows(value)]
            where = f"{wrong[0]} is out of its range" if wrong else "it does not meet the constraints"
            document.fault(faults, ("first", i), f"{where}; correct it, or leave it out")
