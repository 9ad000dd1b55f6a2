"""The lab `flow-chemistry`: two instruments and how values pass between them; what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.labs import flow_chemistry
from tests.simulators.labs.campaigns import campaign, categorical, flow_campaign, numeric


def test_expand_passes_the_crude_from_the_reactor_to_the_hplc() -> None:
    lab = flow_chemistry.expand({}, flow_campaign(), Path())["lab"]
    react, assay = lab["protocol"]
    assert react["with"] == {name: f"${name}" for name in flow_chemistry.PARAMETERS}
    assert assay["after"] == ["react"]
    assert assay["with"]["ortho"] == "$react.ortho"
    assert assay["gives"] == {"space_time_yield": "space_time_yield", "e_factor": "e_factor"}


def test_expand_gives_only_the_objectives_that_the_campaign_wants() -> None:
    wanted = campaign(flow_campaign().parameters, {"e_factor": None})
    assert flow_chemistry.expand({}, wanted, Path())["lab"]["protocol"][1]["gives"] == {"e_factor": "e_factor"}


def test_expand_spreads_failures_and_seeds_over_both_instruments() -> None:
    instruments = flow_chemistry.expand({"failures": 0.1, "seed": 4}, flow_campaign(), Path())["lab"]["instruments"]
    assert [i["options"]["faults"] for i in instruments.values()] == [{"fail": 0.1}, {"fail": 0.1}]
    assert [i["options"]["seed"] for i in instruments.values()] == [4, 5]
    told = {"failures": 0.1, "hplc_faults": {"nan": 0.2}}
    instruments = flow_chemistry.expand(told, flow_campaign(), Path())["lab"]["instruments"]
    assert instruments["hplc"]["options"]["faults"] == {"nan": 0.2}


def test_expand_accepts_bounds_in_another_unit_of_the_same_dimension() -> None:
    flow_chemistry.expand({}, flow_campaign(temperature=numeric(303.15, 393.15, "kelvin")), Path())
    with pytest.raises(ValueError, match="30 to 200 goes beyond"):
        flow_chemistry.expand({}, flow_campaign(temperature=numeric(303.15, 473.15, "kelvin")), Path())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"temprature": numeric(30, 60, "degC")}, r"parameters\.temprature: .*did you mean 'temperature'"),
        ({"temperature": numeric(30, 60)}, r"parameters\.temperature: say its unit; .* takes degC"),
        ({"temperature": numeric(30, 60, "bar")}, r"parameters\.temperature: .*takes degC"),
        ({"temperature": numeric(0, 60, "degC")}, r"parameters\.temperature: 0 to 60 goes beyond .* 30 to 120 degC"),
        ({"equivalents": categorical("one", "two")}, r"parameters\.equivalents: .* not choices"),
    ],
)
def test_expand_says_which_parameter_is_wrong(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        flow_chemistry.expand({}, flow_campaign(**changed), Path())


def test_expand_says_what_is_missing_and_what_is_not_measured() -> None:
    few = {"temperature": numeric(30, 60, "degC")}
    with pytest.raises(ValueError, match=r"also needs residence_time, equivalents, concentration; add"):
        flow_chemistry.expand({}, campaign(few, {"e_factor": None}), Path())
    with pytest.raises(ValueError, match=r"objectives\.yield: .* does not measure it"):
        flow_chemistry.expand({}, campaign(flow_campaign().parameters, {"yield": None}), Path())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noize": 0.1}, "noize: .*did you mean 'noise'"),
        ({"noise": "much"}, "noise: 'much' must be a number from 0 to 0.5"),
        ({"failures": 2}, "failures: 2 must be a number from 0 to 1"),
        ({"reactor_faults": {"slow": {"factor": 2}}}, r"reactor_faults\.slow\.probability"),
    ],
)
def test_expand_says_which_option_is_wrong(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        flow_chemistry.expand(options, flow_campaign(), Path())


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(flow_chemistry.OPTIONS) | st.text(max_size=8),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | st.dictionaries(st.text(max_size=5), st.floats()),
        max_size=4,
    )
)
def test_expand_raises_nothing_but_one_line_value_errors(options: dict[str, Any]) -> None:
    try:
        message, lab = "", flow_chemistry.expand(options, flow_campaign(), Path())["lab"]["lab"]
    except ValueError as error:
        message, lab = str(error), "screening-flow-chemistry"
    assert "\n" not in message
    assert lab == "screening-flow-chemistry"
