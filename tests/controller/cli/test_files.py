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
    assert as_json.json == [{"file": str(campaign_file), "faults": lines}]


def test_validate_of_good_and_bad_files_names_each(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    said = call("validate", campaign_file, tmp_path / "absent.yaml")
    assert said.code == 2
    assert f"{campaign_file}: good" in said.out
    assert "absent.yaml" in said.out


def test_schema_describes_every_key_of_a_campaign_file(call: Call) -> None:
    schema = call("schema", "campaign").json
    assert schema["properties"].keys() == CampaignFile.model_fields.keys()
    assert "instruments" in call("schema", "lab").json["properties"]
