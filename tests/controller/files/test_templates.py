"""What `labwright init` writes is right, and never written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from controller.files.templates import write_templates


def test_templates_are_right_as_they_are(tmp_path: Path) -> None:
    written = write_templates(tmp_path / "new" / "bench")
    assert sorted(p.name for p in (tmp_path / "new" / "bench").iterdir()) == ["README.md", "campaign.yaml", "lab.yaml"]
    assert [check_file(path) for path in written if path.suffix == ".yaml"] == [[], []]
    definition = load_campaign(tmp_path / "new" / "bench" / "campaign.yaml")
    assert definition.simulated
    assert definition.lab.speed > 1
    assert len(definition.problem.objectives) == 2


def test_templates_are_not_written_over_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(FileFaultsError, match=r"lab.yaml: is there already"):
        write_templates(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["lab.yaml"]
    assert (tmp_path / "lab.yaml").read_text(encoding="utf-8") == "mine"
    write_templates(tmp_path, force=True)
    assert check_file(tmp_path / "lab.yaml") == []


def test_templates_in_a_place_that_is_no_folder_are_one_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileFaultsError, match="cannot be written"):
        write_templates(tmp_path / "file" / "inner")
