"""A receiver, a file that names it, and a teller that can be started and ended as often as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.notify import service
from controller.notify.service import Teller
from tests.controller.notify.receiver import Receiver, receiver
from tests.controller.store.conftest import postgres, script, state_home, store, store_url

__all__ = ["postgres", "script", "state_home", "store", "store_url"]

Write = Callable[..., Path]
Telling = Callable[..., AbstractContextManager[Teller]]


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write `notify.yaml` with some targets."""

    def write(away_after: float = 300.0, **targets: dict[str, Any]) -> Path:
        file = tmp_path / "notify.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"targets": targets, "away_after": away_after}), encoding="utf-8")
        return file

    return write


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> Telling:
    """Tell of a store as long as the block lasts; with shorter pauses than people have."""
    monkeypatch.setattr(service, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(service, "LEAVE_S", 1.0)

    @contextmanager
    def telling(url: str, file: Path, *, orderly: bool = True) -> Iterator[Teller]:
        teller = Teller([url], file, poll_s=0.02)
        thread = threading.Thread(target=teller.run)
        thread.start()
        try:
            yield teller
        finally:
            teller.leave(orderly=orderly)
            thread.join(30.0)
            assert not thread.is_alive()

    return telling
