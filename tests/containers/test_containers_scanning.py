"""What our own writers wrote is read without a parser, and never otherwise than the parser reads it."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import vendor
from cryptography.hazmat.primitives.asymmetric import ec
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from containers import (
    START,
    ContainerError,
    Context,
    Counter,
    SoftwareBox,
    State,
    Step,
    StepKind,
    contexts,
    parse_state,
    read_context,
    read_signed_step,
    render_context,
    render_state,
    sign_step,
    software_serial,
    state_digest,
    states,
)
from containers import render_step as step_bytes
from containers.blocks import block_digest
from containers.signatures import SignatureParts, public_key_der, sign_raw, signature_element, signed_info
from xmlgate import Limits

_KEY = ec.derive_private_key(815, ec.SECP256R1())
_PUBLIC = public_key_der(_KEY.public_key())
_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(1))
_FIRST = Context(
    serial=software_serial(_PUBLIC),
    firm_code=vendor.FIRM,
    public_key=_PUBLIC,
    export=1,
    nonce=bytes(16),
    counter=START,
    listing=(),
    digest=state_digest(()),
    last_step=None,
    time=vendor.NOW,
)
_BODY_START = b'<context xmlns="urn:opendepot:container:1">'
_options = st.builds(
    replace,
    vendor.options,
    checkpoint_days=vendor.maybe(st.integers(0, 2**31 - 1)),
    checkpoint_time=vendor.maybe(vendor.times),
    hidden_data=vendor.maybe(vendor.digests),
    secret_data=vendor.maybe(vendor.digests),
)
_states = st.lists(
    st.builds(replace, vendor.entries, options=_options), max_size=3, unique_by=lambda each: each.license_id
).map(lambda found: tuple(sorted(found, key=lambda each: each.license_id)))


@st.composite
def _signed_steps(draw: st.DrawFn) -> bytes:
    step: Step = draw(vendor.steps())
    blocks = sorted(draw(st.sets(st.binary(min_size=4, max_size=40), max_size=2)), key=block_digest)
    put = list(step.put)
    for place, block in enumerate(blocks[: len(put)]):
        named = replace(put[place].options, protected_data=block_digest(block))
        put[place] = replace(put[place], options=named)
    step = replace(step, firm_code=vendor.FIRM, put=tuple(put), blocks=tuple(blocks[: len(put)]))
    return sign_step(step_bytes(step), firm_code=vendor.FIRM, box=_BOX)


@st.composite
def _contexts(draw: st.DrawFn) -> Context:
    listing: State = draw(_states)
    signed = draw(vendor.maybe(_signed_steps()))
    return Context(
        serial=draw(st.one_of(st.just(software_serial(_PUBLIC)), st.just("3-4019155"), vendor.serials)),
        firm_code=draw(st.integers(1, 2**32 - 1)),
        public_key=_PUBLIC,
        export=draw(st.integers(1, 2**63 - 1)),
        nonce=draw(st.binary(min_size=16, max_size=16)),
        counter=draw(vendor.counters),
        listing=listing,
        digest=draw(st.one_of(st.just(state_digest(listing)), vendor.digests)),
        last_step=None if signed is None else read_signed_step(signed),
        time=draw(vendor.times),
    )


def _written(context: Context) -> bytes:
    return render_context(context, sign=lambda info: sign_raw(_KEY, info))


def _signed_again(body: bytes) -> bytes:
    """A file with this body, whatever it holds, under a signature that fits it."""
    named = re.search(rb'<body[^>]* Id="([a-z0-9-]+)"', body)
    reference = "context-1" if named is None else named[1].decode("ascii")
    digest = hashlib.sha256(body).digest()
    parts = SignatureParts(digest=digest, value=sign_raw(_KEY, signed_info(reference, digest)), certificate=None)
    return _BODY_START + body + signature_element(reference, parts) + b"</context>"


def _body(data: bytes) -> bytes:
    return data[len(_BODY_START) : data.rindex(b"<ds:Signature ")]


def _told(read: Callable[[], object]) -> object:
    try:
        return read()
    except ContainerError as error:
        return error.code, str(error), error.line


def _same_either_way(data: bytes) -> bool:
    """Whether both ways say the same of a file; only the limits that nobody has set are scanned for."""
    return _told(lambda: read_context(data)) == _told(lambda: read_context(data, limits=Limits()))


def _no_parser(*_: object, **__: object) -> None:
    raise AssertionError("the parser was asked for what our own writer wrote")


@given(context=_contexts())
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_what_a_container_writes_is_read_without_a_parser_and_as_the_parser_reads_it(context: Context) -> None:
    data = _written(context)
    assert _same_either_way(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(contexts, "read_tree", _no_parser)
        found = _told(lambda: read_context(data))
    assert found == context or (isinstance(found, tuple) and found[0] in {"SerialWrong", "DigestWrong"})


@given(
    context=_contexts(),
    place=st.floats(0, 1, exclude_max=True),
    length=st.integers(0, 3),
    put=st.one_of(st.sampled_from([b"", b"0", b"1", b"9", b"A", b"=", b" ", b"\n", b"&", b"<", b"\xff"]), st.binary()),
)
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_a_body_changed_anywhere_and_signed_again_is_read_in_one_way(
    context: Context, place: float, length: int, put: bytes
) -> None:
    body = _body(_written(context))
    at = int(place * len(body))
    assert _same_either_way(_signed_again(body[:at] + put + body[at + length :]))


_VALUES = re.compile(rb"(?<=>)[^<]+(?=</)")
_ODD = (
    *(b"", b"0", b"00", b"01", b"+1", b"-1", b"1 ", b"4294967296", b"2147483648", b"9223372036854775808"),
    *(b"&gt;", b">", b"&#62;", b"&quot;", b"]]&gt;", b"&#13;", b"\r", b"\t", b"&#xD;", b"\xc2\x85", b"\x7f"),
    *(b"2026-02-30T00:00:00Z", b"2026-02-28T24:00:00Z", b"0999-01-01T00:00:00Z", b"2026-01-01T00:00:60Z"),
    *(b"2026-01-01T00:00:00+00:00", b"2026-W01-1T00:00:00Z", b"AAAA", b"AAA=", b"AAB=", b"A", b"Delta"),
    *(b"x" * 64, b"x" * 65, b"\xc3\xa4" * 128, b"\xc3\xa4" * 129, b"x" * 257, b"A" * 44_400),
)


@given(
    context=_contexts(),
    which=st.integers(0, 1000),
    value=st.one_of(st.sampled_from(_ODD), st.binary(max_size=80)),
)
@settings(derandomize=True, deadline=None, max_examples=examples(150))
def test_a_value_changed_and_signed_again_is_read_in_one_way(context: Context, which: int, value: bytes) -> None:
    body = _body(_written(context))
    places = [match.span() for match in _VALUES.finditer(body)]
    begin, end = places[which % len(places)]
    assert _same_either_way(_signed_again(body[:begin] + value + body[end:]))


@given(context=_contexts(), place=st.floats(0, 1, exclude_max=True), put=st.binary(max_size=1))
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_a_file_changed_in_one_byte_is_read_in_one_way(context: Context, place: float, put: bytes) -> None:
    data = _written(context)
    at = int(place * len(data))
    assert _same_either_way(data[:at] + put + data[at + 1 :])


def test_a_context_s_signature_bears_no_certificate_either_way() -> None:
    data = _written(_FIRST)
    parts = SignatureParts(digest=bytes(32), value=bytes(64), certificate=b"certificate")
    certified = signature_element("context-1", parts)
    key_info = certified[certified.index(b"<ds:KeyInfo>") : certified.index(b"</ds:Signature>")]
    changed = data.replace(b"</ds:Signature>", key_info + b"</ds:Signature>")
    assert _same_either_way(changed)
    assert not isinstance(_told(lambda: read_context(changed)), Context)


@pytest.mark.parametrize("length", [0, 1, 90, 92, 4096])
def test_a_key_of_another_length_is_told_by_the_schema_either_way(length: int) -> None:
    assert _same_either_way(_written(replace(_FIRST, serial="3-1", public_key=bytes(length))))


@pytest.mark.parametrize("length", [1, 3, 4, 33_300, 33_301])
def test_a_block_of_any_length_is_judged_as_the_schema_does(length: int) -> None:
    block = bytes(length)
    entry = vendor.entry()
    put = (replace(entry, options=replace(entry.options, protected_data=block_digest(block))),)
    step = Step(
        serial="130-1",
        firm_code=vendor.FIRM,
        kind=StepKind.RESET,
        from_counter=START,
        to_counter=Counter(1, 1),
        digest_before=state_digest(()),
        digest_after=state_digest(put),
        seen=vendor.Seen(export=1, nonce=bytes(16)),
        issued=vendor.NOW,
        put=put,
        remove=(),
        blocks=(block,),
    )
    signed = sign_step(step_bytes(step), firm_code=vendor.FIRM, box=_BOX)
    inside = b"<signedStep><step" + signed[signed.index(b"<step") + len(b'<step xmlns="urn:opendepot:container:1"') :]
    holding = replace(_FIRST, export=2, counter=step.to_counter, listing=put, digest=step.digest_after)
    body = _body(_written(holding)).replace(b"<time>", b"<lastStep>" + inside + b"</lastStep><time>")
    data = _signed_again(body)
    assert _same_either_way(data)
    assert isinstance(_told(lambda: read_context(data)), Context) == (4 <= length <= 33_300)


@given(state=_states)
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_a_listing_that_was_written_is_read_without_a_parser(state: State) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(states, "read_tree", _no_parser)
        assert parse_state(render_state(state)) == state


@given(state=_states, place=st.floats(0, 1, exclude_max=True), length=st.integers(0, 3), put=st.binary(max_size=3))
@example(state=(), place=0.0, length=0, put=b"")
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_a_listing_changed_anywhere_is_read_in_one_way(state: State, place: float, length: int, put: bytes) -> None:
    data = render_state(state)
    at = int(place * len(data))
    changed = data[:at] + put + data[at + length :]
    found = _told(lambda: parse_state(changed))
    with pytest.MonkeyPatch.context() as patched:
        # No listing is as short as that, so none is scanned.
        patched.setattr(states, "MOST_SCANNED", 0)
        assert _told(lambda: states.parsed(changed)) == found
