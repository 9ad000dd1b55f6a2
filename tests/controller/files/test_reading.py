"""Files as such: YAML and JSON, lines, and whatever else may stand where a file is expected."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign, load_lab
from controller.files.reading import MAX_BYTES, read_document
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB, write


def test_document_knows_values_by_yaml_1_2_and_their_lines(tmp_path: Path) -> None:
    write(
        tmp_path, {"a.yaml": "a: no\nb: [1e-3, 12:30:00, 2020-01-01, 0x10, 0o17]\nc:\n  d: ~\n  e: 'true'\n  f: true\n"}
    )
    document = read_document(tmp_path / "a.yaml")
    assert document.data == {
        "a": "no",
        "b": [0.001, "12:30:00", "2020-01-01", 16, 15],
        "c": {"d": None, "e": "true", "f": True},
    }
    assert [document.line(keys) for keys in [("a",), ("b", 1), ("c", "e"), ("c", "gone"), ("gone",)]] == [1, 2, 5, 3, 1]


def test_aliases_are_written_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a: &x {b: 1}\nc: *x\n"})
    assert read_document(tmp_path / "a.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_as_yaml_is(indent: str | int | None, folder: Path) -> None:
    write(folder, {"good.yaml": GOOD_CAMPAIGN.replace("campaign: demo", "campaign: demo\ndescription: 😀 µ")})
    data = read_document(folder / "good.yaml").data
    write(folder, {"good.json": json.dumps(data, indent=indent)})
    assert read_document(folder / "good.json").data == data
    assert load_campaign(folder / "good.json") == load_campaign(folder / "good.yaml")


LAUGHS = b"k0: &k0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"k%d: &k%d [%s]\n" % (i, i, b",".join([b"*k%d" % (i - 1)] * 9)) for i in range(1, 6)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["the file is empty"]),
        (b"# only a comment\n", ["the file is empty"]),
        (b"- a\n- b\n", ["must be a mapping"]),
        (b"just text", ["must be a mapping"]),
        (b"\xff\xfe\x00a", [":1: ", "not UTF-8", "save the file as UTF-8"]),
        (b"a: 1\nb: \xe9\n", [":2: ", "0xe9", "not UTF-8"]),
        (b"\x00", ["U+0000"]),
        (b"a: " + b"[" * 3000, ["64 levels"]),
        (b"a: " + b"[" * 100 + b"]" * 100, ["64 levels"]),
        (LAUGHS, ["50000 entries"]),
        (b"a: &a [*a]\n", ["64 levels"]),
        (b"a: &q 1\nb: &q 2\n", ["not YAML"]),
        (b"other: 1\n", ["neither a campaign", "nor a lab"]),
        (b" " * (MAX_BYTES + 1), ["larger than 4 MiB"]),
    ],
    ids=str.split("empty comment list text utf16 latin1 zero deep deeper laughs cycle anchors other huge"),
)
def test_file_that_is_no_campaign_is_one_clean_fault(content: bytes, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    (fault,) = check_file(path)
    assert fault.startswith(str(path))
    assert fault.isprintable()
    assert all(word in fault for word in words), fault


def test_missing_file_folder_and_pipe_are_one_clean_fault(tmp_path: Path) -> None:
    write(tmp_path, {"campaign.yaml": GOOD_CAMPAIGN})
    (fault,) = check_file(tmp_path / "campain.yaml")
    assert fault == f"{tmp_path / 'campain.yaml'}: there is no such file; in that folder did you mean campaign.yaml?"
    (fault,) = check_file(tmp_path)
    assert fault == f"{tmp_path}: is a folder; name a file in it"
    os.mkfifo(tmp_path / "pipe.yaml")
    (fault,) = check_file(tmp_path / "pipe.yaml")
    assert "ordinary file" in fault
    (fault,) = check_file(tmp_path / "no" / "such.yaml")
    assert "labwright init" in fault
    (fault,) = check_file(Path("a\0b"))
    assert "cannot be read" in fault
    (fault,) = check_file(tmp_path / ("n" * 300))
    assert "cannot be read" in fault


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_one_clean_fault(tmp_path: Path) -> None:
    write(tmp_path, {"campaign.yaml": GOOD_CAMPAIGN})
    (tmp_path / "campaign.yaml").chmod(0)
    (fault,) = check_file(tmp_path / "campaign.yaml")
    assert "Permission denied" in fault


_KEYS = st.sampled_from([
    "campaign", "parameters", "objectives", "constraints", "budget", "lab", "batch", "candidates", "proposals", "seed", "type",
    "bounds", "values", "choices", "descriptors", "unit", "goal", "target", "experiments", "simulator", "data", "instruments",
    "protocol", "driver", "step", "with", "after", "gives", "limits", "twin", "speed", "surrogate", "kind", "failures", "x",
])  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["continuous", "categorical", "maximize", "table", "degC", "data.csv", "$x", "$x.y", "x + 1 <= 2", "external"]),
)  # fmt: skip
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=20,
)
_TEXTS = st.text(alphabet=st.sampled_from("abkx0159:-?[]{},&*!|>'\"%@#\n\t .e~<$"), max_size=80)


def _only_clean_faults(path: Path) -> None:
    for load in (load_campaign, load_lab):
        faults = ["no fault"]
        try:
            load(path)
        except FileFaultsError as error:
            faults = [
                fault for fault in error.faults if not fault.isprintable() or not fault.startswith(str(path.parent))
            ]
            faults += [] if error.faults else ["refused without a fault"]
        assert faults in ([], ["no fault"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.dictionaries(_KEYS, _TREES, max_size=6))
def test_any_tree_of_values_gives_only_clean_faults(data: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    _only_clean_faults(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=_TEXTS)
@example(text="%YAML 1.1\n---\na: yes\n")
@example(text="a: !!python/object:os.system x")
@example(text="a: !!binary x")
@example(text="a: 1_0.5e400")
@example(text="? |\n x\n: 1")
def test_any_text_gives_only_clean_faults(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    _only_clean_faults(path)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(lab=st.booleans(), start=st.integers(0, 700), length=st.integers(0, 25), other=_TEXTS)
def test_any_damage_to_a_good_file_gives_only_clean_faults(
    lab: bool, start: int, length: int, other: str, tmp_path: Path
) -> None:
    text = GOOD_LAB if lab else GOOD_CAMPAIGN
    path = tmp_path / "c.yaml"
    path.write_text(text[:start] + other + text[start + length :], encoding="utf-8")
    _only_clean_faults(path)
