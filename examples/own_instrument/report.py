"""A program of one's own as an instrument: takes arguments, prints its values as one line of JSON.

python report.py 0.31
{"conversion": 74.2}
"""

from __future__ import annotations

import json
import sys

START = 1.2
"""Absorbance of the dye before exposure."""


def conversion(absorbance: float) -> float:
    """Return how much of the dye is gone [percent], by the law of Lambert and Beer."""
    return 100.0 * (1.0 - absorbance / START)


if __name__ == "__main__":
    print(json.dumps({"conversion": conversion(float(sys.argv[1]))}))
