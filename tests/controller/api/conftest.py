"""A store with the campaign `sample`, and HTTP served over it by a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from controller.settings import HOME_VARIABLE
from controller.store.opening import Store
from tests.controller.api.people import bearer, everybody
from tests.controller.api.process import Served, served
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script

Client = Callable[..., httpx.Client]


@pytest.fixture(scope="module", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the user's own state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home")))
        patch.delenv("LABWRIGHT_STORE", raising=False)
        yield


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the campaign `sample`: 1 completed, 1 running again after a failure, 1 unknown, 1 cancelled, 1 queued."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'sample.db'}"
    with Store.open(url) as store:
        fill(store, Script())
    return url


@pytest.fixture(scope="module")
def people(url: str) -> dict[str, str | None]:
    return everybody(url)


@pytest.fixture(scope="module")
def api(url: str, people: dict[str, str | None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("http"), url) as process:
        yield process


@pytest.fixture
def client(api: Served, people: dict[str, str | None]) -> Iterator[Client]:
    """Return a client that speaks as somebody."""
    opened: list[httpx.Client] = []

    def speak_as(who: str = "look") -> httpx.Client:
        opened.append(httpx.Client(base_url=f"{api.url}/v1", headers=bearer(people[who]), timeout=120.0))
        return opened[-1]

    yield speak_as
    for one in opened:
        one.close()
