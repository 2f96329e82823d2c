"""Servers of other makers, built and set up to be as fast as they honestly can be."""
