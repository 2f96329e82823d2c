"""What clients of SOAP engines suffer from with WS-Security, by the numbers of `docs/reference/conformance.md`."""

import base64
from datetime import timedelta

import pytest
from signed_messages import NOW, Keys, Message, moment, opened, proven, refusal, signer

from server.errors import ServerError
from server.security.wssecurity.checking import SecurityCheck
from server.security.wssecurity.freshness import Window
from soap import Version
from soap.names import WSSE, WSU

ID = f"{{{WSU}}}Id"


async def _told(message: Message, keys: Keys) -> str:
    """What the refusal says."""
    received = opened(message.bytes())
    body = next(received.payload.iterancestors())
    with pytest.raises(ServerError) as caught:
        await SecurityCheck(keys, window=Window(), now=NOW).prove(received.security, body, encrypted=False)
    return f"{caught.value.code}: {caught.value.message} {getattr(caught.value, 'detail', '')}"


async def test_pain_10_an_id_that_stands_twice_is_told_and_what_stock_clients_sign_is_taken() -> None:
    by = signer("pain")
    keys = Keys.of(by)
    for version in Version:
        for key in ("binary", "ski", "thumbprint", "embedded", "serial"):
            message = Message.of(version=version).timestamp().sign(by, key=key)
            assert await refusal(message.bytes(), keys, version=version) == "taken"
    twice = Message.of().timestamp()
    twice.security.find(f"{{{WSU}}}Timestamp").set(ID, "body")
    told = await _told(twice.sign(by), keys)

    assert told.startswith("SecurityInvalid: ")
    assert "an id stands twice" in told


@pytest.mark.parametrize(
    "created",
    [
        "2026-05-06T07:08:09Z",
        "2026-05-06T07:08:09.123Z",
        "2026-05-06T07:08:09.123456789Z",
        "2026-05-06T09:08:09+02:00",
        "2026-05-06T02:08:09-05:00",
    ],
)
async def test_pain_11_any_zone_and_any_fraction_of_created_is_read_and_a_nonce_may_be_broken_into_lines(
    created: str,
) -> None:
    keys = Keys.of(signer())
    message = Message.of().username(created=created)
    assert await refusal(message.bytes(), keys) == "taken"
    nonce = message.security.find(f".//{{{WSSE}}}Nonce")
    nonce.text = f"\n  {nonce.text[:8]}\n{nonce.text[8:]}\n"
    assert await refusal(message.bytes(), keys) == "taken"


async def test_pain_11_a_time_without_a_zone_and_an_empty_timestamp_are_told_apart_from_a_wrong_clock() -> None:
    keys = Keys.of(signer())
    assert "with its zone" in await _told(Message.of().username(created="2026-05-06T07:08:09"), keys)
    empty = Message.of().timestamp()
    stamp = empty.security.find(f"{{{WSU}}}Timestamp")
    for child in list(stamp):
        stamp.remove(child)
    assert (await _told(empty.sign(signer()), keys)).startswith("SecurityInvalid: ")
    late = await _told(Message.of().username(created=moment(NOW - timedelta(hours=1))), keys)
    assert late.startswith("SecurityExpired: ")
    assert "3600 s behind this server's clock" in late


async def test_pain_12_a_message_has_one_mark_on_every_node_kept_as_long_as_it_would_be_taken() -> None:
    by = signer("marks")
    data = Message.of().timestamp().username(nonce=base64.b64decode("bm9uY2Utb2YtMTYtYnl0")).sign(by).bytes()
    marks = []
    for _ in range(2):
        found, _ = await proven(data, Keys.of(by))
        marks.append([(proof.once.mark, proof.once.until) for proof in found.proofs if proof.once is not None])

    assert marks[0] == marks[1]
    assert len(marks[0]) == 2
    window = Window()
    for _, until in marks[0]:
        assert until >= NOW + timedelta(seconds=window.lifetime_seconds + window.skew_seconds)
