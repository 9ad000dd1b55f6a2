"""Transports: how frames travel. ZeroMQ between processes, memory inside one."""
