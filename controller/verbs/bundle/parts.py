"""Names of what an evidence bundle holds, for who writes and who checks it."""

from __future__ import annotations

METADATA = "ro-crate-metadata.json"
"""What RO-Crate asks for: every file described, and the graph (https://www.researchobject.org/ro-crate/specification/1.1/)."""
MANIFEST = "manifest-sha256.txt"
"""`HASH  FILE` for every other file, as `sha256sum --check` reads it; its own hash stands for the whole bundle."""
HEAD = "head.json"
"""Which campaign it is, how long its log, and the log's head."""
EVENTS = "events.jsonl"
"""The log as it is stored, an event a line: campaign_sequence, id, kind, at, body (character by character) and chain."""
EXPERIMENTS = "experiments.csv"
PROPOSALS = "proposals.jsonl"
DEFINITION = "definition.json"
README = "README.md"
RAW_FILES = "files"
"""Folder of the raw files, each under its SHA-256."""
COLUMNS = ("campaign_sequence", "id", "kind", "at", "body", "chain")
"""What is kept of an event: all that its hash is computed from, and the hash."""
