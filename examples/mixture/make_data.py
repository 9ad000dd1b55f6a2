"""Writes `strength.csv`: made-up strengths of a mortar from four powders in steps of 5 percent, from the formula below.

No number in it was measured. The formula is ours: a Scheffé polynomial, that is one term for each component and one for each pair
that works together, and an error of 1 MPa.

    strength = 12 c + 2 s + 4 a + 1 f + 38 c s + 55 c a - 20 a f + 90 c s a       [MPa], fractions by mass

    python make_data.py        # writes the file beside this script, always the same one
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

STEPS = 20
COLUMNS = ("cement", "slag", "ash", "filler")


def expected_strength(cement: float, slag: float, ash: float, filler: float) -> float:
    """Return the strength without error [MPa] of fractions that sum to one."""
    alone = 12 * cement + 2 * slag + 4 * ash + filler
    return alone + 38 * cement * slag + 55 * cement * ash - 20 * ash * filler + 90 * cement * slag * ash


def blends() -> Iterator[tuple[float, float, float, float]]:
    """Yield every blend with at least 10 percent cement and at most half filler."""
    for cement in range(2, STEPS + 1):
        for slag in range(STEPS + 1 - cement):
            for ash in range(STEPS + 1 - cement - slag):
                filler = STEPS - cement - slag - ash
                if filler <= STEPS // 2:
                    yield cement / STEPS, slag / STEPS, ash / STEPS, filler / STEPS


def main(path: Path) -> None:
    """Write the table."""
    rng = random.Random(4)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, "strength"])
        for blend in blends():
            writer.writerow(
                [*(f"{part:g}" for part in blend), f"{expected_strength(*blend) + rng.gauss(0.0, 1.0):.2f}"]
            )


if __name__ == "__main__":
    main(Path(__file__).with_name("strength.csv"))
