"""Ids are unique UUIDv7s that sort by the time they were made."""

from __future__ import annotations

import uuid

from controller.domain.ids import new_id


def test_ids_are_unique_ordered_uuid7() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert {uuid.UUID(i).version for i in made} == {7}
