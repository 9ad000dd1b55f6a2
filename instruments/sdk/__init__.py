"""The driver SDK: a base class, `@action`, and the server that hosts a driver on the wire."""
