"""Tests of instruments.transport."""
