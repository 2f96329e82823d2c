import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import ContainerError, kind_of, software_serial

Refused = Callable[..., ContainerError]


@given(key=st.binary(max_size=100))
@settings(derandomize=True)
def test_a_software_serial_is_36_digits_of_the_keys_hash(key: bytes) -> None:
    serial = software_serial(key)
    assert len(serial) == 4 + 36
    assert int(hashlib.sha256(key).hexdigest(), 16) % 10**36 == int(serial.removeprefix("130-"))
    assert kind_of(serial) == "Universal"


def test_a_serial_has_at_least_118_bits() -> None:
    assert 10**36 >= 2**118


@pytest.mark.parametrize(
    ("serial", "kind"),
    [
        ("1-1", "Dongle"),
        ("2-1234567", "Dongle"),
        ("3-4019155", "Dongle"),
        ("127-1", "CmAct"),
        ("128-99", "CmAct"),
        ("130-0", "Universal"),
    ],
)
def test_the_prefix_tells_the_kind(serial: str, kind: str) -> None:
    assert kind_of(serial) == kind


@pytest.mark.parametrize("serial", ["", "3", "3-", "4-1", "129-1", "03-1", "130", "130-x", "130-1 ", "١-1", "-1"])
def test_everything_else_is_no_serial(refused: Refused, serial: str) -> None:
    error = refused(kind_of, serial)
    assert error.code == "SerialWrong"
    assert not serial or serial not in str(error)
