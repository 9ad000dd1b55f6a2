"""A store with two campaigns that hold an experiment of every role, one with one objective and one with two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.settings import HOME_VARIABLE
from controller.store.opening import Store
from controller.verbs.stores import Found
from tests.controller.figures.stores import TWO, opened, tell_everything


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own state folder."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures") / "figures.db"
    with Store.open(f"sqlite:///{path}") as store:
        tell_everything(store)
        tell_everything(store, "two", TWO)
    return path


@pytest.fixture
def one(store_path: Path) -> Iterator[Found]:
    with opened(store_path, "everything") as found:
        yield found


@pytest.fixture
def two(store_path: Path) -> Iterator[Found]:
    with opened(store_path, "two") as found:
        yield found
