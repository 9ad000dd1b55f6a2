"""The crash matrix: every named point of an experiment's walk × every fault, one test each."""
