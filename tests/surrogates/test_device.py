"""Device settings resolve, or say what is wrong."""

from __future__ import annotations

import pytest
import torch

from surrogates.device import resolve
from surrogates.errors import SurrogateError


def test_cpu_and_auto_resolve() -> None:
    assert resolve("cpu") == torch.device("cpu")
    assert resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["gpu", "", "cpu:1", "cuda:x"])
def test_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(SurrogateError, match="is not one of"):
        resolve(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_absent_gpu_is_refused() -> None:
    with pytest.raises(SurrogateError, match="sees no GPU"):
        resolve("cuda")
