"""Results of earlier campaigns that a campaign file names: read once, so that the campaign never depends on them later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath

from controller.domain.base import Value
from controller.domain.knowledge import EarlierCampaign, EarlierSource
from controller.domain.objective import Objective
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, Parameter
from controller.errors import LabwrightError
from controller.files.faults import Faults, Keys, listed, nearest
from controller.files.reading import Document
from controller.files.tables import CellFaults, Table, number, read_table

ReadCampaign = Callable[[str], EarlierCampaign]
"""From a campaign's name to its results; raises `LabwrightError` where no store has it."""


def read_earlier(
    document: Document,
    sources: tuple[EarlierSource, ...],
    parameters: Mapping[str, Parameter],
    objectives: Mapping[str, Objective],
    read_campaign: ReadCampaign | None,
    faults: Faults,
) -> tuple[EarlierCampaign, ...]:
    """Read the results of earlier campaigns, or add what is wrong to `faults`.

    Args:
        document: The campaign file.
        sources: What it says under `earlier`.
        parameters: Of the campaign.
        objectives: Of the campaign.
        read_campaign: Reads a campaign of the store; None where no store can be asked.
        faults: Gathers what is wrong.
    """
    found = []
    conditional = [name for name, parameter in parameters.items() if parameter.active_when]
    if sources and conditional:
        message = f"cannot be learned from while parameters are not always active ({listed(conditional)}); leave it out"
        document.fault(faults, ("earlier",), message, value=False)
        return ()
    for i, source in enumerate(sources):
        if source.file is not None:
            campaign = _from_file(document, i, source.file, parameters, objectives, faults)
        elif read_campaign is not None:
            campaign = _from_store(document, i, str(source.campaign), parameters, objectives, read_campaign, faults)
        else:
            campaign = None
            document.fault(faults, ("earlier", i, "campaign"), "no store is looked into here; export it and name the file instead")
        if campaign is not None:
            found.append(campaign)
    return tuple(found)


def _from_store(
    document: Document, i: int, name: str, parameters: Mapping[str, Parameter], objectives: Mapping[str, Objective],
    read_campaign: ReadCampaign, faults: Faults,
) -> EarlierCampaign | None:  # fmt: skip
    keys: Keys = ("earlier", i, "campaign")
    try:
        campaign = read_campaign(name)
    except LabwrightError as error:
        document.fault(faults, keys, str(error), value=False)
        return None
    for kind, wanted, there in (("parameter", parameters, campaign.points), ("objective", objectives, campaign.values)):
        if missing := [n for n in wanted if n not in there]:
            hint = f"it has {listed(there)}" if there else "no experiment of it is completed"
            document.fault(faults, keys, f"it has no {kind} {listed(missing)}; {hint}: leave it out, or rename what is meant")
            return None
    mistaken = [
        f"{n}: {value!r}"
        for n, p in parameters.items()
        for value in dict.fromkeys(campaign.points[n])
        if not isinstance(p, CategoricalParameter) and not _is_setting(value, p)
    ]
    if mistaken:
        document.fault(faults, keys, f"its settings are none of this campaign's parameters: {listed(mistaken, 3)}; leave it out")
        return None
    return _known_rows(document, keys, campaign, parameters, faults)


def _from_file(
    document: Document, i: int, file: str, parameters: Mapping[str, Parameter], objectives: Mapping[str, Objective], faults: Faults
) -> EarlierCampaign | None:
    keys: Keys = ("earlier", i, "file")
    try:
        table = read_table(document.path.parent / file, faults)
    except ValueError as error:
        document.fault(faults, keys, str(error))
        return None
    if table is None:
        return None
    n_before = len(faults)
    for kind, names in (("parameter", parameters), ("objective", objectives)):
        for name in names:
            if name not in table.header:
                faults.add(table.path, 1, (), f"has no column {name!r} for the {kind}; {nearest(name, table.header)}")
    if len(faults) > n_before:
        return None
    points = {name: _settings(table, name, parameter, faults) for name, parameter in parameters.items()}
    values = {name: _values(table, name, faults) for name in objectives}
    if len(faults) > n_before:
        return None
    kept = [k for k in range(len(table.rows)) if any(column[k] is not None for column in values.values())]
    campaign = EarlierCampaign(
        name=PurePath(file).stem,
        points={name: tuple(column[k] for k in kept) for name, column in points.items()},
        values={name: tuple(column[k] for k in kept) for name, column in values.items()},
    )
    if not kept:
        document.fault(faults, keys, f"no row has a value of {listed(objectives)}; name a file with results")
        return None
    return _known_rows(document, keys, campaign, parameters, faults)


def _known_rows(
    document: Document, keys: Keys, campaign: EarlierCampaign, parameters: Mapping[str, Parameter], faults: Faults
) -> EarlierCampaign | None:
    """Leave out rows with choices that this campaign does not have: nothing says what they resemble."""
    choices = {name: p for name, p in parameters.items() if isinstance(p, CategoricalParameter)}
    kept = [k for k in range(len(campaign)) if all(p.allows(str(campaign.points[name][k])) for name, p in choices.items())]
    if not kept:
        names = [name for name in choices if not any(choices[name].allows(str(v)) for v in campaign.points[name])]
        document.fault(faults, keys, f"no row has choices of this campaign; look at {listed(names or choices)}")
        return None
    return EarlierCampaign(
        name=campaign.name,
        points={name: tuple(campaign.points[name][k] for k in kept) for name in parameters},
        values={name: tuple(column[k] for k in kept) for name, column in campaign.values.items()},
        left_out=len(campaign) - len(kept),
    )


def _settings(table: Table, name: str, parameter: Parameter, faults: Faults) -> tuple[Value, ...]:
    wrong = CellFaults(table.path, name)
    settings: list[Value] = []
    for row, cell in enumerate(table.column(name)):
        value: Value | None = cell if isinstance(parameter, CategoricalParameter) else number(cell)
        if value is None:
            wrong.add(table.lines[row], cell, "must be a number")
        elif not _is_setting(value, parameter):
            wrong.add(table.lines[row], cell, "must be more than 0, for the parameter has scale: log")
        else:
            settings.append(value)
    wrong.tell(faults)
    return tuple(settings)


def _is_setting(value: Value, parameter: Parameter) -> bool:
    """Say whether the model can place a value; it may lie beyond the bounds, for the earlier campaign had its own."""
    if isinstance(parameter, CategoricalParameter):
        return True
    if isinstance(value, (str, bool)):
        return False
    return not (isinstance(parameter, ContinuousParameter) and parameter.scale == "log") or value > 0


def _values(table: Table, name: str, faults: Faults) -> tuple[float | None, ...]:
    wrong = CellFaults(table.path, name)
    values: list[float | None] = []
    for row, cell in enumerate(table.column(name)):
        value = number(cell)
        if value is None and cell:
            wrong.add(table.lines[row], cell, "must be a number, or empty where nothing was measured")
        values.append(value)
    wrong.tell(faults)
    return tuple(values)
