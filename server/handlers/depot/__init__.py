"""Handlers of the Depot service, one file per operation."""
