"""From files to a `Definition` or a `LabSpec`: everything read, everything checked, every fault told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from controller.domain.campaign import CampaignFile, Definition
from controller.domain.knowledge import Knowledge
from controller.domain.lab import LabSpec
from controller.domain.objective import check_goals
from controller.domain.parameter import CategoricalParameter, Parameter
from controller.domain.rule import Constraint
from controller.domain.space import DescriptorTable, Pool, Problem
from controller.files.candidates import read_candidates
from controller.files.cost import check_cost
from controller.files.descriptors import read_choices, read_descriptors
from controller.files.earlier import ReadCampaign, read_earlier
from controller.files.faults import Faults, listed, nearest
from controller.files.fidelity import across_levels, with_levels
from controller.files.hints import check_first, check_hints
from controller.files.laboratory import Laboratory, Wishes, lab_document_of, lab_of_campaign, lab_of_document
from controller.files.physics import read_physics
from controller.files.pools import check_pool, check_subset, settle_pool
from controller.files.reading import Document, read_document
from controller.files.space import (
    check_conditions,
    check_context,
    check_digits,
    check_feasible,
    count_settings,
    read_constraints,
)
from controller.files.translating import validated
from controller.files.wiring import check_readings, check_wiring


def load_campaign(
    path: Path,
    *,
    seed: int | None = None,
    simulate: bool = False,
    speed: float | None = None,
    read_campaign: ReadCampaign | None = None,
) -> Definition:
    """Read a campaign file with everything it points to.

    Args:
        path: A YAML or JSON file.
        seed: Takes the place of the file's.
        simulate: Swap every real instrument for its simulated twin.
        speed: Lab seconds per real second, in place of the lab's; only for simulated labs.
        read_campaign: Reads the results of an earlier campaign from the store; without it only those in files can be named.

    Returns:
        A definition that needs no file any more, but for files that drivers read themselves.

    Raises:
        FileFaultsError: With every fault found, one line each.
    """
    document = read_document(path)
    if seed is not None:
        document = Document(path, {**document.data, "seed": seed}, document.lines)
    faults = Faults()
    document = _with_choices(document, faults)
    wishes = Wishes(simulate, speed)
    campaign = validated(CampaignFile, document, faults)
    parameters = _good_parameters(document) if campaign is None else campaign.parameters
    check_digits(document, parameters, faults)
    units_known = _check_units(document, faults)
    constraints = read_constraints(document, parameters, faults)
    if not check_conditions(document, parameters, faults):
        faults.raise_if_any()
    if campaign is not None:
        check_context(document, campaign, faults)
    feasible = check_feasible(constraints, parameters, document, faults)
    descriptors = _descriptors(document, parameters, faults)
    candidates = laboratory = None
    if isinstance(file := document.data.get("candidates"), str):
        candidates = read_candidates(document, parameters, file, faults)
    if campaign is None:
        inner = lab_document_of(document, lab, faults) if isinstance(lab := document.data.get("lab"), str) else None
        if inner is not None and "simulator" not in inner.data:
            lab_of_document(inner, None, wishes, faults)
        faults.raise_if_any()
    assert campaign is not None  # noqa: S101 - its faults have just been raised
    campaign = with_levels(document, campaign, faults)
    if candidates is not None:
        candidates = across_levels(candidates, campaign)
    # Units that nobody knows cannot be compared; simulators do so themselves.
    if units_known or isinstance(campaign.lab, str):
        laboratory = lab_of_campaign(document, campaign, wishes, faults)
    if laboratory is not None and units_known:
        check_wiring(document, campaign, laboratory, faults)
        check_readings(document, campaign, laboratory, faults)
    for place, message in check_goals(campaign.objectives, campaign.desirability, replicates=campaign.allow_replicates):
        document.fault(faults, place, message, value=place == ("allow_replicates",))
    set_or_given = {**campaign.parameters, **campaign.context}
    earlier = read_earlier(document, campaign.earlier, set_or_given, campaign.objectives, read_campaign, faults)
    physics = read_physics(document, campaign, faults)
    check_hints(document, campaign, faults)
    faults.raise_if_any()
    knowledge = Knowledge(earlier=earlier, hints=campaign.hints, first=campaign.first, physics=physics)
    problem = Problem(
        parameters=campaign.parameters, context=campaign.context, objectives=campaign.objectives, constraints=campaign.constraints,
        descriptors=descriptors, allow_replicates=campaign.allow_replicates, desirability=campaign.desirability,
        cost=campaign.cost, drift=campaign.drift, fidelity=campaign.fidelity,
        knowledge=knowledge if knowledge != Knowledge() else None,
    )  # fmt: skip
    check_first(document, campaign, problem, faults)
    check_cost(document, problem, campaign.budget, faults)
    _check_reference(document, problem, faults)
    pool = _pool(document, problem, candidates, laboratory, constraints, faults) if feasible else None
    if len(faults) == 0 and pool is not None and problem.drift is not None and problem.drift.reference:
        _check_listed(document, problem, pool, faults)
    if len(faults) == 0:
        _check_budget(document, campaign, constraints, pool, faults)
    faults.raise_if_any()
    assert laboratory is not None  # noqa: S101 - its faults have just been raised
    return Definition(
        name=campaign.campaign, description=campaign.description, problem=problem.model_copy(update={"pool": pool}),
        budget=campaign.budget, batch=campaign.batch, proposals=campaign.proposals, failures=campaign.failures,
        seed=campaign.seed, context_from=campaign.context_from, lab=laboratory.spec,
    )  # fmt: skip


def load_lab(path: Path) -> LabSpec:
    """Read a lab file by itself.

    Raises:
        FileFaultsError: With every fault found, one line each.
    """
    faults = Faults()
    laboratory = lab_of_document(read_document(path), None, Wishes(), faults)
    faults.raise_if_any()
    assert laboratory is not None  # noqa: S101 - its faults have just been raised
    return laboratory.spec


def _with_choices(document: Document, faults: Faults) -> Document:
    """Return the document with the choices in the place of each file that names them, and that file for their descriptors."""
    written: Any = document.data.get("parameters")
    parameters: dict[str, Any] = {}
    for name, content in written.items() if isinstance(written, dict) else ():
        if isinstance(content, dict) and content.get("type") == "categorical" and isinstance(file := content.get("choices"), str):
            found = read_choices(name, file, document, faults)
            faults.raise_if_any()
            assert found is not None  # noqa: S101 - its faults have just been raised
            choices, described = found
            parameters[name] = {**({"descriptors": file} if described else {}), **content, "choices": choices}
    if not parameters:
        return document
    return Document(document.path, {**document.data, "parameters": {**written, **parameters}}, document.lines)


def _good_parameters(document: Document) -> dict[str, Parameter]:
    """Return the parameters that are right although the file as a whole is not, so that more can be checked."""
    written: Any = document.data.get("parameters")
    adapter: TypeAdapter[Parameter] = TypeAdapter(Parameter)
    good: dict[str, Parameter] = {}
    for name, content in written.items() if isinstance(written, dict) else ():
        try:
            good[name] = adapter.validate_python(content)
        except ValidationError:
            continue
    return good


def _check_reference(document: Document, problem: Problem, faults: Faults) -> None:
    """Check that the reference sets each parameter to what it may be."""
    if problem.drift is None or not (reference := problem.drift.reference):
        return
    for name in reference:
        if name not in problem.parameters:
            document.fault(faults, ("drift", "reference", name), f"{name} is no parameter; {nearest(name, problem.parameters)}")
        elif not problem.parameters[name].allows(reference[name]):
            document.fault(faults, ("drift", "reference", name), f"is not what {name} may be; choose a setting that it may have")
    if missing := [name for name in problem.parameters if name not in reference]:
        document.fault(faults, ("drift", "reference"), f"does not set {listed(missing)}; add a setting of each", value=False)
    elif len(faults) == 0 and not problem.allows(reference):
        document.fault(faults, ("drift", "reference"), "does not meet the constraints; choose a setting that does")


def _check_listed(document: Document, problem: Problem, pool: Pool, faults: Faults) -> None:
    """Check that the reference is one of the only settings possible."""
    assert problem.drift is not None  # noqa: S101 - asked by the caller
    wanted = problem.key(problem.drift.reference)
    if not any(problem.key(pool.row(i)) == wanted for i in range(len(pool))):
        message = "is none of the settings possible; choose one of the rows of the table"
        document.fault(faults, ("drift", "reference"), message)


def _check_units(document: Document, faults: Faults) -> bool:
    """Check every unit; say whether all are known."""
    from instruments.errors import UnitError
    from instruments.units import check_unit

    n_before = len(faults)
    for section in ("parameters", "context", "objectives"):
        entries = document.data.get(section)
        for name in entries if isinstance(entries, dict) else ():
            unit = document.get((section, name, "unit"))
            if isinstance(unit, str):
                try:
                    check_unit(unit)
                except UnitError as error:
                    document.fault(faults, (section, name, "unit"), str(error))
    return len(faults) == n_before


def _descriptors(document: Document, parameters: dict[str, Parameter], faults: Faults) -> dict[str, DescriptorTable]:
    tables: dict[str, DescriptorTable] = {}
    for name, parameter in parameters.items():
        if isinstance(parameter, CategoricalParameter) and parameter.descriptors is not None:
            table = read_descriptors(name, parameter, document, faults)
            if table is not None:
                tables[name] = table
    return tables


def _pool(
    document: Document,
    problem: Problem,
    candidates: Pool | None,
    laboratory: Laboratory | None,
    constraints: dict[int, Constraint],
    faults: Faults,
) -> Pool | None:
    """Return the only settings possible, from the candidates or from the lab."""
    offered = None
    if laboratory is not None and laboratory.pool is not None:
        offered = check_pool(laboratory.pool, problem.parameters, document, ("lab",), faults)
    if candidates is not None and offered is not None:
        check_subset(candidates, offered, problem, document, faults)
    pool = candidates if candidates is not None else offered
    if pool is not None and problem.conditional:
        message = "a list of the only settings possible says itself what goes together; remove active_when, or the list"
        document.fault(faults, ("parameters", problem.conditional[0], "active_when"), message, value=False)
        return None
    if pool is None or len(constraints) < len(
        problem.constraints
    ):  # a constraint wrong in itself says nothing of the pool
        return None
    return settle_pool(pool, problem, constraints, document, faults)


def _check_budget(
    document: Document,
    campaign: CampaignFile,
    constraints: dict[int, Constraint],
    pool: Pool | None,
    faults: Faults,
) -> None:
    """Check that a finite space can be listed, and that it holds as many settings as the budget has experiments."""
    n = len(pool) if pool is not None else count_settings(constraints, campaign.parameters, document, faults)
    if n is not None and campaign.budget.experiments > n and not campaign.allow_replicates:
        message = (
            f"there are only {n} settings; set it to at most {n}, or allow_replicates: true to measure settings again"
        )
        document.fault(faults, ("budget", "experiments"), message)
