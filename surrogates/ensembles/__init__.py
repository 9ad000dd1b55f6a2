"""Ensembles of models other than Gaussian processes."""
