"""The lab `table`: one instrument that answers with rows measured before, so that a campaign can be tried on real data.

```yaml
lab: {simulator: table, data: measurements.csv, replicates: draw, duration: 3 min, instruments: 4}
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from simulators.devices.tabledata import Column, MeasuredTable, read_table
from simulators.labs.campaign import CampaignLike, ParameterLike
from simulators.labs.options import check_names, choice, duration, existing_file, fault_plan, lab_name, whole

OPTIONS = ("data", "replicates", "duration", "instruments", "seed", "faults")


def describe() -> str:
    """Return one line for `labwright simulator list`."""
    return "answers with the rows of a CSV file of measured experiments (options: data, replicates, duration, instruments, faults)"


def expand(options: Mapping[str, Any], campaign: CampaignLike, folder: Path) -> dict[str, Any]:
    """Turn the shorthand into a lab and the pool of settings that the table holds.

    Args:
        options: `data` (a CSV file, its columns named as the parameters and objectives), `replicates` (`draw` one of the rows with
            the same setting, or their `mean`), `duration` of one measurement [lab time], `instruments` that measure at the same
            time (by default as many as the campaign's batch), `seed`, `faults`.
        campaign: The campaign file: `parameters`, `objectives`, `seed` and `batch` are used.
        folder: Where relative file names start.

    Returns:
        `lab`, as a lab file would say it, and `pool`, parameter name -> one value per setting.

    Raises:
        ValueError: One plain line that names the option.
    """
    check_names(options, OPTIONS, "table")
    data = existing_file(options, "data", folder)
    columns = {name: Column(name, _kind(parameter)) for name, parameter in campaign.parameters.items()}
    table = read_table(data, columns, {name: name for name in campaign.objectives})
    arguments, values = wire_names(campaign.parameters), wire_names(campaign.objectives)
    capacity = whole(options, "instruments", campaign.batch, 1, 1000)
    driver_options = {
        "data": str(data),
        "parameters": {
            arguments[name]: {"column": name, "kind": columns[name].kind, "unit": parameter.unit}
            for name, parameter in campaign.parameters.items()
        },
        "objectives": {
            values[name]: {"column": name, "unit": objective.unit} for name, objective in campaign.objectives.items()
        },
        "replicates": choice(options, "replicates", ("draw", "mean")),
        "duration": duration(options, "duration", 0.0),
        "capacity": capacity,
        "seed": whole(options, "seed", campaign.seed, 0, 2**63 - 1),
        "faults": fault_plan(options),
    }
    bench = {
        "driver": "simulated-table",
        "options": driver_options,
        "capacity": capacity,
    }
    step = {
        "step": "measure",
        "instrument": "bench",
        "action": "measure",
        "with": {arguments[name]: f"${name}" for name in campaign.parameters},
        "gives": {name: values[name] for name in campaign.objectives},
    }
    return {
        "lab": {"lab": lab_name(campaign, "table"), "instruments": {"bench": bench}, "protocol": [step]},
        "pool": _pool(table, campaign.parameters),
    }


def wire_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name one that the wire takes: letters, digits, `_`, `.` and `-`, all different."""
    chosen: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".-")[:56] or "value"
        candidate, n = plain, 1
        while candidate in chosen.values():
            n += 1
            candidate = f"{plain}_{n}"
        chosen[name] = candidate
    return chosen


def _kind(parameter: ParameterLike) -> str:
    return "text" if parameter.type == "categorical" else "number"


def _pool(table: MeasuredTable, parameters: Mapping[str, ParameterLike]) -> dict[str, list[Any]]:
    pool: dict[str, list[Any]] = {}
    for name, parameter in parameters.items():
        column = [setting[name] for setting in table.settings]
        if parameter.type == "integer":
            column = [int(v) if float(v).is_integer() else v for v in column]
        pool[name] = column
    return pool
