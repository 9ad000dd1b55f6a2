"""Measures how many experiments, and how much time, a proposal strategy needs."""
