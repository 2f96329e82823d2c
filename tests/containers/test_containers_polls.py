"""Poll files: what is written is read, whatever is changed is refused, and a poll changes nothing."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers import Container, ContainerError, Poll, SoftwareBox, is_poll, read_context, read_poll

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    rng = random.Random(1)
    box = SoftwareBox.create(now=NOW, random=rng.randbytes)
    return Container.create(
        tmp_path_factory.mktemp("polls") / "c.json",
        trust_pem=box.root_certificate_pem,
        clock=lambda: NOW,
        random=rng.randbytes,
    )


def test_a_poll_says_who_asks_and_changes_nothing(container: Container, tmp_path: Path) -> None:
    before = container.describe()
    data = container.poll(10)
    poll = read_poll(data)
    assert (poll.serial, poll.firm_code, poll.time, len(poll.nonce)) == (container.serial, 10, NOW, 16)
    assert container.describe() == before
    assert read_poll(container.poll(10)).nonce != poll.nonce
    assert is_poll(data)
    assert not is_poll(container.context(10))
    with pytest.raises(ContainerError) as refused:
        read_context(data)
    assert refused.value.code == "ContextInvalid"
    with pytest.raises(ContainerError, match="firmCode"):
        container.poll(0)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_says_the_same(container: Container, place: int, value: int) -> None:
    data = container.poll(10)
    changed = bytearray(data)
    changed[place % len(data)] = value
    assert _read(bytes(changed)) in {read_poll(data), "PollMalformed", "PollInvalid", "SignatureWrong", "SerialWrong"}


def _read(data: bytes) -> Poll | str:
    try:
        return read_poll(data)
    except ContainerError as refused:
        return refused.code


def test_the_signature_of_one_poll_does_not_fit_another(container: Container) -> None:
    for old, new in ((b"<firmCode>10<", b"<firmCode>20<"), (b"03:04:05Z", b"03:04:06Z")):
        with pytest.raises(ContainerError) as refused:
            read_poll(container.poll(10).replace(old, new))
        assert refused.value.code == "SignatureWrong"
