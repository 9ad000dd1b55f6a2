"""The Python API for notebooks."""
