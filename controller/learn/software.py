"""What computes proposals here: kept with each of them, for the same numbers come bit for bit from the same software only."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import torch

_PACKAGES = ("labwright", "torch", "botorch", "gpytorch", "numpy", "scipy", "rdkit")


@lru_cache(maxsize=1)
def software() -> dict[str, str]:
    """Return name -> version, and on what it runs: `threads`, `machine`, the `instructions` of the processor, the `gpu`, if any."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    # Sums are taken in another order with wider instructions, and on other threads; proposals are made on one.
    found |= {
        "machine": platform.machine(), "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }  # fmt: skip
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found
