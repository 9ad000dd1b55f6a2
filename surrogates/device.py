"""Where tensors live: resolves a device setting, with a clear error when the device is absent."""

from __future__ import annotations

import torch

from surrogates.errors import SurrogateError


def resolve(device: str) -> torch.device:
    """Turn a device setting into a torch device.

    Args:
        device: `auto` (the GPU where there is one), `cpu`, `cuda` or `cuda:<number>`.

    Returns:
        The device.

    Raises:
        SurrogateError: The setting is unknown, or it asks for a GPU that is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise SurrogateError(f"device: {device!r} is not one of 'auto', 'cpu', 'cuda', 'cuda:<number>'")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise SurrogateError(f"device: {device!r} was asked for, but torch sees no GPU here; use 'cpu' or 'auto'")
        if number and int(number) >= torch.cuda.device_count():
            raise SurrogateError(f"device: {device!r} was asked for, but there are {torch.cuda.device_count()} GPUs")
    return torch.device(device)
