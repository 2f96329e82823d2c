"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = Path(__file__).parent / ".cache"
"""Where peers are built and installed; git ignores it, and it may be deleted at any time."""
