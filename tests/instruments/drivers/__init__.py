"""Tests of instruments.drivers."""
