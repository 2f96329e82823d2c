"""How many examples of a property are tried: so many by `make test`, ten times as many by `make long`."""

from hypothesis import settings


def examples(count: int) -> int:
    """Give the count, or ten times as many under the hypothesis profile `long`."""
    return count * settings.default.max_examples // 100
