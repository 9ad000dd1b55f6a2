"""Freed memory is kept where the C library can be told to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, torch
from surrogates.memory import keep_freed_memory
torch.set_num_threads(1)
told = {told} and keep_freed_memory()
K = torch.ones(4, 200, 200, dtype=torch.float64)
def work():
    for _ in range(30):
        a = K * K
        b = a + K
        c = b * a
        del a, b, c
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_large_matrices_are_made_again_without_asking_the_system_for_memory() -> None:
    # In processes of their own: the setting lasts as long as the process.
    told, faults = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(told=True)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == "True"
    assert int(faults) < 100
