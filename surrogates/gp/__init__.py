"""Ensembles of Gaussian processes, fitted as one batch."""
