"""Surrogate models: tensors in, posteriors out. Import from the modules; this file stays light."""

LABWRIGHT_PACKAGE = "labwright"
