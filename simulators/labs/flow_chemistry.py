"""The lab `flow-chemistry`: a pump-and-reactor and an HPLC that look for good conditions of a nucleophilic substitution.

```yaml
lab: {simulator: flow-chemistry, noise: 0.01, failures: 0.02, speed: 600}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instruments.errors import UnitError
from instruments.units import convert
from simulators.devices.reactor import SPECIES
from simulators.labs.campaign import CampaignLike, HandCampaign, HandObjective, HandParameter
from simulators.labs.options import check_names, fault_plan, lab_name, near, number, whole

OPTIONS = ("noise", "failures", "duration_scale", "seed", "reactor_faults", "hplc_faults")

PARAMETERS: Mapping[str, tuple[str | None, float, float]] = {
    "temperature": ("degC", 30.0, 120.0),
    "residence_time": ("min", 0.5, 2.0),
    "equivalents": (None, 1.0, 5.0),
    "concentration": ("mol/L", 0.1, 0.5),
}
"""What the lab can set: name -> unit, lowest and highest setting."""
OBJECTIVES: Mapping[str, str | None] = {"space_time_yield": "kg/m**3/h", "e_factor": None}
"""What the lab measures: name -> unit."""


def describe() -> str:
    """Return one line for `labwright simulator list`."""
    return (
        "an SNAr reaction in a flow reactor with HPLC (parameters: "
        + ", ".join(PARAMETERS)
        + "; objectives: "
        + ", ".join(OBJECTIVES)
        + "; options: noise, failures, duration_scale)"
    )


def example_campaign() -> HandCampaign:
    """Return a campaign over everything that the lab can set and measure, for serving it by hand."""
    return HandCampaign(
        parameters={
            name: HandParameter(unit=unit, bounds=(low, high)) for name, (unit, low, high) in PARAMETERS.items()
        },
        objectives={name: HandObjective(unit=unit) for name, unit in OBJECTIVES.items()},
    )


def expand(options: Mapping[str, Any], campaign: CampaignLike, folder: Path) -> dict[str, Any]:
    """Turn the shorthand into a lab with two instruments.

    Args:
        options: `noise` (relative standard deviation of each HPLC peak), `failures` (share of actions that fail),
            `duration_scale` (1: minutes of lab time as a bench would take), `seed`, `reactor_faults`, `hplc_faults` (faults of one
            instrument in full; they replace `failures` for it).
        campaign: The campaign file: `parameters`, `objectives`, `seed` and `batch` are used.
        folder: Unused; every lab is given it.

    Returns:
        `lab`, as a lab file would say it; `pool` is None.

    Raises:
        ValueError: One plain line that names the option, parameter or objective.
    """
    del folder
    check_names(options, OPTIONS, "flow-chemistry")
    _check_parameters(campaign)
    _check_objectives(campaign)
    noise = number(options, "noise", 0.01, 0.0, 0.5)
    failures = number(options, "failures", 0.0, 0.0, 1.0)
    scale = number(options, "duration_scale", 1.0, 0.0, 1000.0)
    seed = whole(options, "seed", campaign.seed, 0, 2**63 - 2)
    usual = {"fail": failures} if failures else {}
    reactor_faults = fault_plan(options, "reactor_faults") if "reactor_faults" in options else usual
    hplc_faults = fault_plan(options, "hplc_faults") if "hplc_faults" in options else usual
    instruments = {
        "reactor": {
            "driver": "simulated-reactor",
            "options": {"seed": seed, "duration_scale": scale, "faults": reactor_faults},
        },
        "hplc": {
            "driver": "simulated-hplc",
            "options": {"seed": seed + 1, "noise": noise, "duration_scale": scale, "faults": hplc_faults},
        },
    }
    protocol = [
        {
            "step": "react",
            "instrument": "reactor",
            "action": "run",
            "with": {name: f"${name}" for name in PARAMETERS},
        },
        {
            "step": "assay",
            "instrument": "hplc",
            "action": "measure",
            "after": ["react"],
            "with": {"residence_time": "$residence_time", **{name: f"$react.{name}" for name in SPECIES}},
            "gives": {name: name for name in campaign.objectives},
        },
    ]
    return {
        "lab": {"lab": lab_name(campaign, "flow-chemistry"), "instruments": instruments, "protocol": protocol},
        "pool": None,
    }


def _check_parameters(campaign: CampaignLike) -> None:
    for name, parameter in campaign.parameters.items():
        if name not in PARAMETERS:
            raise ValueError(f"parameters.{name}: the lab 'flow-chemistry' cannot set it; {near(name, PARAMETERS)}")
        unit, low, high = PARAMETERS[name]
        if parameter.type == "categorical":
            raise ValueError(
                f"parameters.{name}: the lab 'flow-chemistry' sets numbers from {low:g} to {high:g}, not choices"
            )
        if parameter.unit is None and unit is not None:
            raise ValueError(f"parameters.{name}: say its unit; the lab 'flow-chemistry' takes {unit}")
        settings = [_in_unit(name, v, parameter.unit, unit) for v in _settings(parameter)]
        if min(settings) < low or max(settings) > high:
            raise ValueError(
                f"parameters.{name}: {min(settings):g} to {max(settings):g} goes beyond what the lab 'flow-chemistry' can set: "
                f"{low:g} to {high:g}{f' {unit}' if unit else ''}; narrow it"
            )
    missing = [name for name in PARAMETERS if name not in campaign.parameters]
    if missing:
        unit, low, high = PARAMETERS[missing[0]]
        raise ValueError(
            f"parameters: the lab 'flow-chemistry' also needs {', '.join(missing)}; add for example "
            f"{missing[0]}: {{type: continuous, bounds: [{low:g}, {high:g}]{f', unit: {unit}' if unit else ''}}}"
        )


def _check_objectives(campaign: CampaignLike) -> None:
    for name in campaign.objectives:
        if name not in OBJECTIVES:
            raise ValueError(
                f"objectives.{name}: the lab 'flow-chemistry' does not measure it; {near(name, OBJECTIVES)}"
            )


def _settings(parameter: Any) -> tuple[float, ...]:
    return tuple(parameter.values if parameter.type == "discrete" else parameter.bounds)


def _in_unit(name: str, value: float, given: str | None, wanted: str | None) -> float:
    try:
        # Rounded: a bound converted from kelvin may miss the round number by the last digit.
        return float(f"{convert(value, given or '', wanted or ''):.9g}")
    except UnitError as error:
        raise ValueError(
            f"parameters.{name}: {error}; the lab 'flow-chemistry' takes {wanted or 'a bare number'}"
        ) from None
