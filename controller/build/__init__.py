"""Build: a point becomes the steps of a protocol, each with its arguments bound."""
