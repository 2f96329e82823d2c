"""Both gates as they stand before a server: who is let in, by what, and what is told and counted of it."""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gates_bench import BODIES, HERE, LISTED, World, calling, front, message
from signed_messages import NOW, Message, opened, signer

from ipfilters import Endpoint, Forwarding
from licensing.errors import RightMissing
from licensing.rights import BULK, FRONT, ORDER, READ
from server.errors import AddressDenied, ClientUnknown, FiltersStale, FrontRefused, NotIdentified, RoleMissing
from server.filters.keeper import STALE_SECONDS
from server.security.callers import Caller, Calling
from server.security.gates import NO_SHOP, Gates, form_of, gate_a
from server.security.wssecurity.refusals import SecurityFailed, SecurityUnsupported
from soap import SoapError, Version
from soap.names import WSSE
from storage.records import AccessPolicy

DENY = f'[[global]]\ndeny = "{HERE}"'
ALLOW = f'[[global]]\nallow = "{HERE}"'
BULK_CALL = '<GetLicenseUpdates xmlns="urn:opendepot:depot:1"><customerNumber>C-1</customerNumber></GetLicenseUpdates>'


async def admitted(gates: Gates, call: Calling, **options: Any) -> Caller:
    """Pass both gates with a message."""
    gates.admit_address(call)
    _, caller = await gates.admit(message(call.endpoint, **options), call)
    return caller


async def refused(gates: Gates, call: Calling, kind: type[Exception] = NotIdentified, **options: Any) -> Any:
    """The refusal of a request by one of the gates."""
    with pytest.raises(kind) as found:
        await admitted(gates, call, **options)
    return found.value


# Gate A: what the header of HTTP says


@pytest.mark.parametrize("version", list(Version))
def test_gate_a_lets_a_plain_body_of_up_to_the_limit_pass(version: Version) -> None:
    for encoding in (None, "", "identity", " Identity "):
        for declared in (None, 0, 1000):
            kind = gate_a(content_type=version.content_type, content_encoding=encoding, declared=declared, most=1000)
            assert kind.version is version


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize(
    ("encoding", "declared", "code"),
    [("gzip", None, "ContentEncodingRefused"), ("br", 5, "ContentEncodingRefused"), (None, 1001, "TooLarge")],
)
def test_gate_a_refuses_by_the_head_alone_in_the_version_of_the_request(
    version: Version, encoding: str | None, declared: int | None, code: str
) -> None:
    with pytest.raises(SoapError) as found:
        gate_a(content_type=version.content_type, content_encoding=encoding, declared=declared, most=1000)
    assert (found.value.code, found.value.version) == (code, version)


# Who the client is


def test_a_proxy_that_nobody_listed_is_told_nothing_by(world: World) -> None:
    gates = world.gates(certificate_header="client-cert")
    call = calling(gates, x_forwarded_for="198.51.100.1", x_forwarded_proto="https", client_cert="garbage")
    assert (call.client.address, call.secure, call.certificate) == (HERE, False, None)
    call = calling(gates, secure=True, certificate=b"der", key="k", named="acme")
    assert (call.secure, call.certificate, call.authorization, call.named) == (True, b"der", "Bearer k", "acme")
    assert (call.allowed, call.version, call.front) == (None, 0, None)


def test_a_listed_proxy_tells_the_client_and_whether_it_came_by_tls(world: World) -> None:
    gates = world.gates()
    for told, secure in (("https", True), (" HTTPS ", True), ("http", False), ("", False)):
        call = calling(gates, peer=LISTED, x_forwarded_for="198.51.100.1", x_forwarded_proto=told)
        assert (call.client.address, call.secure) == ("198.51.100.1", secure), told
    assert calling(gates, peer=LISTED, secure=True, x_forwarded_proto="http").secure
    assert calling(gates, peer=LISTED).client.address == LISTED
    with pytest.raises(ClientUnknown):
        calling(gates, peer=LISTED, x_forwarded_for="garbage")


