"""Functions that a twin calls, for its tests."""

from __future__ import annotations

import random


def heat(temperature: float, gas: str, rng: random.Random) -> dict[str, float | int | bool | str]:
    return {"conductivity": temperature / 100.0 + rng.gauss(0.0, 0.1), "cycles": 2, "ok": gas == "argon"}


def broken(temperature: float, gas: str) -> float:
    raise ZeroDivisionError(f"{temperature} {gas}")


def other(temperature: float, gas: str) -> dict[str, float]:
    return {"colour": temperature}


def current(level: float) -> float:
    return 2.0 * level


def unfit(level: float) -> float:
    return level


NUMBER = 3
