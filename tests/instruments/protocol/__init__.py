"""Tests of instruments.protocol."""
