"""The lab `table`: what the shorthand becomes, and what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.labs import table
from tests.simulators.labs.campaigns import campaign, categorical, numeric

CSV = """solvent,temp (C),yield,cost
DMAc,90,10.5,1
DMAc,90.0,11.5,1
BuOAc,90,20,2
BuOAc,120,,2
p-xylene,120,nan,3
DMAc,120,40,1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "measured.csv").write_text(CSV)
    return tmp_path


def _campaign(**changed: Any) -> Any:
    parameters = {"solvent": categorical("DMAc", "BuOAc", "p-xylene"), "temp (C)": numeric(90, 120, "degC", "integer")}
    return campaign({**parameters, **changed}, {"yield": "percent"}, seed=7, batch=3)


def test_expand_gives_the_distinct_settings_that_have_every_objective(folder: Path) -> None:
    expanded = table.expand({"data": "measured.csv"}, _campaign(), folder)
    assert expanded["pool"] == {"solvent": ["DMAc", "BuOAc", "DMAc"], "temp (C)": [90, 90, 120]}
    assert all(type(v) is int for v in expanded["pool"]["temp (C)"])


def test_expand_wires_names_of_any_spelling(folder: Path) -> None:
    lab = table.expand({"data": "measured.csv"}, _campaign(), folder)["lab"]
    (step,) = lab["protocol"]
    assert step["with"] == {"solvent": "$solvent", "temp_C_": "$temp (C)"}
    assert step["gives"] == {"yield": "yield"}
    options = lab["instruments"]["bench"]["options"]
    assert options["parameters"]["temp_C_"] == {"column": "temp (C)", "kind": "number", "unit": "degC"}
    assert options["objectives"] == {"yield": {"column": "yield", "unit": "percent"}}
    assert options["data"] == str((folder / "measured.csv").resolve())


def test_expand_takes_capacity_and_seed_from_the_campaign_unless_told(folder: Path) -> None:
    bench = table.expand({"data": "measured.csv"}, _campaign(), folder)["lab"]["instruments"]["bench"]
    assert (bench["capacity"], bench["options"]["seed"]) == (3, 7)
    told = {"data": "measured.csv", "instruments": 2, "seed": 5}
    bench = table.expand(told, _campaign(), folder)["lab"]["instruments"]["bench"]
    assert (bench["capacity"], bench["options"]["seed"]) == (2, 5)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1 s", 1), ("3 min", 180), ("2 h", 7200), ("30", 30), (12, 12), ("0.5min", 30), (0, 0)]
)
def test_expand_reads_durations(folder: Path, text: object, seconds: float) -> None:
    lab = table.expand({"data": "measured.csv", "duration": text}, _campaign(), folder)["lab"]
    assert lab["instruments"]["bench"]["options"]["duration"] == seconds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "data: name a CSV file"),
        ({"data": "measurd.csv"}, r"there is no file .*measurd.csv.*did you mean 'measured.csv'"),
        ({"data": "measured.csv", "replicate": "draw"}, "replicate: .*did you mean 'replicates'"),
        ({"data": "measured.csv", "replicates": "median"}, "replicates: 'median' must be one of draw, mean"),
        ({"data": "measured.csv", "duration": "3 fortnights"}, "duration: '3 fortnights' is no duration"),
        ({"data": "measured.csv", "duration": -1}, "duration: -1 is no duration"),
        ({"data": "measured.csv", "duration": True}, "duration: True is no duration"),
        ({"data": "measured.csv", "instruments": 0}, "instruments: 0 must be a whole number from 1 to 1000"),
        ({"data": "measured.csv", "faults": {"fial": 0.1}}, "faults.fial: no such fault; did you mean 'fail'"),
        ({"data": "measured.csv", "faults": {"fail": 2}}, "faults.fail: 2: "),
        ({"data": "measured.csv", "faults": [1]}, "faults: .* must be a mapping"),
    ],
)
def test_expand_says_which_option_is_wrong(folder: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        table.expand(options, _campaign(), folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "needs a header line and at least one row"),
        (b"solvent,temp (C),yield\n", "needs a header line and at least one row"),
        (b"solvent,yield\nDMAc,1\n", r"t.csv:1: no column 'temp \(C\)'; the columns are solvent, yield"),
        (b"solvent,temp (C),yield,yield\nDMAc,90,1,2\n", "more than one column 'yield'"),
        (b"solvent,temp (C),yield\nDMAc,hot,1\n", r"t.csv:2: temp \(C\): 'hot' is not a number"),
        (b"solvent,temp (C),yield\nDMAc,,1\n", r"t.csv:2: temp \(C\): '' must be a finite number"),
        (b"solvent,temp (C),yield\nDMAc,90,low\n", "t.csv:2: yield: 'low' is not a number"),
        (b"solvent,temp (C),yield\nDMAc,90\n", "t.csv:2: 2 cells where the header has 3"),
        (b"solvent,temp (C),yield\nDMAc,90,\n", "no row holds a value for yield"),
        (b"solvent,temp (C),yield\nDM\xe4c,90,1\n", "byte 0xe4 is not UTF-8"),
        (b'solvent,temp (C),yield\n"DMAc,90,1\n', ":2: is not CSV"),
    ],
)
def test_expand_says_what_is_wrong_with_the_table(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        table.expand({"data": "t.csv"}, _campaign(), tmp_path)
    assert "\n" not in str(caught.value)


def test_expand_reads_a_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfsolvent,temp (C),yield\r\nDMAc,90,1\r\n")
    assert table.expand({"data": "t.csv"}, _campaign(), tmp_path)["pool"]["solvent"] == ["DMAc"]


def test_wire_names_are_all_different() -> None:
    names = table.wire_names(["a b", "a_b", "a/b", "", "é", "ü", ".x"])
    assert len(set(names.values())) == len(names)
    assert all(name.isascii() and name[0] not in ".-" and name for name in names.values())


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["draw", "1 s", "measured.csv"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(table.OPTIONS) | st.text(max_size=8), anything, max_size=5))
def test_expand_raises_nothing_but_one_line_value_errors(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "random-options"
    folder.mkdir(exist_ok=True)
    (folder / "measured.csv").write_text(CSV)
    try:
        message, driver = "", table.expand(options, _campaign(), folder)["lab"]["instruments"]["bench"]["driver"]
    except ValueError as error:
        message, driver = str(error), "simulated-table"
    assert "\n" not in message
    assert driver == "simulated-table"
