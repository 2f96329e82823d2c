"""API keys in the Authorization header: Bearer and Basic, and nothing else."""

from base64 import b64encode

import pytest

from server.errors import NotIdentified
from server.security.authorization import Presented, read_authorization


def basic(text: str | bytes) -> str:
    return b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "name", "key"),
    [
        ("Bearer od_k", None, "od_k"),
        ("bEARER  od_k ", None, "od_k"),
        ("  Bearer od_k", None, "od_k"),
        (f"Basic {basic('acme:od_k')}", "acme", "od_k"),
        (f"bASIC  {basic('acme:od_k')} ", "acme", "od_k"),
        (f"Basic {basic(':od_k')}", "", "od_k"),
        # The first colon ends the name (RFC 7617, section 2).
        (f"Basic {basic('acme:od:k')}", "acme", "od:k"),
        (f"Basic {basic('Zürich:od_k')}", "Zürich", "od_k"),
    ],
)
def test_a_key_is_read_and_the_name_beside_it(header: str, name: str | None, key: str) -> None:
    assert read_authorization(header) == Presented(api_key=key, name=name)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "send Authorization"),
        ("", "send Authorization"),
        ("Bearer", "send Authorization"),
        ("Bearer  ", "send Authorization"),
        ("Digest od_k", "send Authorization"),
        ("od_k", "send Authorization"),
        (f"Basic {basic('acme')}", "send Authorization"),
        (f"Basic {basic('acme:')}", "send Authorization"),
        (f"Basic {basic('')}", "send Authorization"),
        ("Basic ***", "not valid HTTP Basic"),
        (f"Basic {basic('acme:od_k')}\n!", "not valid HTTP Basic"),
        (f"Basic {basic(bytes([0xFF, 0x3A, 0x6B]))}", "not valid HTTP Basic"),
    ],
)
def test_anything_else_identifies_nobody(header: str | None, said: str) -> None:
    with pytest.raises(NotIdentified, match=said) as found:
        read_authorization(header)
    assert "od_k" not in found.value.message
