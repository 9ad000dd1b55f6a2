"""The campaigns of the examples find better than chance does, with the settings that they come with, on their own twins."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from controller.campaign import Campaign
from instruments.sdk.modules import load_module
from tests.examples.test_examples import EXAMPLES

Setting = Mapping[str, Any]
Result = dict[str, float]


def colours(s: Setting, rng: random.Random) -> Result:
    return load_module(str(EXAMPLES / "colour_mixing" / "colour.py")).picture(**s, rng=rng)  # type: ignore[no-any-return]


def electrolytes(s: Setting, rng: random.Random) -> Result:
    return load_module(str(EXAMPLES / "electrolyte" / "cell.py")).measure(**s, rng=rng)  # type: ignore[no-any-return]


def films(s: Setting, rng: random.Random) -> Result:
    film = load_module(str(EXAMPLES / "perovskite_film" / "film.py"))
    thick = film.coat(s["concentration"], s["spin"], rng)
    held = film.anneal(s["temperature"], s["minutes"], rng)["held"]
    return {"photoluminescence": film.spectrum(thick, s["temperature"], held, rng)}


def alloys(s: Setting, rng: random.Random) -> Result:
    del rng
    emt = load_module(str(EXAMPLES / "alloy" / "emt.py"))
    return emt.alloy(s["copper"], s["palladium"], s["gold"], s["fidelity"])  # type: ignore[no-any-return]


def nearest_colour(results: Sequence[Result]) -> float:
    """Return minus the smallest difference from the colour that is wanted."""
    return -min(((r["L"] - 80.0) ** 2 + (r["a"] + 17.0) ** 2 + (r["b"] - 38.0) ** 2) ** 0.5 for r in results)


def brightest(results: Sequence[Result]) -> float:
    return max(r["photoluminescence"] for r in results)


def area(results: Sequence[Result]) -> float:
    """Return what the front dominates, down to no conductivity and up to a viscosity of 3 mPa s."""
    edge, total = 3.0, 0.0
    for r in sorted(results, key=lambda r: -r["conductivity"]):
        if r["viscosity"] < edge:
            total += r["conductivity"] * (edge - r["viscosity"])
            edge = r["viscosity"]
    return total


def lowest_that_fits(results: Sequence[Result]) -> float:
    """Return minus the lowest energy of mixing of what fits the substrate [meV], -30 where nothing does."""
    return max((-r["mixing"] for r in results if 3.86 <= r["lattice"] <= 3.88), default=-30.0)


def shares(rng: random.Random, names: Sequence[str]) -> dict[str, float]:
    """Draw a mixture, evenly over all that sum to one."""
    cuts = sorted([0.0, 1.0, *(rng.random() for _ in names[1:])])
    return dict(zip(names, (b - a for a, b in itertools.pairwise(cuts)), strict=True))


def any_dyes(rng: random.Random) -> Setting:
    return {dye: rng.uniform(0.0, 100.0) for dye in ("red", "yellow", "blue")}


def any_film(rng: random.Random) -> Setting:
    return {
        "concentration": rng.uniform(0.8, 1.6), "spin": rng.uniform(1000, 6000), "temperature": rng.uniform(80, 160),
        "minutes": 2.0 * 30.0 ** rng.random(),
    }  # fmt: skip


def any_electrolyte(rng: random.Random) -> Setting:
    while (drawn := shares(rng, ("ec", "dmc", "emc", "dec")))["ec"] > 0.5:
        pass
    return {**drawn, "salt": rng.uniform(0.2, 2.0)}


def any_alloy(rng: random.Random) -> Setting:
    return {**shares(rng, ("copper", "palladium", "gold")), "fidelity": "fine"}


@pytest.mark.parametrize(
    ("name", "measure", "drawn", "worth", "n", "n_chance"),
    [
        ("colour_mixing", colours, any_dyes, nearest_colour, 12, 12),
        ("perovskite_film", films, any_film, brightest, 12, 12),
        ("electrolyte", electrolytes, any_electrolyte, area, 14, 14),
        ("alloy", alloys, any_alloy, lowest_that_fits, 9, 5),  # nine of which some are quick cost no more than five fine ones
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_campaign_ends_better_than_random_settings(
    name: str, measure: Callable[[Setting, random.Random], Result], drawn: Callable[[random.Random], Setting],
    worth: Callable[[Sequence[Result]], float], n: int, n_chance: int,
) -> None:  # fmt: skip
    rng, found = random.Random(7), []
    with Campaign.load(EXAMPLES / name / "campaign.yaml", device="cpu") as campaign:
        for _ in range(n):
            (suggestion,) = campaign.ask()
            result = measure(suggestion.parameters, rng)
            campaign.tell(suggestion, result)
            if suggestion.parameters.get("fidelity", "fine") == "fine":
                found.append(result)
    rounds = 5 if name == "alloy" else 15
    chance = sorted(worth([measure(drawn(rng), rng) for _ in range(n_chance)]) for _ in range(rounds))
    assert len(found) <= n_chance
    assert worth(found) > chance[rounds // 2], (found, chance)
