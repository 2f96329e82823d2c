"""Digests and links of the audit chain are those that decision 10 describes, and no two rows share one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.audit import SealingKey, read_head, render_head
from licensing.audit.chain import FIRST_LINK, details_digest, is_signed, next_link, row_digest
from licensing.errors import AuditHeadInvalid
from storage.audit import AuditHead
from storage.records import AuditRow

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = AuditRow(at=NOW, actor="shop:a", action="CreateOrder", subject="order", details='{"lines":1}')
SALT = bytes(16)


def framed(*parts):
    return sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).digest()


def test_the_format_is_the_one_that_is_described():
    details = details_digest(ROW, SALT)
    assert details == framed(b"details", SALT, b'{"lines":1}')
    digest = row_digest(ROW, details)
    assert digest == framed(b"row", b"2027-01-02T03:04:05.000000+00:00", b"shop:a", b"CreateOrder", b"order", details)
    assert next_link(FIRST_LINK, 1, digest) == framed(b"link", bytes(32), b"1", digest)


TEXTS = st.text(alphabet="ab:", max_size=4)
ROWS = st.builds(
    AuditRow,
    at=st.integers(0, 3).map(lambda count: NOW + timedelta(microseconds=count)),
    actor=TEXTS,
    action=TEXTS,
    subject=TEXTS,
    details=TEXTS,
)


@given(one=ROWS, other=ROWS)
def test_rows_have_the_same_digest_only_when_they_are_the_same(one, other):
    digests = [row_digest(row, details_digest(row, SALT)) for row in (one, other)]
    assert (digests[0] == digests[1]) is (one == other)


def test_another_salt_place_or_link_before_gives_another_link():
    details = {details_digest(ROW, salt) for salt in (SALT, b"1" * 16)}
    links = {next_link(before, place, digest) for before in details for place in (1, 11) for digest in details}
    assert (len(details), len(links)) == (2, 8)


@given(position=st.integers(1, 2**62), link=st.binary(min_size=32, max_size=32), microseconds=st.integers(0, 10**15))
def test_a_signed_head_survives_being_kept_and_no_part_of_it_can_be_changed(position, link, microseconds):
    key = SealingKey(bytes(32))
    at = NOW + timedelta(microseconds=microseconds)
    head = key.sign(AuditHead(position=position, link=link, sealed_at=at, public_key=b"", signature=b""))
    assert is_signed(head)
    assert read_head(render_head(head)) == head
    for changed in (
        replace(head, position=position + 1),
        replace(head, link=bytes([link[0] ^ 1]) + link[1:]),
        replace(head, sealed_at=at + timedelta(microseconds=1)),
        replace(head, public_key=SealingKey(bytes([1]) * 32).public_key),
        replace(head, signature=head.signature[:-1]),
    ):
        assert not is_signed(changed)
        with pytest.raises(AuditHeadInvalid):
            read_head(render_head(changed))
