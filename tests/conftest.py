"""The order of all tests: those that wait for processes come first, so that side by side no long file is left for the end."""

from __future__ import annotations

import pytest

_FIRST = ("tests/examples/", "tests/integration/", "tests/chaos/", "tests/controller/drill/", "tests/controller/cli/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole files in another order, and leave each as it is."""
    items.sort(key=lambda item: next((i for i, folder in enumerate(_FIRST) if item.nodeid.startswith(folder)), len(_FIRST)))