def test_a_listed_proxy_tells_the_certificate_only_in_the_header_that_is_set(world: World) -> None:
    der = signer().der
    text = _base64(der)
    gates = world.gates(certificate_header="client-cert")
    assert calling(gates, peer=LISTED, client_cert=text).certificate == der
    assert calling(gates, peer=LISTED, client_cert=text, certificate=b"the proxy's own").certificate == der
    for blank in ({}, {"client_cert": ""}, {"client_cert": "  "}):
        assert calling(gates, peer=LISTED, certificate=b"its own", **blank).certificate == b"its own"
    with pytest.raises(ClientUnknown, match=r"^client-cert: "):
        calling(gates, peer=LISTED, client_cert="garbage")
    assert calling(world.gates(), peer=LISTED, client_cert=text).certificate is None


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def test_the_name_of_the_header_says_how_it_is_read(world: World) -> None:
    assert form_of("forwarded") is Forwarding.FORWARDED
    assert form_of("x-forwarded-for") is form_of("x-real-ip") is Forwarding.X_FORWARDED_FOR
    gates = world.gates(header="forwarded")
    assert calling(gates, peer=LISTED, forwarded="for=198.51.100.1").client.address == "198.51.100.1"


# The address alone


async def test_who_reads_what_is_published_is_refused_by_a_deny_alone(world: World) -> None:
    await world.rules(DENY)
    gates = world.gates()
    with pytest.raises(AddressDenied) as found:
        gates.admit_reader(calling(gates))
    assert (found.value.denial or {})["policy"] is None
    gates.admit_reader(calling(gates, peer="198.51.100.1"))
    await world.rules('[[shop.acme]]\ndeny = "0.0.0.0/0"\n[defaults]\nDepot = "deny"')
    for endpoint in BODIES:
        gates.admit_reader(calling(gates, endpoint))
    # Even of filters that are old.
    world.later(STALE_SECONDS + 1)
    gates.admit_reader(calling(gates))


async def test_a_deny_that_has_expired_is_none(world: World) -> None:
    await world.rules(f"{DENY}\nexpires_at = {(NOW + timedelta(seconds=10)).isoformat()}")
    gates = world.gates()
    with pytest.raises(AddressDenied):
        gates.admit_reader(calling(gates))
    world.now = NOW + timedelta(seconds=11)
    gates.admit_reader(calling(gates))


async def test_gate_a_asks_the_rules_at_each_service_as_its_policy_has_it(world: World) -> None:
    await world.rules('[defaults]\nDepot = "deny"')
    gates = world.gates()
    gates.admit_address(calling(gates, Endpoint.ADMIN))
    gates.admit_address(calling(gates))
    with pytest.raises(AddressDenied) as found:
        gates.admit_address(calling(gates, Endpoint.DEPOT))
    assert (found.value.denial or {})["policy"] == "ip"
    strict = world.gates(admin_policy=AccessPolicy.IP_AND_CREDENTIAL)
    with pytest.raises(AddressDenied) as found:
        strict.admit_address(calling(strict, Endpoint.ADMIN))
    assert (found.value.denial or {})["policy"] == "ip AND credential"
    gates.admit_address(calling(gates, Endpoint.OZOMM))


async def test_what_the_rules_say_is_kept_with_the_request(world: World) -> None:
    await world.rules(ALLOW)
    gates = world.gates()
    for peer, allowed in ((HERE, True), ("198.51.100.1", False)):
        call = calling(gates, Endpoint.ADMIN, peer=peer)
        gates.admit_address(call)
        assert (call.allowed, call.version) == (allowed, 1)


async def test_sales_and_admin_are_closed_when_the_rules_are_old_and_the_depot_is_not(world: World) -> None:
    await world.rules(ALLOW)
    gates = world.gates()
    world.later(STALE_SECONDS + 1)
    for endpoint in (Endpoint.SALES, Endpoint.ADMIN):
        with pytest.raises(FiltersStale):
            gates.admit_address(calling(gates, endpoint))
    gates.admit_address(calling(gates, Endpoint.DEPOT))


