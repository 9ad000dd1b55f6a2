"""Tests of instruments.sdk."""
