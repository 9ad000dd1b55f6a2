"""Drivers that need no code of their own for a device: SCPI instruments, programs, and Python functions."""