async def test_a_shop_in_the_url_is_refused_before_its_body_where_nothing_could_let_it_in(world: World) -> None:
    gates = world.gates()
    key = await world.shop("by-key")
    await world.shop("by-address", policy=AccessPolicy.IP)
    await world.shop("by-certificate", policy=AccessPolicy.MTLS)
    await world.shop("by-both", policy=AccessPolicy.IP_AND_CREDENTIAL)
    await world.rules(ALLOW)
    for name, peer, given, passes in (
        # A key or a certificate may still be right; a message may still hold a header block.
        ("by-key", HERE, {"key": key}, True),
        ("by-key", HERE, {"certificate": b"der"}, True),
        ("by-key", HERE, {}, True),
        ("by-certificate", HERE, {}, False),
        ("by-certificate", HERE, {"certificate": b"der"}, True),
        ("by-address", HERE, {}, True),
        ("by-address", "198.51.100.1", {"key": key}, False),
        ("by-both", "198.51.100.1", {"key": key}, False),
        ("by-both", HERE, {"key": key}, True),
        ("nobody", HERE, {"key": key}, True),
        ("nobody", HERE, {}, True),
    ):
        call = calling(gates, named=name, peer=peer, **given)
        if passes:
            gates.admit_address(call)
            continue
        with pytest.raises(NotIdentified) as found:
            gates.admit_address(call)
        assert found.value.message == NO_SHOP, (name, peer, given)
        assert found.value.denial is not None
        assert found.value.denial["named"] == name


async def test_the_rules_of_the_shop_in_the_url_count_at_gate_a(world: World) -> None:
    await world.shop(policy=AccessPolicy.IP)
    await world.rules(f'{ALLOW}\n[[shop.acme]]\ndeny = "{HERE}"')
    gates = world.gates()
    with pytest.raises(NotIdentified) as found:
        gates.admit_address(calling(gates, named="acme"))
    denial = found.value.denial or {}
    assert (denial["shop"], denial["policy"], denial["allowed"]) == ("acme", "ip", False)
    # Of a name that is no shop's, the rules of that name are not asked, and the policy is the usual one.
    await world.rules(f'[[global]]\ndeny = "198.51.100.1"\n[[shop.nobody]]\ndeny = "{HERE}"')
    gates.admit_address(calling(gates, named="nobody", key="k"))


# Gate B: administrators


async def test_an_administrator_is_known_by_a_key_and_asked_for_a_role(world: World) -> None:
    gates = world.gates()
    await world.keeper.look()
    key = await world.catalogue.add_administrator("ops", roles=("read",))
    caller = await admitted(gates, calling(gates, Endpoint.ADMIN, key=key))
    assert (caller.administrator, caller.identified_shop, caller.address) == ("ops", None, HERE)
    with pytest.raises(AssertionError):
        assert caller.shop
    change = '<CreateShop xmlns="urn:opendepot:admin:1"><shopName>x</shopName></CreateShop>'
    await refused(gates, calling(gates, Endpoint.ADMIN, key=key), RoleMissing, body=change)
    assert (await refused(gates, calling(gates, Endpoint.ADMIN, key="od_wrong"))).denial is None
    await refused(gates, calling(gates, Endpoint.ADMIN))


async def test_a_shop_is_no_administrator_and_an_administrator_no_shop(world: World) -> None:
    gates = world.gates()
    shop = await world.shop()
    admin = await world.catalogue.add_administrator("ops")
    await refused(gates, calling(gates, Endpoint.ADMIN, key=shop))
    await refused(gates, calling(gates, key=admin))


async def test_an_administrator_speaks_for_nobody_and_signs_nothing(world: World) -> None:
    gates = world.gates()
    await world.keeper.look()
    key = await world.catalogue.add_administrator("ops")
    await refused(gates, calling(gates, Endpoint.ADMIN, key=key), FrontRefused, header=front())
    security = f'<w:Security xmlns:w="{WSSE}"/>'
    await refused(gates, calling(gates, Endpoint.ADMIN, key=key), SecurityUnsupported, header=security)


