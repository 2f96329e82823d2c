"""Handlers of the Sales service, one file per operation."""
