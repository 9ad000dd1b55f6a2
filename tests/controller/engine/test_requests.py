"""Requests that no command would leave: each is answered with its fault, and those who ask next are served."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.engine.supervisor import Supervisor
from controller.engine.thinker import Thinker
from controller.store.opening import Store
from tests.instruments.support import until

ILL_FORMED = {
    "half": "{",
    "list": "[1]",
    "number": "1",
    "deep": "[" * 200_000,
    "digits": "9" * 10_000,
    "bytes": b"\xff\xfe",
    "empty": "",
    "no definition": "{}",
    "odd definition": '{"definition": [1, 2]}',
    "deep definition": '{"definition": {"problem": ' + '{"a":' * 150 + "1" + "}" * 152,
}


def _leave(file: Path, requests: dict[str, tuple[object, object, object]]) -> None:
    with sqlite3.connect(file) as database:
        database.executemany(
            "INSERT INTO request (id, verb, campaign, argument, asked_by, asked_at) VALUES (?, ?, ?, ?, 'mallory', 1.0)",
            [(key, *row) for key, row in requests.items()],
        )
    database.close()


async def _serve(store: Store, n: int) -> None:
    supervisor = Supervisor(store, device="cpu", version="test", thinker=Thinker(store.folder / "none.log"))
    serving = asyncio.create_task(supervisor.serve_requests())
    await until(lambda: serving.done() or sum(r["ok"] is not None for r in store.reader.request_rows()) >= n, timeout=30)
    assert not serving.done()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await supervisor.leave(grace_s=0.0, reason="tested")


async def test_ill_formed_requests_are_answered_with_their_faults(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        _leave(tmp_path / "books.db", {name: ("start", None, argument) for name, argument in ILL_FORMED.items()})
        await _serve(store, len(ILL_FORMED))
        answers = {row["id"]: (row["ok"], row["answer"]) for row in store.reader.request_rows()}
        assert not any(ok for ok, _ in answers.values())
        assert all(0 < len(text) < 3000 for _, text in answers.values())
        assert "no JSON object" in answers["half"][1]
        assert "KeyError: 'definition'" in answers["no definition"][1]
    caplog.clear()


_values = st.one_of(st.none(), st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=20))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(max_size=10) | st.just("start") | st.binary(max_size=3),
            _values,
            st.text(max_size=30) | st.binary(max_size=9),
        ),
        max_size=5,
    )
)
def test_no_row_of_requests_ends_the_service(tmp_path: Path, rows: list[tuple[object, object, object]]) -> None:
    async def serve() -> None:
        with Store.open(f"sqlite:///{tmp_path / 'any.db'}") as store:
            _leave(tmp_path / "any.db", {f"{len(store.reader.request_rows())}-{i}": row for i, row in enumerate(rows)})
            _leave(tmp_path / "any.db", {f"{len(store.reader.request_rows())}-last": ("start", None, "{}")})
            supervisor = Supervisor(store, device="cpu", version="test", thinker=Thinker(store.folder / "none.log"))
            serving = asyncio.create_task(supervisor.serve_requests())
            await until(
                lambda: serving.done() or all(r["ok"] is not None for r in store.reader.request_rows() if "last" in r["id"]),
                timeout=30,
            )
            assert not serving.done()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await supervisor.leave(grace_s=0.0, reason="tested")

    asyncio.run(serve())
