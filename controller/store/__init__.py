"""The store: the event log that is the truth, and the tables for reading.

`opening.Store` writes (and imports SQLAlchemy and pydantic); `reading.open_reader` only reads and imports neither, which is
why nothing is imported here.
"""
