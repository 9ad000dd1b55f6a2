"""One controller per campaign, one daemon per store; a lock ends with its process."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from controller.errors import CampaignLockedError
from controller.store.opening import Store
from tests.controller.store.starting import read_line, started


def test_lock_is_refused_to_a_second_process_and_free_after_kill(store: Store) -> None:
    with started("hold_lock", store.url) as other:
        assert read_line(other) == "held"
        with pytest.raises(CampaignLockedError, match=f"process {other.pid} on {socket.gethostname()[:30]} since 20"):
            store.lock_campaign("sample").acquire()
        with store.lock_campaign("another campaign"), store.lock_daemon():
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
    deadline = time.monotonic() + 10
    while True:
        try:
            with store.lock_campaign("sample"):
                return
        except CampaignLockedError:  # the server may take a moment to see that the connection ended
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_lock_is_refused_to_another_part_of_the_same_process(store: Store) -> None:
    with Store.open(store.url) as other:
        lock = store.lock_daemon()
        lock.acquire()
        with pytest.raises(CampaignLockedError, match=f"process {os.getpid()} "):
            other.lock_daemon().acquire()
        with pytest.raises(CampaignLockedError):
            lock.acquire()
        lock.release()
        lock.release()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                other.lock_daemon().acquire()
                break
            except CampaignLockedError:
                time.sleep(0.05)
        else:
            pytest.fail("the lock was not given back")


def test_closing_a_store_gives_its_locks_back(store_url: str) -> None:
    with Store.open(store_url) as first:
        first.lock_campaign("sample").acquire()
    with Store.open(store_url) as second:
        deadline = time.monotonic() + 10
        while True:
            try:
                second.lock_campaign("sample").acquire()
                return
            except CampaignLockedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
