"""Frozen values that are made quickly."""

from frozen.making import quickly_made

__all__ = ["quickly_made"]
