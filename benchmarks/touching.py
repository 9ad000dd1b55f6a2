"""The driver that benchmarks of the wire use: one action that takes no time, so that only Labwright's own work is measured."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity


class Touching(Driver):
    """A device that answers at once."""

    simulated = True
    twin = None

    @action(duration=(0.0, 60.0), consequence="consumes", returns={"value": Quantity()})
    async def touch(self, ctx: ActionContext, level: float = 0.0) -> dict[str, float]:
        """Return the level."""
        return {"value": level}


@contextlib.contextmanager
def touching_process(folder: Path, instrument: str, controller: str, *more: str) -> Iterator[None]:
    """Serve a `Touching` in a process of its own, its journal and its log in a folder, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[1]
    command = [
        sys.executable, "-m", "instruments", "serve", "--driver", "benchmarks.touching:Touching", "--instrument", instrument,
        "--controller", controller, "--journal", str(folder / "journal.db"), *more,
    ]  # fmt: skip
    with (folder / "driver.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        yield
    finally:
        process.kill()
        process.wait()
