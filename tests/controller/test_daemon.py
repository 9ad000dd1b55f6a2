"""The composition root's own checks; what it composes is tested in `tests/integration`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from controller.daemon import RunOptions, daemon_state, run_campaign
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from tests.integration.support import write_campaign


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_gpu_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    definition = load_campaign(write_campaign(tmp_path))
    store = tmp_path / "store.db"
    with pytest.raises(ConflictError, match="torch sees no GPU"):
        run_campaign(definition, RunOptions(store_url=f"sqlite:///{store}", device="cuda"))
    assert not store.exists()


def test_daemon_that_left_its_number_behind_is_not_taken_for_running(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    folder = tmp_path / "store.files"
    folder.mkdir()
    (folder / "daemon.pid").write_text("999999999", encoding="utf-8")
    assert daemon_state(url) == {"running": False, "pid": None, "folder": str(folder)}
