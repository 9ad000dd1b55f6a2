"""A bench per test, and no process left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support import Bench, write_campaign


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Make benches; their drivers are ended when the test is over."""
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        folder = tmp_path / f"bench{len(made)}"
        folder.mkdir()
        made.append(Bench(folder, write_campaign(folder, **options)))
        return made[-1]

    yield make
    for bench in made:
        bench.kill_everything()
