"""Hypothesis strategies for what the domain holds, shared by the tests of every room."""
