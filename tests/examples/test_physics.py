"""The twins of the examples obey the laws that they state: closed forms, measured values, optima found by brute force."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from instruments.sdk.modules import load_module
from tests.examples.test_examples import EXAMPLES, FOLDERS

SIX = ("flow_chemistry", "electrolyte", "colour_mixing", "reaction_pool", "perovskite_film", "alloy")


@pytest.fixture
def emt() -> ModuleType:
    return load_module(str(EXAMPLES / "alloy" / "emt.py"))


@pytest.fixture
def cell() -> ModuleType:
    return load_module(str(EXAMPLES / "electrolyte" / "cell.py"))


@pytest.fixture
def colour() -> ModuleType:
    return load_module(str(EXAMPLES / "colour_mixing" / "colour.py"))


@pytest.fixture
def film() -> ModuleType:
    return load_module(str(EXAMPLES / "perovskite_film" / "film.py"))


@pytest.mark.parametrize(("metal", "angstrom", "gigapascal"), [("Cu", 3.61, 137), ("Pd", 3.88, 181), ("Au", 4.07, 173)])
def test_pure_metal_has_lattice_constant_and_bulk_modulus_as_measured(
    emt: ModuleType, metal: str, angstrom: float, gigapascal: float
) -> None:
    e0, s0, _, _, _, lam, _ = emt.METALS[metal]
    box = emt.Box(2, [metal] * 32)
    energy, edge = box.relaxed(atoms=False)
    assert energy == pytest.approx(0.0, abs=1e-9)
    assert edge * emt.BOHR == pytest.approx(angstrom, abs=0.02)
    still, step = np.zeros((32, 3)), 0.01
    bent = (box.energy(edge + step, still)[0] + box.energy(edge - step, still)[0] - 2.0 * energy) / step**2
    modulus = bent * 4.0 / (9.0 * edge)  # four atoms in a cube: B = V d2E/dV2; measured: Kittel, Solid State Physics
    assert modulus == pytest.approx(-e0 * lam**2 / (12.0 * math.pi * s0), rel=1e-2)
    assert modulus * 160.2177 / emt.BOHR**3 == pytest.approx(gigapascal, rel=0.03)


def test_slopes_of_the_energy_are_its_derivatives(emt: ModuleType) -> None:
    rng = np.random.default_rng(1)
    box = emt.Box(2, list(rng.permutation(["Cu"] * 12 + ["Pd"] * 10 + ["Au"] * 10)))
    moved, step = rng.normal(0.0, 0.01, (32, 3)), 1e-5
    _, by_edge, by_place = box.energy(7.2, moved)
    assert by_edge == pytest.approx((box.energy(7.2 + step, moved)[0] - box.energy(7.2 - step, moved)[0]) / 2 / step, rel=1e-5)
    for place in ((0, 0), (3, 1), (31, 2)):
        ahead, behind = moved.copy(), moved.copy()
        ahead[place] += step
        behind[place] -= step
        slope = (box.energy(7.2, ahead)[0] - box.energy(7.2, behind)[0]) / 2 / step
        assert by_place[place] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_atoms_that_may_move_lower_the_energy_and_a_computation_can_be_repeated(emt: ModuleType) -> None:
    quick, fine = emt.alloy(0.5, 0.0, 0.5, "quick"), emt.alloy(0.5, 0.0, 0.5, "fine")
    assert fine["mixing"] < quick["mixing"]
    assert fine["lattice"] == pytest.approx(quick["lattice"], abs=0.03)
    assert 3.61 < fine["lattice"] < 4.06
    assert emt.alloy(0.5, 0.0, 0.5, "quick") == quick
    assert emt.alloy(1.0, 0.0, 1.0, "quick") == quick  # parts, not shares
    with pytest.raises(ValueError, match="not below zero"):
        emt.alloy(-0.1, 0.5, 0.6, "quick")


def test_program_of_the_alloy_says_what_is_wrong_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "emt.py", "--copper", "-1"], cwd=EXAMPLES / "alloy",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "copper -1.0" in done.stderr.splitlines()[-1]


def test_electrolyte_conducts_what_was_measured_and_its_shape_is_that_of_casteel_and_amis(cell: ModuleType) -> None:
    assert cell.composition(1, 0, 0, 0) == pytest.approx((89.78, 1.90, 1.321))
    measured = {(0.3, 0.0, 0.7, 0.0): 9.1, (0.5, 0.5, 0.0, 0.0): 11.8}  # 1 mol/L, 25 degC: Landesfeind and Gasteiger 2019
    for solvents, conductivity in measured.items():
        assert cell.electrolyte(*solvents, 0.97)["conductivity"] == pytest.approx(conductivity, rel=0.25)
    assert cell.electrolyte(0, 1, 0, 0, 1.0)["conductivity"] < 0.01  # no ethylene carbonate: every ion is paired
    cell_form = [c * math.exp(-cell.THICKENING * m) for m, c in ((m / 10, m / 10) for m in range(1, 30))]
    assert cell_form.index(max(cell_form)) + 1 == round(10 / cell.THICKENING)  # kappa_max lies at 1 / B
    assert cell.free_share(1e-9, 80.0) == pytest.approx(1.0, abs=1e-6)
    free = cell.free_share(1.0, 30.0)
    pairing = 4 / 3 * math.pi * 0.7**3 * 0.6022 * math.exp(cell.BJERRUM_NM / 30.0 / 0.7)
    assert pairing * free**2 == pytest.approx(1.0 - free)  # law of mass action
    wavelength = 1.602176634e-19**2 / (4 * math.pi * 8.8541878128e-12 * 1.380649e-23 * 298.15) * 1e9
    assert wavelength == pytest.approx(cell.BJERRUM_NM, rel=1e-3)


def test_best_electrolyte_lies_within_its_bounds_not_at_the_ends_of_the_salt(cell: ModuleType) -> None:
    grid = [
        (cell.electrolyte(ec / 10, dmc / 10, (10 - ec - dmc) / 10, 0.0, salt / 10)["conductivity"], ec, dmc, salt)
        for ec in range(6) for dmc in range(11 - ec) for salt in range(2, 21)
    ]  # fmt: skip
    best, ec, dmc, salt = max(grid)
    assert (ec, dmc) == (5, 5)
    assert 6 <= salt <= 12
    assert sorted(value for value, *_ in grid)[len(grid) // 2] < 0.6 * best


def test_clear_water_is_white_and_dyes_follow_beer_and_lambert(colour: ModuleType) -> None:
    assert colour.colour(0, 0, 0) == pytest.approx((100.0, 0.0, 0.0), abs=1e-6)
    red, yellow, blue = colour.colour(50, 0, 0), colour.colour(0, 50, 0), colour.colour(0, 0, 50)
    assert red[1] > 20
    assert yellow[2] > 40
    assert blue[1] < -10
    peak, _, molar, stock = colour.DYES["blue"]
    assert colour.absorbance(0, 0, 30, peak) == pytest.approx(molar * stock * 1e-6 * 0.1 * colour.PATH_CM)
    assert colour.absorbance(0, 0, 60, peak) == pytest.approx(2 * colour.absorbance(0, 0, 30, peak))
    # A grey filter has no hue, and lets 18.4 percent through at L* = 50 (CIE 15).
    assert colour.lab([0.18418652] * len(colour.WAVELENGTHS)) == pytest.approx((50.0, 0.0, 0.0), abs=1e-4)


def test_wanted_colour_can_be_mixed_and_is_rarely_met_by_chance(colour: ModuleType) -> None:
    wanted = (80.0, -17.0, 38.0)
    steps = range(0, 101, 10)
    far = sorted(colour.difference(colour.colour(*dyes), wanted) for dyes in itertools.product(steps, steps, steps))
    assert colour.difference(colour.colour(20, 36, 24), wanted) < 2.3  # the best of steps of 4 uL; just cannot be seen
    assert far[0] > 5.0  # and steps of 10 uL miss it
    assert sum(d < 10.0 for d in far) / len(far) < 0.01  # of 1331 wells


def test_film_has_its_best_temperature_for_each_time_and_its_best_thickness(film: ModuleType) -> None:
    def best(minutes: float) -> int:
        return max(range(80, 161), key=lambda t: film.brightness(film.THICK_NM, t, minutes))

    assert 160 > best(4) > best(12) > best(40) > 80
    assert film.thickness(1.2, 1000) == pytest.approx(2 * film.thickness(1.2, 4000))
    assert max(range(100, 1500, 50), key=lambda d: film.brightness(d, 120, 12)) == film.THICK_NM
    twin = film.anneal(120.0, 12.0, random.Random(1))
    assert twin["held"] == pytest.approx(12.0, abs=0.5)
    assert film.anneal(160.0, 60.0, random.Random(1))["look"] == "yellow"


@pytest.mark.parametrize("name", SIX)
def test_example_to_copy_has_a_page_of_a_screen_and_a_picture(name: str) -> None:
    folder: Path = EXAMPLES / name
    assert folder in FOLDERS
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "labwright run campaign.yaml" in page
    assert "of your own**" in page
    assert "](picture.png)" in page
    assert "](../" not in page, "a copy lies elsewhere"
    assert len(page.splitlines()) < 45
    assert (folder / "picture.png").stat().st_size < 150_000
    assert f"]({name}/picture.png)" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
