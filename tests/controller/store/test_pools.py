"""Large lists of candidates: kept once, found again, and told of when they are damaged or missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.domain.campaign import Definition
from controller.domain.event import CampaignCreated
from controller.domain.pool import Column, Pool
from controller.errors import PoolError, StoreError
from controller.store import pools
from controller.store.audit import audit
from controller.store.backup import back_up
from controller.store.opening import Store
from controller.store.pools import Shelf, open_file
from tests.controller.store.conftest import tamper
from tests.controller.store.samples import make_definition

ROWS = 7000


def _pool() -> Pool:
    rng = np.random.default_rng(0)
    return Pool(
        {
            "x": Column("number", rng.random(ROWS)),
            "n": Column("whole", rng.integers(0, 5, ROWS)),
            "c": Column("text", rng.integers(0, 2, ROWS), ("ä", "b")),
        }
    )


def _definition() -> Definition:
    given = make_definition()
    parameters: dict[str, Any] = {
        "x": {"type": "continuous", "bounds": (0, 1)},
        "n": {"type": "integer", "bounds": (0, 4)},
        "c": {"type": "categorical", "choices": ("ä", "b")},
    }
    content = given.model_dump(mode="json")
    content["problem"] |= {"parameters": parameters, "constraints": (), "descriptors": {}, "pool": _pool()}
    return Definition.model_validate(content)


def _create(store: Store, definition: Definition) -> None:
    created = CampaignCreated(
        campaign="c1", at=1.0, name=definition.name, definition_fingerprint=definition.fingerprint, seed=definition.seed,
        simulated=definition.simulated,
    )  # fmt: skip
    store.commit_now([created], definition=definition)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "PART", 10_000)


def test_a_definition_refers_to_a_large_pool_and_the_store_keeps_it(store_url: str) -> None:
    definition = _definition()
    pool = definition.problem.pool
    assert pool is not None
    assert len(definition.model_dump_json()) < 5000
    with Store.open(store_url) as store:
        _create(store, definition)
        assert [row["rows"] for row in store.reader.pool_rows()] == [ROWS]
    with Store.open(store_url) as store:
        again = store.definition("c1")
        found = again.problem.pool
        assert found is not None
        assert found.sha256 == pool.sha256
        assert again.fingerprint == definition.fingerprint
        assert all(found.columns[name] == pool.columns[name] for name in pool.names)
        assert found.row(17) == pool.row(17)
        assert isinstance(found.columns["x"].data.base, np.ndarray)
        store.shelf.path(pool.sha256).write_bytes(b"something else")
        assert store.definition("c1").problem.pool.row(3) == pool.row(3)  # type: ignore[union-attr]
        assert audit(store, "c1").differences == []


def test_a_campaign_goes_on_where_the_files_are_gone(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "s.db")) as store:
        _create(store, _definition())
    with Store.open(str(tmp_path / "s.db")) as store:
        taken_up = store.shelved(store.definition("c1"))
        assert taken_up.problem.pool is not None
        assert taken_up.problem.pool.row(2) == _pool().row(2)
        assert taken_up.fingerprint == _definition().fingerprint
        assert [file.name for file in (store.folder / "pools").iterdir()] == [f"{_pool().sha256}.pool"]


def test_what_is_kept_is_kept_once(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "s.db")) as store:
        store.keep_now(_definition())
        before = store.n_commits
        store.keep_now(_definition())
        assert store.n_commits == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE pool_part SET body = (SELECT p.body FROM pool_part p WHERE p.position = 0) WHERE position = 1", "the hash"),
        ("DELETE FROM pool_part WHERE position = 1", "part 2 is missing"),
        ("DELETE FROM pool", "is missing in store"),
    ],
)
def test_damage_is_told_and_not_copied(statement: str, words: str, store_url: str, tmp_path: Path) -> None:
    with Store.open(store_url) as store:
        _create(store, _definition())
    copy = back_up(store_url, tmp_path / "good")
    assert list(copy.heads) == ["sample"]
    tamper(store_url, statement)
    with Store.open(store_url) as store:
        assert any(words in line for line in audit(store, "c1").differences)
        store.shelf.path(_pool().sha256).unlink(missing_ok=True)
        pool = store.definition("c1").problem.pool
        assert pool is not None
        with pytest.raises(PoolError, match=words):
            _ = pool.columns
    if words != "is missing in store":
        with pytest.raises(StoreError, match="no copy was kept"):
            back_up(store_url, tmp_path / "bad")


def test_a_shelf_refuses_what_is_not_the_pool(tmp_path: Path) -> None:
    pool = _pool()
    shelf = Shelf(tmp_path)
    lies = shelf.put(pool)
    assert lies.row(5) == pool.row(5)
    content = bytearray(shelf.path(pool.sha256).read_bytes())
    content[5000] ^= 1
    shelf.path(pool.sha256).write_bytes(content)
    with pytest.raises(PoolError, match="is damaged in"):
        open_file(shelf.path(pool.sha256), pool.sha256)
    shelf.path(pool.sha256).unlink()
    with pytest.raises(PoolError, match="cannot be read"):
        Shelf(tmp_path)(pool.sha256)
    with pytest.raises(PoolError, match="is no hash"):
        Shelf(tmp_path)("../../etc/passwd")
    with pytest.raises(PoolError, match="other rows or columns"):
        _ = Pool.referred(pool.sha256, ROWS + 1, pool.names, lambda _: dict(pool.columns)).columns
