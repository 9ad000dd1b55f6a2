"""The package imports nothing heavy, and nothing of the other packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sqlmodel", "sqlalchemy", "pint", "pyvisa", "controller", "surrogates", "simulators")


@pytest.mark.parametrize(
    "module", ["instruments.client", "instruments.__main__", "instruments.sdk.driver", "instruments.drivers.scpi"]
)
def test_module_loads_without_anything_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_package_carries_its_marker() -> None:
    import instruments

    assert instruments.LABWRIGHT_PACKAGE == "labwright"
