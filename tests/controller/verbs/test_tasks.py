"""Files of tasks where they cannot be kept."""

from __future__ import annotations

import pytest

from controller.errors import StoreError
from controller.settings import folder_of
from controller.verbs.tasks import attach_bytes
from tests.controller.api.test_page import ask_a_person


def test_file_that_cannot_be_kept_is_told_with_its_place(url: str) -> None:
    task = ask_a_person(url)
    (folder_of(url) / "labs" / "bench" / "people" / "tasks" / "open" / task / "files").write_text("something else")
    with pytest.raises(StoreError, match="the file cannot be kept beside bench/people: File exists"):
        attach_bytes([url], task, b"a photo")
