"""Benchmarks of the server and its parts, and the frame that they share: `python -m benchmarks --help`.

Nothing of this is part of the wheel, and nothing imports it.
"""
