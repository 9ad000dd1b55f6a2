"""Molecules as coordinates: distances between structures, embedded so that a kernel can use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.encoding.space import Array
from controller.errors import MissingExtraError

# Morgan fingerprints of radius 2: atoms with everything up to two bonds away.
_RADIUS = 2
_BITS = 4096
# Choices that look alike are still two choices: their similarity stays below this.
_MOST_ALIKE = 0.99
_NEGLIGIBLE = 1e-8


def embed(smiles: Sequence[str]) -> Array:
    """Return coordinates whose distances follow the Tanimoto similarity of Morgan count fingerprints.

    The similarity of counts, sum of minima over sum of maxima, is a kernel (Ralaivola and others, 2005), so its
    eigenvectors give coordinates in which it is a distance.

    Args:
        smiles: One SMILES per choice; an empty text stands for no structure, which resembles nothing.

    Returns:
        One row per choice, at most as many columns; the mean distance between choices is one.

    Raises:
        MissingExtraError: If RDKit is not installed.
        ValueError: If a SMILES cannot be read.
    """
    counts = _fingerprints(smiles)
    n = len(smiles)
    similarity = np.eye(n)
    for i in range(n):
        for j in range(i):
            largest = float(np.maximum(counts[i], counts[j]).sum())
            alike = float(np.minimum(counts[i], counts[j]).sum()) / largest if largest else 0.0
            similarity[i, j] = similarity[j, i] = min(alike, _MOST_ALIKE)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(centring @ similarity @ centring)
    keep = values > _NEGLIGIBLE
    # The largest first, and signs fixed: eigenvectors are only known up to a sign.
    coordinates = (vectors[:, keep] * np.sqrt(values[keep]))[:, ::-1]
    largest_entry = coordinates[np.abs(coordinates).argmax(0), np.arange(coordinates.shape[1])]
    return to_unit_distance(coordinates * np.sign(largest_entry))


def to_unit_distance(coordinates: Array) -> Array:
    """Scale `coordinates` (n x c) so that the mean distance between different rows is one."""
    gaps = coordinates[:, None, :] - coordinates[None, :, :]
    distances = np.sqrt((gaps**2).sum(-1))
    mean = float(distances.sum()) / (len(coordinates) * (len(coordinates) - 1))
    return coordinates / mean if mean > 0 else coordinates


def _fingerprints(smiles: Sequence[str]) -> Array:
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise MissingExtraError("rdkit", "chem", "a descriptor column 'smiles'") from error
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_BITS)
    rows = []
    # RDKit reports on standard error by itself; the error below says the same with a remedy.
    with rdBase.BlockLogs():
        for text in smiles:
            if not text.strip():
                rows.append(np.zeros(_BITS))
                continue
            molecule = Chem.MolFromSmiles(text)
            if molecule is None:
                raise ValueError(f"smiles: {text!r} cannot be read as a structure; correct it or leave it empty")
            rows.append(generator.GetCountFingerprintAsNumPy(molecule).astype(np.float64))
    return np.array(rows)
