"""Handlers of the Admin service, one file per operation."""
