"""Frozen values that are made quickly."""

from frozen.making import quickly_made, replaced

__all__ = ["quickly_made", "replaced"]
