"""Proposes points: space-filling ones to begin with, then those that a model expects most of."""