async def test_gate_b_asks_for_the_address_of_an_administrator_again(world: World) -> None:
    """A body may have taken long to arrive, and the rules be others now."""
    await world.keeper.look()
    key = await world.catalogue.add_administrator("ops")
    gates = world.gates()
    call = calling(gates, Endpoint.ADMIN, key=key)
    gates.admit_address(call)
    await world.rules(DENY)
    with pytest.raises(AddressDenied) as found:
        await gates.admit(message(Endpoint.ADMIN), call)
    assert (found.value.denial or {})["policy"] == "credential"


# Gate B: shops at Sales


async def test_a_key_proves_its_shop_and_a_wrong_one_nobody(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    caller = await admitted(gates, calling(gates, key=key))
    assert (caller.shop.name, caller.kinds, caller.address, caller.account) == ("acme", ("api-key",), HERE, None)
    assert len(caller.credential_ids) == 1
    assert caller.marks == ()
    with pytest.raises(AssertionError):
        assert caller.administrator
    found = await refused(gates, calling(gates, key="od_wrong"))
    assert (found.message, found.denial) == ("this API key belongs to no active shop", None)


async def test_whoever_names_a_shop_learns_nothing_of_it(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.shop("other")
    for call in (
        calling(gates, key="od_wrong", named="acme"),
        calling(gates, key="od_wrong", named="nobody"),
        calling(gates, key=key, named="other"),
        calling(gates, key=key, named="nobody"),
        calling(gates, named="acme"),
        calling(gates, named="nobody"),
        calling(gates, named="acme", certificate=signer("foreign").der),
    ):
        assert (await refused(gates, call)).message == NO_SHOP
    assert (await admitted(gates, calling(gates, key=key, named="acme"))).shop.name == "acme"


async def test_a_large_body_goes_to_the_parser_only_from_whom_the_head_proves(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.shop("by-address", policy=AccessPolicy.IP)
    await world.shop("signing", policy=AccessPolicy.SIGNATURE)
    await world.certificate("signing", signer().certificate)
    await world.rules(ALLOW)
    for call in (
        calling(gates, key=key),
        calling(gates, certificate=signer().der),
        calling(gates, named="by-address"),
    ):
        await gates.admit_large(call, usual=1024)
    for call, words in (
        (calling(gates), "a body of more than 1024 bytes is read only from whom its HTTP head identifies"),
        (calling(gates, certificate=signer("foreign").der), "a body of more than 1024 bytes"),
        (calling(gates, key="od_wrong"), "this API key belongs to no active shop"),
        (calling(gates, named="by-address", peer="198.51.100.1"), NO_SHOP),
        (calling(gates, named="signing"), NO_SHOP),
    ):
        with pytest.raises(NotIdentified) as found:
            await gates.admit_large(call, usual=1024)
        assert words in found.value.message


async def test_without_any_proof_it_is_said_what_is_missing(world: World) -> None:
    gates = world.gates()
    await world.keeper.look()
    assert "send Authorization" in (await refused(gates, calling(gates))).message
    foreign = calling(gates, certificate=signer("foreign").der)
    assert "this client certificate" in (await refused(gates, foreign)).message


async def test_a_certificate_proves_its_shop_and_a_foreign_one_beside_a_key_hurts_nobody(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.certificate("acme", signer().certificate)
    caller = await admitted(gates, calling(gates, certificate=signer().der))
    assert (caller.shop.name, caller.kinds) == ("acme", ("certificate",))
    caller = await admitted(gates, calling(gates, key=key, certificate=signer("foreign").der))
    assert caller.kinds == ("api-key",)
    caller = await admitted(gates, calling(gates, key=key, certificate=signer().der))
    assert caller.kinds == ("api-key", "certificate")
    world.now = NOW + timedelta(days=400)
    await refused(gates, calling(gates, certificate=signer().der))


async def test_proofs_of_two_shops_prove_neither(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.shop("other")
    await world.certificate("other", signer("other").certificate)
    assert (await refused(gates, calling(gates, key=key, certificate=signer("other").der))).message == NO_SHOP


async def test_an_operation_asks_for_its_right(world: World) -> None:
    gates = world.gates()
    key = await world.shop(rights=(ORDER,))
    with pytest.raises(RightMissing, match="ListItems needs the right read"):
        await admitted(gates, calling(gates, key=key))


async def test_the_address_alone_proves_the_shop_that_the_url_names(world: World) -> None:
    gates = world.gates()
    key = await world.shop(policy=AccessPolicy.IP)
    await world.rules(ALLOW)
    caller = await admitted(gates, calling(gates, named="acme"))
    assert (caller.shop.name, caller.kinds, caller.credential_ids) == ("acme", (), ())
    found = await refused(gates, calling(gates, named="acme", peer="198.51.100.1"))
    assert found.message == NO_SHOP
    # Its key is none under this policy, and without the name it is told why.
    assert "add its name to the URL" in (await refused(gates, calling(gates, key=key))).message
    assert (await admitted(gates, calling(gates, key=key, named="acme"))).shop.name == "acme"


async def test_gate_b_alone_says_no_to_a_name_too(world: World) -> None:
    """What gate A let pass, since a header block might have followed, has none."""
    gates = world.gates()
    await world.shop(policy=AccessPolicy.IP_AND_SIGNATURE)
    await world.rules(ALLOW)
    for named, shop, policy in (("acme", "acme", "ip AND signature"), ("nobody", None, "credential")):
        found = await refused(gates, calling(gates, named=named))
        assert found.message == NO_SHOP
        assert (found.denial["shop"], found.denial["policy"], found.denial["named"]) == (shop, policy, named)


async def test_a_deny_for_the_shop_counts_when_the_shop_is_known(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.rules(f'[[shop.acme]]\ndeny = "{HERE}"')
    call = calling(gates, key=key)
    found = await refused(gates, call, AddressDenied)
    assert (found.denial["shop"], found.denial["policy"], found.denial["client"]) == ("acme", "credential", HERE)
    assert (call.allowed, call.version) == (False, 1)


@pytest.mark.parametrize(
    ("policy", "way"),
    [
        (AccessPolicy.MTLS, "its TLS client certificate"),
        (AccessPolicy.SIGNATURE, "a signature over the message"),
        (AccessPolicy.IP_AND_MTLS, "its TLS client certificate"),
        (AccessPolicy.IP_OR_SIGNATURE, "a signature over the message"),
    ],
)
async def test_a_proof_of_another_kind_is_not_enough(world: World, policy: AccessPolicy, way: str) -> None:
    gates = world.gates()
    key = await world.shop(policy=policy)
    await world.rules('[[global]]\nallow = "198.51.100.1"' if "OR" in policy else ALLOW)
    assert way in (await refused(gates, calling(gates, key=key))).message


async def test_the_policy_is_that_of_the_state_that_the_rules_are_of(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    await world.catalogue.set_policy("acme", AccessPolicy.SIGNATURE)
    assert (await admitted(gates, calling(gates, key=key))).shop.access_policy is AccessPolicy.CREDENTIAL
    await world.keeper.look()
    await refused(gates, calling(gates, key=key))
    # A shop that was added since is judged by what it came with.
    _, fresh = await world.catalogue.add_shop("newer")
    assert (await admitted(gates, calling(gates, key=fresh))).shop.name == "newer"


async def test_old_rules_let_no_shop_in_at_gate_b_either(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    call = calling(gates, key=key)
    gates.admit_address(call)
    world.later(STALE_SECONDS + 1)
    with pytest.raises(FiltersStale):
        await gates.admit(message(), call)


# Gate B: what is in the message


async def test_a_signed_message_proves_its_shop_and_leaves_a_mark(world: World) -> None:
    gates = world.gates()
    await world.shop(policy=AccessPolicy.SIGNATURE, rights=(ORDER, READ))
    await world.certificate("acme", signer().certificate)
    received = opened(Message.of().timestamp().sign(signer()).bytes())
    call = calling(gates)
    gates.admit_address(call)
    proven, caller = await gates.admit(received, call)
    assert proven is received
    assert (caller.shop.name, caller.kinds, len(caller.marks)) == ("acme", ("signature",), 1)
    assert world.counted("message_security", outcome="signature") == 1
    foreign = opened(Message.of().timestamp().sign(signer("foreign")).bytes())
    with pytest.raises(SecurityFailed):
        await gates.admit(foreign, call)
    assert world.counted("message_security", outcome="SecurityFailed") == 1


async def test_a_wrong_header_block_is_refused_whatever_else_proves_the_shop(world: World) -> None:
    gates = world.gates()
    key = await world.shop()
    foreign = opened(Message.of().timestamp().sign(signer("foreign")).bytes())
    with pytest.raises(SecurityFailed):
        await gates.admit(foreign, calling(gates, key=key))


# The Depot


async def test_the_depot_asks_nobody_who_they_are(world: World) -> None:
    gates = world.gates()
    await world.keeper.look()
    for key in (None, "od_wrong"):
        caller = await admitted(gates, calling(gates, Endpoint.DEPOT, key=key))
        assert (caller.identified_shop, caller.address, caller.kinds) == (None, HERE, ())


async def test_an_operation_of_the_depot_for_shops_asks_who_shows_a_credential(world: World) -> None:
    gates = world.gates()
    key = await world.shop(rights=(BULK,))
    caller = await admitted(gates, calling(gates, Endpoint.DEPOT), body=BULK_CALL)
    assert caller.identified_shop is None
    caller = await admitted(gates, calling(gates, Endpoint.DEPOT, key=key), body=BULK_CALL)
    assert caller.shop.name == "acme"
    await refused(gates, calling(gates, Endpoint.DEPOT, key="od_wrong"), body=BULK_CALL)
    bare = world.gates(requirements={})
    caller = await admitted(bare, calling(bare, Endpoint.DEPOT, key=key), body=BULK_CALL)
    assert caller.identified_shop is None


async def test_a_header_block_at_the_depot_is_never_left_unread(world: World) -> None:
    gates = world.gates()
    await world.keeper.look()
    security = f'<w:Security xmlns:w="{WSSE}"/>'
    call = calling(gates, Endpoint.DEPOT)
    with pytest.raises(Exception, match="must hold a UsernameToken or a Signature"):
        await admitted(gates, call, header=security)


async def test_the_depot_has_a_policy_of_its_own(world: World) -> None:
    gates = world.gates()
    key = await world.shop(rights=(BULK, READ))
    await world.credentials.set_depot_policy("acme", AccessPolicy.SIGNATURE)
    await world.keeper.look()
    assert (await admitted(gates, calling(gates, key=key))).shop.name == "acme"
    await refused(gates, calling(gates, Endpoint.DEPOT, key=key), body=BULK_CALL)


# Fronts


@pytest.fixture
async def fronting(world: World) -> Gates:
    """Gates in front of a shop that may speak for others, by its certificate."""
    await world.shop(rights=(FRONT, READ))
    await world.certificate("acme", signer().certificate)
    return world.gates()


async def spoken(gates: Gates, endpoint: Endpoint = Endpoint.DEPOT, **options: Any) -> tuple[Caller, Calling]:
    call = calling(gates, endpoint, certificate=signer().der)
    return await admitted(gates, call, header=front(**options)), call


async def test_a_front_speaks_for_a_client_and_its_account(fronting: Gates) -> None:
    caller, call = await spoken(fronting, account="erika")
    assert (caller.address, caller.account, caller.shop.name) == ("198.51.100.7", "erika", "acme")
    assert (call.client.address, call.client.peer, call.front) == ("198.51.100.7", HERE, HERE)
    caller, _ = await spoken(fronting, address="::ffff:198.51.100.8")
    assert (caller.address, caller.account) == ("198.51.100.8", None)
    caller, call = await spoken(fronting, Endpoint.SALES)
    assert call.client.address == "198.51.100.7"


async def test_no_address_is_none_to_speak_for(fronting: Gates) -> None:
    with pytest.raises(ClientUnknown, match="OnBehalfOf/clientAddress"):
        await spoken(fronting, address="localhost")


async def test_a_key_is_too_weak_to_speak_for_others(world: World) -> None:
    gates = world.gates()
    key = await world.shop(rights=(FRONT, READ))
    found = await refused(gates, calling(gates, Endpoint.DEPOT, key=key), FrontRefused, header=front())
    assert "certificate or a signature" in found.message
    await refused(gates, calling(gates, Endpoint.DEPOT), header=front())


async def test_who_has_not_the_right_is_no_front(world: World) -> None:
    gates = world.gates()
    await world.shop()
    await world.certificate("acme", signer().certificate)
    with pytest.raises(FrontRefused, match="right front"):
        await spoken(gates)
    caller = await admitted(gates, calling(gates, certificate=signer().der))
    assert caller.address == HERE


async def test_the_rules_are_asked_for_the_address_that_a_front_tells(world: World, fronting: Gates) -> None:
    await world.rules('[[global]]\ndeny = "198.51.100.0/24"')
    for endpoint in (Endpoint.DEPOT, Endpoint.SALES):
        with pytest.raises(AddressDenied) as found:
            await spoken(fronting, endpoint)
        denial = found.value.denial or {}
        assert (denial["client"], denial["shop"], denial["policy"]) == ("198.51.100.7", "acme", None)
    # Where only some are allowed: the Depot's clients must be, those of a shop's own servers need not.
    await world.rules(f'{ALLOW}\n[defaults]\nDepot = "deny"')
    with pytest.raises(AddressDenied):
        await spoken(fronting, Endpoint.DEPOT)
    await spoken(fronting, Endpoint.SALES)


# What is counted and told


async def test_each_decision_is_counted_by_who_was_asked_about(world: World) -> None:
    gates = world.gates()
    key = await world.shop(rights=(FRONT, READ))
    await world.certificate("acme", signer().certificate)
    await world.rules(ALLOW)

    def decisions(kind: str) -> float:
        return world.counted("filter_decisions", shop=kind, mode="enforce", outcome="allow-rule")

    await admitted(gates, calling(gates, key=key))
    assert decisions("identified") == 1
    await admitted(gates, calling(gates, key=key, named="acme"))
    assert (decisions("named"), decisions("identified")) == (1, 2)
    await admitted(gates, calling(gates, Endpoint.DEPOT))
    assert world.counted("filter_decisions", endpoint="Depot", shop="none") == 1
    await spoken(gates, Endpoint.SALES)
    assert world.counted("filter_decisions", shop="told", outcome="default-deny") == 1
    assert world.counted("filter_hits", mode="enforce", outcome="allow") == 5
    assert world.counted("filter_denials") == 0


async def test_a_denial_is_counted_once_and_told_to_the_log_alone(world: World) -> None:
    gates = world.gates()
    await world.rules(DENY)
    with pytest.raises(AddressDenied) as found:
        gates.admit_address(calling(gates, named="acme"))
    assert world.counted("filter_denials", endpoint="Sales") == 1
    assert world.counted("filter_decisions", endpoint="Sales", shop="none", outcome="deny-rule") == 1
    gates.tell_denied("a reference", found.value.denial or {})
    (event,) = [event for event in world.events() if event["event"] == "address_denied"]
    assert (event["reference"], event["client"], event["named"], event["shop"]) == ("a reference", HERE, "acme", None)
    assert HERE not in found.value.message


async def test_a_rule_in_shadow_mode_is_counted_and_lets_in(world: World) -> None:
    gates = world.gates()
    await world.rules(f'{DENY}\nmode = "shadow"')
    await admitted(gates, calling(gates, Endpoint.DEPOT))
    assert world.counted("filter_decisions", mode="shadow", outcome="deny-rule") == 1
    assert world.counted("filter_hits", mode="shadow", outcome="deny") == 1


def test_a_calling_does_not_show_its_certificate(world: World) -> None:
    call = calling(world.gates(), certificate=b"\x30der")
    assert "der" not in repr(call)
    assert replace(call, secure=True).certificate == b"\x30der"
