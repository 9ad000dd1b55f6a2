"""The device's own log: each attempt begun once, torn ends forgotten, damage reported."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.devices.memory import Begun, DeviceMemory, Scalar, scalar_key, setting_key
from simulators.errors import DeviceLogError


def _begin(memory: DeviceMemory, attempt: str, setting: Mapping[str, Scalar]) -> tuple[int, int]:
    seen: list[tuple[int, int]] = []

    def decide(times: int, before: int) -> Begun:
        seen.append((times, before))
        return Begun(attempt, "measure", setting, at=10.0, ends_at=12.0, values={"y": 1.5, "z": None})

    memory.begin(attempt, "measure", setting, decide)
    return seen[0]


def test_begin_counts_repeats_of_the_setting_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "lab" / "device.jsonl"
    memory = DeviceMemory(path)
    assert _begin(memory, "a", {"x": 1.0}) == (0, 0)
    assert _begin(memory, "b", {"x": 2.0}) == (0, 1)
    assert _begin(memory, "c", {"x": 1}) == (1, 2)
    assert _begin(DeviceMemory(path), "d", {"x": 1.0 + 1e-12}) == (2, 3)


def test_begin_refuses_an_attempt_that_was_begun_before(tmp_path: Path) -> None:
    path = tmp_path / "device.jsonl"
    _begin(DeviceMemory(path), "a", {"x": 1.0})
    with pytest.raises(DeviceLogError, match="begun before"):
        _begin(DeviceMemory(path), "a", {"x": 1.0})
    assert path.read_text().count('"began"') == 1


def test_memory_knows_everything_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "device.jsonl"
    memory = DeviceMemory(path)
    for attempt in ("a", "b", "c"):
        _begin(memory, attempt, {"x": 1.0, "solvent": "DMAc"})
    memory.end("a", 12.0)
    memory.abort("b", 11.0)
    memory.abort("a", 13.0)
    again = DeviceMemory(path)
    assert again.begun("a") == memory.begun("a")
    assert [again.aborted(attempt) for attempt in ("a", "b", "c", "never")] == [False, True, False, False]
    assert again.begun("never") is None
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["began"] * 3 + ["ended", "aborted"]


@given(st.data())
def test_memory_forgets_a_torn_last_line_wherever_it_was_torn(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "device.jsonl"
    memory = DeviceMemory(path)
    _begin(memory, "a", {"x": 1.0})
    whole = path.stat().st_size
    _begin(memory, "b", {"x": 2.0})
    kept = data.draw(st.integers(0, path.stat().st_size - whole - 1))
    with path.open("r+b") as stream:
        stream.truncate(whole + kept)
    again = DeviceMemory(path)
    assert again.begun("a") is not None
    assert again.begun("b") is None
    _begin(again, "b", {"x": 2.0})
    assert DeviceMemory(path).begun("b") is not None


@pytest.mark.parametrize(
    "line", ["{}", "garbage", '{"event": "exploded", "attempt": "a"}', '{"event": "began", "attempt": "a"}', "[]"]
)
def test_memory_names_file_and_line_of_damage(tmp_path: Path, line: str) -> None:
    path = tmp_path / "device.jsonl"
    _begin(DeviceMemory(path), "first", {"x": 1.0})
    with path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DeviceLogError, match=r"device\.jsonl:2: not a line of a device log"):
        DeviceMemory(path)


def test_setting_key_tells_numbers_from_text_and_ignores_order() -> None:
    assert setting_key({"a": 1, "b": "x"}) == setting_key({"b": "x", "a": 1.0})
    assert scalar_key(-0.0) == scalar_key(0)
    assert len({scalar_key(1.0), scalar_key("1.0"), scalar_key("1"), scalar_key(1.0 + 1e-6)}) == 4


def test_memory_keeps_its_log_whole_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "device.jsonl"
    memory = DeviceMemory(path)
    _begin(memory, "a", {"x": 1.0})

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(DeviceLogError, match="No space left on device"):
        _begin(memory, "b", {"x": 2.0})
    monkeypatch.undo()
    assert memory.begun("b") is None
    _begin(memory, "b", {"x": 2.0})
    assert [json.loads(line)["attempt"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_memory_without_a_file_forgets_with_its_process() -> None:
    memory = DeviceMemory(None)
    _begin(memory, "a", {"x": 1.0})
    memory.end("a", 12.0)
    assert memory.begun("a") is not None
    assert DeviceMemory(None).begun("a") is None


def test_abort_counts_as_the_end_when_the_action_had_run_its_course(tmp_path: Path) -> None:
    path = tmp_path / "device.jsonl"
    memory = DeviceMemory(path)
    _begin(memory, "a", {"x": 1.0})
    memory.abort("a", 12.5)
    assert not memory.aborted("a")
    assert json.loads(path.read_text().splitlines()[-1]) == {
        "event": "ended",
        "attempt": "a",
        "at": 12.0,
        "values": {"y": 1.5, "z": None},
    }


@pytest.mark.parametrize("kept", [True, False])
def test_what_ended_is_known_but_hardly_held(tmp_path: Path, kept: bool) -> None:
    memory = DeviceMemory(tmp_path / "device.jsonl" if kept else None)
    for i in range(50):
        assert _begin(memory, f"attempt-{i}", {"x": i % 5}) == (i // 5, i)
        memory.end(f"attempt-{i}", 12.0)
    assert not memory._open
    assert len(memory._unwritten) == (0 if kept else 50)
    found = memory.begun("attempt-7")
    assert found is not None
    assert (found.attempt, found.arguments) == ("attempt-7", {"x": 2})
    with pytest.raises(DeviceLogError, match="begun before"):
        _begin(memory, "attempt-7", {"x": 2})
    assert memory.begun("attempt-50") is None


def test_attempts_whose_hashes_meet_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.devices.memory.hash", lambda key: 1, raising=False)
    memory = DeviceMemory(tmp_path / "device.jsonl")
    for attempt in ("a", "b"):
        _begin(memory, attempt, {"x": 1.0})
        memory.end(attempt, 12.0)
    assert memory.begun("b") is not None
    assert memory.begun("b").attempt == "b"  # type: ignore[union-attr]
    assert memory.begun("c") is None


def test_log_that_has_gone_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "device.jsonl"
    memory = DeviceMemory(path)
    _begin(memory, "a", {"x": 1.0})
    memory.end("a", 12.0)
    path.unlink()
    with pytest.raises(DeviceLogError, match="cannot be read again"):
        memory.begun("a")


def test_attempt_is_known_while_another_thread_begins_the_next(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "device.jsonl")
    _begin(memory, "a", {"x": 1.0})
    memory.end("a", 12.0)
    other = next(name for name in (f"b{n}" for n in range(1000)) if hash(name) < hash("a"))
    numbers, entering, entered = memory._lines._numbers, threading.Event(), threading.Event()

    class Slow:
        """The place where one half of an entry is made and the other is not."""

        def insert(self, at: int, number: int) -> None:
            entering.set()
            entered.wait(10.0)
            numbers.insert(at, number)

        def __getitem__(self, key: slice) -> object:
            return numbers[key]

    memory._lines._numbers = Slow()  # type: ignore[assignment]
    found: list[Begun | None] = []
    threads = [
        threading.Thread(target=_begin, args=(memory, other, {"x": 2.0})),
        threading.Thread(target=lambda: found.append(memory.begun("a"))),
    ]
    threads[0].start()
    assert entering.wait(10.0)
    threads[1].start()
    threads[1].join(0.2)
    entered.set()
    for thread in threads:
        thread.join(10.0)
    assert [begun and begun.attempt for begun in found] == ["a"]
