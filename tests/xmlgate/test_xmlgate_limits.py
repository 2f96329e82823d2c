from dataclasses import FrozenInstanceError, fields

import pytest

from xmlgate import Limits, XmlRefused


def test_the_defaults_are_those_of_the_design() -> None:
    values = {field.name: getattr(Limits(), field.name) for field in fields(Limits)}
    assert values == {
        "max_bytes": 262_144,
        "depth": 32,
        "elements": 20_000,
        "attributes": 64,
        "namespaces": 64,
        "name_bytes": 256,
    }


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_limit_below_one_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match=f"limit {name} must be at least 1"):
        Limits(**{name: 0})


def test_a_depth_beyond_the_parser_underneath_is_a_mistake() -> None:
    assert Limits(depth=255).depth == 255
    with pytest.raises(ValueError, match="limit depth must be at most 255"):
        Limits(depth=256)


def test_limits_are_frozen_and_named() -> None:
    with pytest.raises(FrozenInstanceError):
        Limits().depth = 7  # type: ignore[misc]  # the assignment is what is tested
    with pytest.raises(TypeError):
        Limits(1)  # type: ignore[misc]  # so is the positional argument


def test_a_refusal_carries_code_message_and_place() -> None:
    refused = XmlRefused("Malformed", "It is wrong.", line=2, column=3)
    assert (refused.code, refused.message, refused.line, refused.column) == ("Malformed", "It is wrong.", 2, 3)
    assert str(refused) == "It is wrong."
    bare = XmlRefused("TooLarge", "It is large.")
    assert (bare.line, bare.column) == (None, None)
