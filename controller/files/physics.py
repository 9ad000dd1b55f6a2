"""Physical models that a campaign file names: read once, with the text of their files."""

from __future__ import annotations

import ast

from controller.domain.campaign import CampaignFile
from controller.domain.knowledge import Physics
from controller.domain.objective import wanted
from controller.errors import FileFaultsError
from controller.files.faults import Faults, listed, nearest
from controller.files.reading import Document, read_text


def read_physics(document: Document, campaign: CampaignFile, faults: Faults) -> Physics | None:
    """Read the file of a physical model, or add what is wrong to `faults`; nothing of it is carried out here."""
    wish = campaign.physics
    if wish is None:
        return None
    if campaign.fidelity is not None or campaign.earlier:
        other = "fidelity" if campaign.fidelity is not None else "earlier"
        document.fault(faults, ("physics",), f"cannot stand beside {other}; leave one of the two out", value=False)
    objectives = list(wanted(campaign.objectives))
    objective = wish.objective or (objectives[0] if len(objectives) == 1 else None)
    if objective is None:
        message = f"is missing; say which one it predicts: {listed(objectives)}"
        document.fault(faults, ("physics", "objective"), message, value=False)
    elif objective not in campaign.objectives:
        message = f"there is no objective {objective}; {nearest(objective, campaign.objectives)}"
        document.fault(faults, ("physics", "objective"), message)
    file, _, name = wish.module.rpartition(":")
    try:
        source = read_text(document.path.parent / file)
        functions = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    except FileFaultsError as error:
        document.fault(faults, ("physics", "module"), error.faults[0].partition(": ")[2])
        return None
    except (SyntaxError, ValueError) as error:
        document.fault(faults, ("physics", "module"), f"is not Python ({error}); correct the file")
        return None
    if name not in functions:
        document.fault(faults, ("physics", "module"), f"the file has no function {name}; {nearest(name, functions)}")
        return None
    return None if objective is None else Physics(source=source, function=name, parameters=wish.parameters, objective=objective)
