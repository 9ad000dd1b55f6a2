"""A store that holds a campaign with every kind of event, for what looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.settings import HOME_VARIABLE
from controller.store.opening import Store
from controller.verbs.stores import Found, find
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own state folder, nor takes a store from the environment."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv("LABWRIGHT_STORE", raising=False)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(tmp_path: Path, script: Script) -> str:
    """A store with the campaign `sample`: 1 completed, 1 running again after a failure, 1 unknown, 1 cancelled, 1 queued."""
    url = f"sqlite:///{tmp_path / 'sample.db'}"
    with Store.open(url) as store:
        fill(store, script)
    return url


@pytest.fixture
def found(url: str) -> Iterator[Found]:
    with find([url], "sample") as found:
        yield found
