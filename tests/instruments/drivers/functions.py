"""Functions for the tests of the function driver."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated, Literal

from instruments.sdk.quantity import Quantity


def rate(
    temperature: Annotated[float, Quantity("degC", low=0, high=200)], solvent: Literal["water", "ethanol"] = "water"
) -> dict[str, object]:
    """Arrhenius, more or less."""
    print("noise on standard output")
    return {"rate": (2.0 ** (temperature / 10.0), 0.1), "wet": solvent == "water"}


def square(x: float) -> float:
    return x * x


def fail(x: float) -> float:
    raise ValueError(f"cannot do {x}")


def die(x: float) -> float:
    sys.stderr.write("segmentation fault, as it were")
    sys.stderr.flush()
    os._exit(11)


def hang(x: float, flag: str = "") -> float:
    if flag:
        with open(flag, "w") as file:  # noqa: PTH123
            file.write(str(os.getpid()))
    time.sleep(60.0)
    return x
