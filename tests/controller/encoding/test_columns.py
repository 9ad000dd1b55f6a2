from __future__ import annotations

import numpy as np
import pytest
import torch

from controller.domain.space import DescriptorTable
from controller.encoding import descriptors, structure
from controller.encoding.columns import Encoder
from controller.encoding.space import Array
from tests.controller.spaces import continuous, problem

SOLVENTS = {"solvent": {"type": "categorical", "choices": ["water", "methanol", "ethanol", "toluene"]}}
SMILES = ("O", "CO", "CCO", "Cc1ccccc1")


def mean_distance(coordinates: Array) -> float:
    gaps = np.linalg.norm(coordinates[:, None] - coordinates[None, :], axis=-1)
    return float(gaps.sum() / (len(coordinates) * (len(coordinates) - 1)))


def test_embed_keeps_the_order_of_similarity_and_has_unit_mean_distance() -> None:
    pytest.importorskip("rdkit")
    coordinates = structure.embed(["CCO", "CCCO", "c1ccncc1"])
    gap = np.linalg.norm(coordinates[:, None] - coordinates[None, :], axis=-1)
    assert gap[0, 1] < gap[0, 2]
    assert mean_distance(coordinates) == pytest.approx(1.0)


def test_embed_gives_squared_distances_in_proportion_to_one_minus_tanimoto() -> None:
    pytest.importorskip("rdkit")
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    prints = [generator.GetCountFingerprint(Chem.MolFromSmiles(s)) for s in SMILES]
    expected = np.array([[1.0 - DataStructs.TanimotoSimilarity(a, b) for b in prints] for a in prints])
    coordinates = structure.embed(SMILES)
    squared = ((coordinates[:, None] - coordinates[None, :]) ** 2).sum(-1)
    assert np.allclose(squared / squared.max(), expected / expected.max(), atol=1e-9)


def test_embed_holds_an_absent_structure_for_unlike_everything() -> None:
    pytest.importorskip("rdkit")
    coordinates = structure.embed(["", "CCO", "CCCO"])
    gap = np.linalg.norm(coordinates[:, None] - coordinates[None, :], axis=-1)
    assert gap[0, 1] == pytest.approx(gap[0, 2])
    assert gap[0, 1] > gap[1, 2]


def test_embed_names_a_structure_that_cannot_be_read() -> None:
    pytest.importorskip("rdkit")
    with pytest.raises(ValueError, match="'not a molecule' cannot be read"):
        structure.embed(["CCO", "not a molecule"])


def test_two_choices_of_one_structure_stay_apart() -> None:
    pytest.importorskip("rdkit")
    which = problem(SOLVENTS, descriptors={"solvent": DescriptorTable(smiles=("O", "CO", "CO", "CCO"))})
    X = Encoder.of(which).encode([{"solvent": s} for s in ("methanol", "ethanol")])
    assert float((X[0] - X[1]).norm()) > 0.01


def test_descriptors_drop_what_repeats_another_and_what_is_constant() -> None:
    first = [1.0, 2.0, 3.0, 4.0]
    coordinates = descriptors.embed(
        {"bp": first, "twice": [2 * v for v in first], "same": [5.0] * 4, "sign": [1.0, -1.0, -1.0, 1.0]}
    )
    assert coordinates.shape == (4, 2)
    assert mean_distance(coordinates) == pytest.approx(1.0)


def test_layout_ties_structures_and_keeps_categories_apart() -> None:
    pytest.importorskip("rdkit")
    which = problem(
        SOLVENTS | {"base": {"type": "categorical", "choices": ["a", "b", "c"]}} | continuous("t"),
        descriptors={"solvent": DescriptorTable(smiles=SMILES)},
    )
    groups = Encoder.of(which).layout.groups
    assert [(g.name, g.kind, g.tied) for g in groups] == [
        ("solvent", "structure", True),
        ("base", "category", False),
        ("t", "numeric", False),
    ]
    assert len(groups[1].columns) == 3


def test_choices_with_equal_descriptors_get_columns_of_their_own() -> None:
    which = problem(SOLVENTS, descriptors={"solvent": DescriptorTable(columns={"polarity": (1.0, 1.0, 0.5, 0.2)})})
    X = Encoder.of(which).encode([{"solvent": s} for s in ("water", "methanol")])
    assert float((X[0] - X[1]).abs().max()) > 0.5


def test_columns_carry_gradients_of_numbers() -> None:
    encoder = Encoder.of(problem(continuous("a", "b") | SOLVENTS))
    z = torch.tensor([[0.2, 0.4, 3.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(encoder.columns(z)[:, :2].sum(), z)
    assert gradient.tolist() == [[1.0, 1.0, 0.0]]


@pytest.mark.parametrize("plain", [True, False])
def test_pull_turns_a_gradient_by_columns_into_one_by_coordinates(plain: bool) -> None:
    encoder = Encoder.of(problem(continuous("x", "y") if plain else {**continuous("x", "y"), **SOLVENTS}))
    z = torch.tensor([[0.2, 0.7], [0.5, 0.1]] if plain else [[0.2, 0.7, 1.0], [0.5, 0.1, 3.0]], dtype=torch.float64)
    moved = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(encoder.columns(moved).square().sum(), moved)
    torch.testing.assert_close(encoder.pull(z, 2.0 * encoder.columns(z)), expected)
