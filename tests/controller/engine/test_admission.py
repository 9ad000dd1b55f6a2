"""Who is let into a lab: whose key, for which instrument, until when."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.access import AccessKey, KeyKind, Role
from controller.domain.lab import LabSpec
from controller.engine.admission import CONTROLLER_KEY, Keyring, LabAdmission
from controller.errors import StoreError
from instruments.errors import KeyFileError
from instruments.transport.keys import new_pair, write_pair

PUBLIC = [new_pair().public for _ in range(4)]
DRIVER = AccessKey("1", KeyKind.DRIVER, "pump", PUBLIC[0], ("pump", "other/valve"), None, 0.0, "somebody")


def lab(**pump: Any) -> LabSpec:
    content = {
        "lab": "bench",
        "instruments": {
            "pump": {"driver": "external", **pump}, "valve": {"driver": "external"}, "oven": {"driver": "simulated-reactor"}
        },
        "protocol": [{"step": "s", "instrument": "pump", "action": "go"}],
    }  # fmt: skip
    return LabSpec.model_validate(content)


def admission(*keys: AccessKey, folder: Path = Path("nowhere"), **pump: Any) -> LabAdmission:
    keyring = Keyring(lambda: keys, folder)
    keyring.refresh()
    return LabAdmission(lab(**pump), keyring)


def test_driver_may_serve_what_its_key_names_in_that_lab_only() -> None:
    at = admission(DRIVER)
    assert at.objection(PUBLIC[0]) is None
    assert at.objection(PUBLIC[0], "pump") is None
    assert at.objection(PUBLIC[0], "valve") == "key 'pump' may serve pump, other/valve, not bench/valve"
    assert admission(replace(DRIVER, instruments=("bench/valve",))).objection(PUBLIC[0], "valve") is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (replace(DRIVER, public_key=PUBLIC[1]), "not on the list"),
        (replace(DRIVER, revoked_at=1.0), "was revoked"),
        (replace(DRIVER, kind=KeyKind.PERSON, role=Role.ADMINISTER), "that of a person"),
        (replace(DRIVER, kind=KeyKind.CONTROLLER), "that of a controller"),
    ],
)
def test_keys_of_others_and_of_yesterday_are_refused_at_the_door(key: AccessKey, said: str) -> None:
    assert said in str(admission(key).objection(PUBLIC[0]))
    assert said in str(admission(key).objection(PUBLIC[0], "pump"))


def test_key_ceases_at_its_moment() -> None:
    at = admission(replace(DRIVER, revoked_at=time.time() + 0.2))
    assert at.objection(PUBLIC[0], "pump") is None
    time.sleep(0.25)
    assert at.objection(PUBLIC[0], "pump") == "key 'pump' was revoked"


def test_instrument_whose_driver_the_controller_starts_takes_no_other() -> None:
    at = admission(replace(DRIVER, instruments=("oven",)))
    assert "starts the driver of oven itself" in str(at.objection(PUBLIC[0], "oven"))


def test_own_driver_keeps_its_key_over_a_restart_of_the_controller(tmp_path: Path) -> None:
    path = tmp_path / "oven" / "driver.key"
    first, second = admission(), admission()
    first.own_key("oven", path)
    second.own_key("oven", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (public,) = second._own
    for at in (first, second):
        assert at.objection(public, "oven") is None
        assert at.objection(public, "pump") == "this is the key of oven, it may not serve pump"


def test_lab_file_that_names_a_key_takes_it_and_what_took_its_place_only() -> None:
    other = replace(DRIVER, id="2", name="spare", public_key=PUBLIC[1])
    successor = replace(DRIVER, id="3", public_key=PUBLIC[2])
    at = admission(DRIVER, other, successor, key=PUBLIC[0])
    assert at.objection(PUBLIC[0], "pump") is None
    assert at.objection(PUBLIC[2], "pump") is None
    assert "names another key for pump" in str(at.objection(PUBLIC[1], "pump"))


def test_instrument_that_the_lab_has_not_is_left_to_the_hub() -> None:
    assert admission(replace(DRIVER, instruments=("ghost",))).objection(PUBLIC[0], "ghost") is None


async def test_list_is_read_again_and_outlasts_a_store_that_is_away_or_holds_nonsense(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    monkeypatch.setattr("controller.engine.admission.KEYS_S", 0.01)
    answers: list[Any] = [[DRIVER], StoreError("away"), StoreError("away"), ValueError("'robot' is not a valid KeyKind"), []]
    seen: list[bool] = []

    def read() -> list[AccessKey]:
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            seen.append(at.objection(PUBLIC[0]) is None)
            raise answer
        return list(answer)

    keyring = Keyring(read, Path("nowhere"))
    at = LabAdmission(lab(), keyring)
    watch = asyncio.create_task(keyring.watch())
    async with asyncio.timeout(5.0):
        while answers:
            await asyncio.sleep(0.01)
        while at.objection(PUBLIC[0]) is None:
            await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert seen == [True, True, True]  # what was last read held while the store was away
    assert "'robot' is not a valid KeyKind" in caplog.text
    caplog.clear()


def test_controller_without_a_key_speaks_in_the_clear_and_with_a_bad_one_not_at_all(tmp_path: Path) -> None:
    keyring = Keyring(list, tmp_path)
    assert keyring.pair() is None
    pair = new_pair()
    write_pair(tmp_path / CONTROLLER_KEY, pair)
    assert keyring.pair() == pair
    (tmp_path / CONTROLLER_KEY).chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        keyring.pair()
