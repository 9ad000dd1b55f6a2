"""The history of the schema, for Alembic.

A change of `tables.py` needs the next file in `versions` (0002, 0003 …; `version.SCHEMA_VERSION` names the newest). A test
compares the tables with what the files make of an empty database. Rebuilding the table `event` drops its triggers on
SQLite: make them again.
"""
