"""Rehearsals of a campaign, with every misfortune chosen by one seed.

The real engine, sessions, store and simulated drivers run in one process, on a clock of their own.
"""

EXPERIMENTS = 5
"""Experiments of one rehearsal, where nothing else is said."""
