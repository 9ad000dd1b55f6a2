"""`labwright init`, `validate` and `schema`."""

from __future__ import annotations

from pathlib import Path

from controller.domain.campaign import CampaignFile
from tests.controller.cli.conftest import Call


def test_init_writes_a_campaign_that_validates(call: Call, tmp_path: Path) -> None:
    said = call("init", tmp_path / "new")
    assert said.code == 0
    written = [Path(line) for line in said.out.splitlines() if line.startswith(str(tmp_path))]
    assert len(written) >= 2
    files = [p for p in written if p.suffix == ".yaml"]
    assert call("validate", *files).code == 0


def test_init_does_not_overwrite_unless_forced(call: Call, tmp_path: Path) -> None:
    call("init", tmp_path)
    (tmp_path / "campaign.yaml").write_text("mine")
    said = call("init", tmp_path)
    assert said.code != 0
    assert said.err.startswith("labwright: ")
    assert (tmp_path / "campaign.yaml").read_text() == "mine"
    assert call("init", tmp_path, "--force").code == 0
    assert (tmp_path / "campaign.yaml").read_text() != "mine"


def test_validate_gives_a_line_per_fault_and_exit_code_2(call: Call, campaign_file: Path) -> None:
    text = campaign_file.read_text().replace("maximize", "maximise").replace("[40, 120]", "[120, 40]")
    campaign_file.write_text(text)
    said = call("validate", campaign_file)
    assert said.code == 2
    lines = said.out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{campaign_file}:") for line in lines)
    as_json = call("validate", campaign_file, "--json")
    assert as_json.code == 2
    assert as_json.json == [{"file": str(campaign_file), "faults": lines, "remarks": []}]


def test_validate_of_good_and_bad_files_names_each(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    said = call("validate", campaign_file, tmp_path / "absent.yaml")
    assert said.code == 2
    assert f"{campaign_file}: good" in said.out
    assert "absent.yaml" in said.out


def test_schema_describes_every_key_of_a_campaign_file(call: Call) -> None:
    schema = call("schema", "campaign").json
    assert schema["properties"].keys() == CampaignFile.model_fields.keys()
    assert "instruments" in call("schema", "lab").json["properties"]


def test_init_lists_examples_and_copies_one_that_is_right_where_it_lies(call: Call, tmp_path: Path) -> None:
    listed = {row["example"]: row["about"] for row in call("init", "--list", "--json").json}
    assert {"flow_chemistry", "electrolyte", "colour_mixing", "reaction_pool", "perovskite_film", "alloy"} <= set(listed)
    assert all(listed.values())
    assert "notebooks" not in listed
    assert "electrolyte" in call("init", "--list").out
    said = call("init", "--example", "electrolyte", tmp_path / "mine")
    assert said.code == 0
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    assert {"README.md", "campaign.yaml", "lab.yaml", "cell.py", "picture.png"} == names
    assert str(tmp_path / "mine" / "README.md") in said.out
    assert call("validate", tmp_path / "mine" / "campaign.yaml").code == 0


def test_init_copies_no_example_over_files_and_none_that_is_not_there(call: Call, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("mine")
    said = call("init", "--example", "alloy", tmp_path)
    assert said.code == 2
    assert "lab.yaml: is there already" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["lab.yaml"]
    assert "did you mean 'alloy'?" in call("init", "--example", "aloy", tmp_path / "new").err
    assert "there are alloy, by_hand" in call("init", "--example", "zzzz", tmp_path / "new").err
    assert not (tmp_path / "new").exists()
    assert call("init").code == 2
