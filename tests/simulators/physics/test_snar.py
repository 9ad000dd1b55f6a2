"""The reactor's kinetics against closed forms, an independent solver and conservation of mass."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simulators.physics.snar import (
    MOLAR_MASS,
    Composition,
    e_factor,
    rate_constants,
    react,
    space_time_yield,
)

conditions = st.tuples(st.floats(20.0, 140.0), st.floats(0.05, 5.0), st.floats(0.0, 6.0), st.floats(0.0, 0.8))


def _stiff_solution(temperature: float, residence_time: float, equivalents: float, concentration: float) -> list[float]:
    """Integrate all five species with LSODA, without the change of variable that the model uses."""
    k = rate_constants(temperature)

    def rates(_: float, y: list[float]) -> list[float]:
        a, b, p, q, _d = y
        r1, r2, r3, r4 = k.ortho * a * b, k.para * a * b, k.bis_from_ortho * p * b, k.bis_from_para * q * b
        return [-r1 - r2, -r1 - r2 - r3 - r4, r1 - r3, r2 - r4, r3 + r4]

    start = [concentration, equivalents * concentration, 0.0, 0.0, 0.0]
    solved = solve_ivp(rates, (0.0, residence_time), start, method="LSODA", rtol=1e-10, atol=1e-13)
    return [float(v) for v in solved.y[:, -1]]


def _species(outlet: Composition) -> list[float]:
    return [outlet.substrate, outlet.amine, outlet.ortho, outlet.para, outlet.bis]


def test_rate_constants_equal_the_published_ones_at_the_reference_temperature() -> None:
    k = rate_constants(90.0)
    published = [57.9, 2.70, 0.865, 1.63]  # 1e-2 L/mol/s
    assert [k.ortho, k.para, k.bis_from_ortho, k.bis_from_para] == pytest.approx(
        [0.6 * v for v in published], rel=1e-12
    )


def test_rate_constants_follow_the_published_activation_energy() -> None:
    slope = math.log(rate_constants(100.0).ortho / rate_constants(80.0).ortho) / (1.0 / 353.15 - 1.0 / 373.15)
    assert slope * 8.314462618e-3 == pytest.approx(33.3, rel=1e-9)


def test_react_matches_the_pseudo_first_order_closed_form_when_the_amine_is_in_great_excess() -> None:
    equivalents, concentration, temperature, residence_time = 5e4, 1e-5, 60.0, 1.0
    k = rate_constants(temperature)
    expected = concentration * math.exp(-(k.ortho + k.para) * equivalents * concentration * residence_time)
    assert react(temperature, residence_time, equivalents, concentration).substrate == pytest.approx(expected, rel=1e-3)


def test_react_matches_the_second_order_closed_form_when_it_has_just_begun() -> None:
    k, c, t = rate_constants(30.0), 0.1, 0.02
    ortho = react(30.0, t, 1.0, c).ortho
    # 1/A grows linearly for equal concentrations; the consecutive steps are still negligible.
    converted = c - 1.0 / (1.0 / c + (k.ortho + k.para) * t)
    assert ortho == pytest.approx(converted * k.ortho / (k.ortho + k.para), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(conditions)
def test_react_agrees_with_a_stiff_solver(point: tuple[float, float, float, float]) -> None:
    assert _species(react(*point)) == pytest.approx(_stiff_solution(*point), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(conditions)
def test_react_conserves_rings_amine_and_mass(point: tuple[float, float, float, float]) -> None:
    outlet, (_, _, equivalents, concentration) = react(*point), point
    assert outlet.substrate + outlet.ortho + outlet.para + outlet.bis == pytest.approx(concentration, abs=1e-9)
    assert outlet.amine + outlet.hydrogen_fluoride == pytest.approx(equivalents * concentration, abs=1e-9)
    fed = concentration * MOLAR_MASS["substrate"] + equivalents * concentration * MOLAR_MASS["amine"]
    assert outlet.mass_concentration() == pytest.approx(fed, abs=0.02)  # molar masses are rounded to 1e-3 g/mol
    assert min(_species(outlet)) >= -1e-9


def test_react_gives_values_of_the_published_order() -> None:
    outlet = react(60.0, 1.0, 2.0, 0.3)
    assert 1e3 < space_time_yield(outlet, 1.0) < 2e4
    assert 5.0 < e_factor(outlet) < 50.0
    # Heat and excess amine push on to the bis product: the trade-off that makes the search worth while.
    assert react(120.0, 2.0, 5.0, 0.5).bis > 0.3 > react(30.0, 0.5, 1.0, 0.5).bis


def test_objectives_agree_with_their_definitions() -> None:
    outlet = Composition(substrate=0.0, amine=0.0, ortho=0.5, para=0.0, bis=0.0)
    assert space_time_yield(outlet, 30.0) == pytest.approx(210.208)
    assert e_factor(outlet) == pytest.approx((789.0 + 0.5 * 20.006) / (0.5 * 210.208))
    assert e_factor(Composition(0.1, 0.1, 0.0, 0.0, 0.0)) == math.inf


@pytest.mark.parametrize(
    "point", [(60.0, -1.0, 1.0, 0.1), (60.0, 1.0, math.nan, 0.1), (60.0, 1.0, 1.0, math.inf), (-300.0, 1.0, 1.0, 0.1)]
)
def test_react_refuses_conditions_that_cannot_be(point: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"must be zero or a positive|absolute zero"):
        react(*point)
