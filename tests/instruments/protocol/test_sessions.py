"""Both sessions against random histories of loss, doubling, reordering, deaths and full disks."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments.protocol.messages import Command
from instruments.protocol.values import READING, Faulted, Succeeded
from tests.instruments.protocol.world import World

pytestmark = pytest.mark.timeout(120)

DIRECTIONS = st.sampled_from(["to_driver", "to_controller"])
STEPS = st.one_of(
    st.tuples(st.just("deliver"), DIRECTIONS, st.integers(0, 3)),
    st.tuples(st.just("deliver"), DIRECTIONS, st.just(0)),
    st.tuples(st.just("deliver"), DIRECTIONS, st.just(0)),
    st.tuples(st.just("double"), DIRECTIONS, st.integers(0, 3)),
    st.tuples(st.just("lose"), DIRECTIONS, st.integers(0, 3)),
    st.tuples(st.just("commit")),
    st.tuples(st.just("finish")),
    st.tuples(st.just("flow"), st.integers(1, 30)),
    st.tuples(st.just("advance"), st.sampled_from([0.1, 0.6, 1.1, 6.0])),
    st.tuples(st.just("kill_driver")),
    st.tuples(st.just("crash"), st.integers(0, 5)),
    st.tuples(st.just("start_driver")),
    st.tuples(st.just("kill_controller")),
    st.tuples(st.just("start_controller")),
    st.tuples(st.just("ask"), st.sampled_from(["stop", "finish", "resume", "cancel"])),
    st.tuples(st.just("disk_full"), st.integers(1, 2)),
)


def play(world: World, step: tuple[object, ...]) -> None:
    match step:
        case ("deliver", str(direction), int(index)):
            world.deliver(direction, index)
        case ("double", str(direction), int(index)):
            world.deliver(direction, index, keep=True)
        case ("lose", str(direction), int(index)):
            world.lose(direction, index)
        case ("commit",):
            world.commit()
        case ("finish",):
            world.finish_one()
        case ("flow", int(count)):
            for _ in range(count):
                world.deliver("to_driver", 0)
                world.deliver("to_controller", 0)
        case ("advance", float(seconds)):
            world.advance(seconds)
        case ("kill_driver",):
            world.kill_driver()
        case ("crash", int(outputs)):
            world.outputs_until_crash = outputs
        case ("start_driver",):
            world.start_driver()
        case ("kill_controller",):
            world.kill_controller()
        case ("start_controller",):
            world.start_controller()
        case ("ask", str(what)):
            world.ask(what)
        case ("disk_full", int(writes)):
            world.writes_that_fail = writes
        case _:
            raise AssertionError(step)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(capacity=st.sampled_from([1, 2]), remembers=st.booleans(), steps=st.lists(STEPS, min_size=20, max_size=90))
def test_nothing_is_done_twice_and_no_result_is_lost(
    capacity: int, remembers: bool, steps: list[tuple[object, ...]]
) -> None:
    world = World(capacity, remembers=remembers)
    world.start_driver()
    world.start_controller()
    world.advance(0.1)
    for step in steps:
        play(world, step)
        assert max(world.device.values(), default=0) <= 1, "carried out twice"
        assert len(world.going) <= capacity
    world.settle()
    assert max(world.device.values(), default=0) <= 1, "carried out twice"
    assert world.settled, "a result never arrived, or the outbox never emptied"
    assert world.contradictions == []
    for attempt, result in world.store.items():
        if isinstance(result, Succeeded):
            assert world.device[attempt] == 1
        if result == "rejected":
            assert world.device[attempt] == 0


def linked_world() -> World:
    world = World()
    world.start_driver()
    world.start_controller()
    world.advance(0.1)
    play(world, ("flow", 10))
    return world


@pytest.mark.parametrize("outputs", range(12))
def test_crash_between_any_two_steps_of_one_attempt_is_survived(outputs: int) -> None:
    world = linked_world()
    world.outputs_until_crash = outputs
    world.commit()
    play(world, ("flow", 5))
    world.finish_one()
    play(world, ("flow", 5))
    world.settle()
    assert world.settled
    assert world.device.total() <= 1
    (result,) = world.store.values()
    if isinstance(result, Faulted):
        assert result.code == "interrupted"


def test_late_resume_does_not_lift_a_newer_stop() -> None:
    world = linked_world()
    world.ask("stop")
    play(world, ("flow", 5))
    world.advance(1.1)  # a heartbeat tells the controller which stop is in force
    play(world, ("flow", 5))
    world.ask("resume")
    late = world.to_driver.pop()
    world.ask("stop")
    play(world, ("flow", 5))
    world.to_driver.append(late)
    play(world, ("flow", 5))
    assert world.driver is not None
    assert world.driver.state == "stopped"


def test_stop_reaches_the_next_process_of_the_driver() -> None:
    world = linked_world()
    world.ask("stop")
    world.kill_driver()
    world.to_driver.clear()
    world.start_driver()
    world.advance(0.1)
    play(world, ("flow", 10))
    assert world.driver is not None
    assert world.driver.state == "stopped"


def test_accepted_attempt_does_not_start_before_a_controller_says_welcome() -> None:
    world = linked_world()
    for _ in range(2):
        world.commit()
    play(world, ("flow", 5))
    assert len(world.going) == 1
    world.kill_driver()
    world.kill_controller()
    world.start_driver()
    world.advance(1.0)
    assert world.device.total() == 1
    world.settle()
    assert world.device.total() == 2
    assert world.settled


def test_lost_controller_is_noticed_and_queued_attempts_wait() -> None:
    world = linked_world()
    for _ in range(2):
        world.commit()
    play(world, ("flow", 5))
    world.kill_controller()
    world.advance(6.0)
    world.finish_one()
    assert world.driver is not None
    assert (world.driver.lost, world.driver.state) == (True, "holding")
    assert world.device.total() == 1  # finish and hold: the second does not start
    world.settle()
    assert world.device.total() == 2


@pytest.mark.parametrize("writes", range(5))
def test_full_disk_at_any_write_loses_nothing(writes: int) -> None:
    world = linked_world()
    world.writes_that_fail, world.writes_before_failure = 1, writes
    world.commit()
    for _ in range(8):
        play(world, ("flow", 5))
        world.finish_one()
        world.advance(0.3)
    world.settle()
    assert world.settled
    (result,) = world.store.values()
    assert result == "rejected" if writes == 0 else isinstance(result, Succeeded)
    assert world.device.total() == (0 if writes == 0 else 1)


@pytest.mark.parametrize("restarted", [False, True])
def test_command_that_comes_after_its_acknowledgement_is_not_carried_out(restarted: bool) -> None:
    world = linked_world()
    world.commit()
    late = next(frame for frame in world.to_driver if b"command" in frame[1])
    play(world, ("flow", 5))
    world.finish_one()
    play(world, ("flow", 5))
    (record,) = world.journal.values()
    assert record.acknowledged_at is not None
    if restarted:
        world.kill_driver()
        world.start_driver()
        world.advance(0.1)
        play(world, ("flow", 10))
    world.to_driver.append((world.boot_id, late[1]))
    play(world, ("flow", 5))
    assert world.device.total() == 1


def test_command_whose_rejection_is_lost_around_a_stop_is_answered_all_the_same() -> None:
    world = linked_world()
    world.ask("stop")
    while world.driver is not None and world.driver.state != "stopped":
        play(world, ("flow", 1))
    world.commit()
    world.deliver("to_driver", 0)
    world.to_controller.clear()  # the rejection among them
    world.ask("stop")
    for _ in range(8):
        play(world, ("flow", 5))
        world.advance(0.6)
    assert list(world.store.values()) == ["rejected"]


@pytest.mark.parametrize("block", range(4))
def test_long_histories_with_many_attempts_settle(block: int) -> None:
    """Longer and denser than the search above explores: 400 histories of up to 200 steps."""
    kinds = [8, 3, 2, 4, 6, 6, 5, 0.5, 0.7, 3, 0.3, 3, 1, 0.5]
    for seed in range(100 * block, 100 * (block + 1)):
        chance = random.Random(seed)
        world = World(chance.choice([1, 2]))
        for _ in range(chance.randint(30, 200)):
            way = chance.choice(["to_driver", "to_controller"])
            steps: list[tuple[object, ...]] = [
                ("deliver", way, chance.randint(0, 3)),
                ("double", way, chance.randint(0, 3)),
                ("lose", way, chance.randint(0, 3)),
                ("commit",),
                ("finish",),
                ("flow", chance.randint(1, 30)),
                ("advance", chance.choice([0.1, 0.6, 1.1, 6.0])),
                ("kill_driver",),
                ("crash", chance.randint(0, 5)),
                ("start_driver",),
                ("kill_controller",),
                ("start_controller",),
                ("ask", chance.choice(["stop", "finish", "resume", "resume", "cancel"])),
                ("disk_full", chance.randint(1, 2)),
            ]
            play(world, chance.choices(steps, kinds)[0])
        world.settle()
        assert world.settled, f"{seed=}: a result never arrived, or the outbox never emptied"
        assert world.contradictions == [], f"{seed=}"
        assert max(world.device.values(), default=0) <= 1, f"{seed=}: carried out twice"


def test_readings_that_a_full_disk_keeps_out_leave_nothing_in_memory() -> None:
    world = linked_world()
    assert world.driver is not None
    assert world.controller is not None
    for n in range(20):
        world.writes_that_fail = 1
        world.tell_controller(world.controller.command(Command(attempt=f"{READING}{n}", action="go"), world.now))
        play(world, ("flow", 3))
    assert [world.store[f"{READING}{n}"] for n in range(20)] == ["rejected"] * 20
    assert not world.driver._attempts._live
