"""Rehearsals find what was planted, and nothing where nothing was."""
