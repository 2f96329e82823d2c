"""The check of signatures that the page on webhooks shows takes what the server signs, and nothing else."""

import base64
import re
from pathlib import Path

import pytest

from server.outbox.webhook import signature

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "webhooks.md"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def is_genuine():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    return names["is_genuine"]


def test_the_example_takes_our_signatures_and_refuses_others(is_genuine):
    headers = {
        "webhook-id": "id",
        "webhook-timestamp": "1000",
        "webhook-signature": "v1,other " + signature(bytes(range(32)), "id", 1000, b"{}"),
    }
    assert is_genuine(SECRET, headers, b"{}", now=1010)
    assert not is_genuine(SECRET, headers, b"{ }", now=1010)
    assert not is_genuine(SECRET, headers, b"{}", now=1400)
    assert not is_genuine(SECRET, {**headers, "webhook-id": "other"}, b"{}", now=1010)
    assert not is_genuine("whsec_" + base64.b64encode(bytes(32)).decode(), headers, b"{}", now=1010)
