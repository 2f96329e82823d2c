"""How many examples of a property are tried: so many by `make test`, ten times as many by `make long`."""

from hypothesis import settings


def examples(count: int) -> int:
    """So many times what the profile tries of other properties, in percent."""
    return count * settings.default.max_examples // 100
