"""Who the client is: every rule and every edge of reading forwarding headers."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipfilters import AddressRefused, Client, ClientRefused, Forwarding, TrustedProxies, find_client

TRUSTED = TrustedProxies.read(["10.0.0.0/8", "2001:db8:ffff::/48"])
XFF = Forwarding.X_FORWARDED_FOR
FORWARDED = Forwarding.FORWARDED


def found(*lines: str, peer: str = "10.0.0.1", form: Forwarding = XFF, most_hops: int = 16) -> Client:
    return find_client(peer, lines, trusted=TRUSTED, form=form, most_hops=most_hops)


def refused(*lines: str, peer: str = "10.0.0.1", form: Forwarding = XFF) -> str:
    with pytest.raises(ClientRefused) as caught:
        found(*lines, peer=peer, form=form)
    return caught.value.code


def test_an_untrusted_peer_is_the_client_and_its_header_is_ignored_whatever_it_holds() -> None:
    for line in ("8.8.8.8", "garbage", "", ",,,", "8.8.8.8, " * 100):
        assert found(line, peer="203.0.113.9") == Client(peer="203.0.113.9", address="203.0.113.9", ignored=True)
    assert found(peer="203.0.113.9") == Client(peer="203.0.113.9", address="203.0.113.9", hops=(), ignored=False)


def test_nobody_is_trusted_by_default() -> None:
    client = find_client("127.0.0.1", ["8.8.8.8"], trusted=TrustedProxies())
    assert client == Client(peer="127.0.0.1", address="127.0.0.1", ignored=True)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("192.0.2.0/25", ("192.0.2.0", "192.0.2.127", "::ffff:192.0.2.127"), ("192.0.1.255", "192.0.2.128")),
        ("2001:db8::/33", ("2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"), ("2001:db8:8000::", "2001:db7::")),
        ("::/0", ("::", "ffff::"), ("0.0.0.0", "::ffff:255.255.255.255")),
    ],
)
def test_a_network_of_proxies_is_trusted_from_its_first_to_its_last_address(
    network: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    proxies = TrustedProxies.read([network])
    assert all(proxies.judge(address).trusted for address in inside)
    assert not any(proxies.judge(address).trusted for address in outside)


def test_a_trusted_peer_without_a_header_is_the_client() -> None:
    assert found() == Client(peer="10.0.0.1", address="10.0.0.1", hops=())


def test_the_rightmost_untrusted_address_is_the_client() -> None:
    assert found("8.8.8.8, 203.0.113.7") == Client(peer="10.0.0.1", address="203.0.113.7", hops=("10.0.0.1",))
    assert found("8.8.8.8, 203.0.113.7, 10.0.0.3,10.0.0.2") == Client(
        peer="10.0.0.1", address="203.0.113.7", hops=("10.0.0.1", "10.0.0.2", "10.0.0.3")
    )


def test_a_trusted_address_left_of_an_untrusted_one_is_not_believed() -> None:
    assert found("10.9.9.9, 203.0.113.7").address == "203.0.113.7"


def test_all_lines_of_the_header_are_read_as_one_in_order() -> None:
    for lines in (
        ["8.8.8.8", "203.0.113.7, 10.0.0.2"],
        ["8.8.8.8, 203.0.113.7", "10.0.0.2"],
        ["8.8.8.8", "203.0.113.7", "10.0.0.2"],
        ["8.8.8.8, 203.0.113.7, 10.0.0.2"],
    ):
        assert found(*lines) == Client(peer="10.0.0.1", address="203.0.113.7", hops=("10.0.0.1", "10.0.0.2"))


def test_when_all_are_trusted_the_leftmost_is_the_client() -> None:
    client = found("10.0.0.4, 10.0.0.3", "10.0.0.2")
    assert client == Client(peer="10.0.0.1", address="10.0.0.4", hops=("10.0.0.1", "10.0.0.2", "10.0.0.3"))


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "",
        " ",
        ",",
        "203.0.113.7,",
        "203.0.113.7, ",
        "10.0.0.2,,10.0.0.3",
        "010.0.0.1",
        "10.1",
        "10.0.0.2, 0x0a.0.0.1",
        "１０.0.0.1",
        "10.0.0.256",
        "203.0.113.7:",
        "203.0.113.7:x",
        "203.0.113.7:65536",
        "203.0.113.7:123456",
        "203.0.113.7:８０",
        "[203.0.113.7]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]x",
        "[2001:db8::1]:",
        "[2001:db8::1]:65536",
        "[[2001:db8::1]]",
        "[]",
        "[:]",
        ":",
        "::1::",
        '"203.0.113.7"',
        "for=203.0.113.7",
        "203.0.113.7 10.0.0.2",
        "203.0.113.7;10.0.0.2",
        "\xa0203.0.113.7",
        "203.0.113.7\x0b",
        "localhost",
        "-",
        "null",
        "(null)",
        "203.0.113.0/24",
        "1:2:3:4:5:6:7:8:9",
    ],
)
def test_garbage_where_it_is_read_is_refused(line: str) -> None:
    assert refused(line) == "Garbage"


def test_a_refusal_repeats_nothing_of_the_header() -> None:
    for lines, form in ((["evil-text"], XFF), (["for=_evil-text"], FORWARDED), (['for="evil-text'], FORWARDED)):
        with pytest.raises(ClientRefused) as caught:
            found(*lines, form=form)
        assert "evil" not in str(caught.value)
        assert caught.value.message == str(caught.value)
        assert caught.value.message.endswith(".")


def test_garbage_left_of_the_client_is_not_looked_at() -> None:
    for left in ("garbage", "", "unknown", "010.0.0.1", '"'):
        assert found(f"{left}, 203.0.113.7, 10.0.0.2").address == "203.0.113.7"
        assert found(left, "203.0.113.7").address == "203.0.113.7"


def test_garbage_right_of_the_client_is_refused() -> None:
    assert refused("203.0.113.7, garbage, 10.0.0.2") == "Garbage"
    assert refused("203.0.113.7", "") == "Garbage"


@pytest.mark.parametrize("peer", ["", "unix:", "@", "10.1", "010.0.0.1", "10.0.0.1:80", "[::1]", "garbage"])
def test_a_peer_without_an_address_is_refused(peer: str) -> None:
    assert refused("203.0.113.7", peer=peer) == "Peer"
    assert refused(peer=peer) == "Peer"


def test_sixteen_hops_are_read_and_a_seventeenth_is_refused() -> None:
    proxies = [f"10.0.1.{number}" for number in range(17)]
    assert found(", ".join(["203.0.113.7", *proxies[:15]])).address == "203.0.113.7"
    assert found(", ".join(proxies[:16])).address == "10.0.1.0"
    assert refused(", ".join(proxies)) == "TooManyHops"
    assert refused(*proxies) == "TooManyHops"
    assert refused(", ".join(["203.0.113.7", *proxies[:16]])) == "TooManyHops"
    with pytest.raises(ClientRefused, match="more than 16 proxies"):
        find_client("10.0.0.1", proxies, trusted=TRUSTED)
    assert find_client("10.0.0.1", proxies[:16], trusted=TRUSTED).address == "10.0.1.0"


def test_the_number_of_hops_is_settable() -> None:
    assert found("203.0.113.7, 10.0.0.2", most_hops=2).address == "203.0.113.7"
    with pytest.raises(ClientRefused, match="more than 1 proxies"):
        found("203.0.113.7, 10.0.0.2", most_hops=1)


def test_forged_hops_left_of_the_client_count_for_nothing() -> None:
    assert found(", ".join(["8.8.8.8"] * 1000 + ["203.0.113.7"])).address == "203.0.113.7"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("\t203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:80", "203.0.113.7"),
        ("203.0.113.7:0", "203.0.113.7"),
        ("203.0.113.7:65535", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        # Without brackets a port cannot be told from a group of the address.
        ("2001:db8::7:443", "2001:db8::7:443"),
        ("::", "::"),
        ("2002:a00:1::", "2002:a00:1::"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"),
        ("::10.0.0.1", "::a00:1"),
    ],
)
def test_the_forms_of_x_forwarded_for(text: str, address: str) -> None:
    assert found(text).address == address
    assert found(f"{text},10.0.0.2").address == address


def test_mapped_addresses_are_trusted_as_ipv4_and_6to4_and_nat64_are_not() -> None:
    assert found("203.0.113.7, ::ffff:10.0.0.2", peer="::ffff:10.0.0.1") == Client(
        peer="10.0.0.1", address="203.0.113.7", hops=("10.0.0.1", "10.0.0.2")
    )
    for stranger in ("2002:a00:1::", "64:ff9b::a00:1", "::a00:1"):
        assert found("8.8.8.8", peer=stranger) == Client(peer=stranger, address=stranger, ignored=True)
    mapped = TrustedProxies([IPv6Network("::ffff:10.0.0.0/104")])
    assert find_client("10.0.0.1", ["203.0.113.7"], trusted=mapped).address == "203.0.113.7"


def test_a_zone_of_the_peer_is_dropped() -> None:
    assert found(peer="fe80::1%eth0") == Client(peer="fe80::1", address="fe80::1")
    assert found("203.0.113.7", peer="2001:db8:ffff::1%eth0").address == "203.0.113.7"


def test_the_bounds_of_trusted_networks() -> None:
    for peer, trusted in (
        ("9.255.255.255", False),
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("2001:db8:fffe:ffff:ffff:ffff:ffff:ffff", False),
        ("2001:db8:ffff::", True),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db9::", False),
    ):
        assert (found("203.0.113.7", peer=peer).address == "203.0.113.7") is trusted


def test_trusted_proxies_with_a_mistake_are_refused() -> None:
    with pytest.raises(AddressRefused, match=r"10.0.0.1/8 has host bits set; write 10.0.0.0/8"):
        TrustedProxies.read(["10.0.0.1/8"])
    assert [str(network) for network in TRUSTED.networks] == ["10.0.0.0/8", "2001:db8:ffff::/48"]


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ("For=203.0.113.7", "203.0.113.7"),
        ('for="203.0.113.7"', "203.0.113.7"),
        ('for="203.0.113.7:80"', "203.0.113.7"),
        ('for="203.0.113.7:_port"', "203.0.113.7"),
        ('for="[2001:db8::7]"', "2001:db8::7"),
        ('for="[2001:db8::7]:443"', "2001:db8::7"),
        ('for="[2001:db8::7]:_port.x-1"', "2001:db8::7"),
        ('for="[::ffff:203.0.113.7]"', "203.0.113.7"),
        ('for="[fe80::1%eth0]"', "fe80::1"),
        ("for=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ("proto=https;by=10.0.0.1;for=203.0.113.7", "203.0.113.7"),
        (" for=203.0.113.7 ; proto=https ", "203.0.113.7"),
        ("for=203.0.113.7;;proto=https;", "203.0.113.7"),
        (";for=203.0.113.7", "203.0.113.7"),
        ('host="a,b;c";for=203.0.113.7', "203.0.113.7"),
        ('for=203.0.113.7;host="a\\"b,for=8.8.8.8"', "203.0.113.7"),
        ('for=203.0.113.7;host="a\\\\"', "203.0.113.7"),
        ('for="2\\03.0.113.\\7"', "203.0.113.7"),
        ('for=203.0.113.7;host=""', "203.0.113.7"),
        ('for=203.0.113.7;host="\xe4"', "203.0.113.7"),
        ("for=8.8.8.8, for=203.0.113.7", "203.0.113.7"),
        ("for=8.8.8.8,for=203.0.113.7,for=10.0.0.2", "203.0.113.7"),
        ('for=8.8.8.8,for="[2001:db8::7]",for="10.0.0.2:80"', "2001:db8::7"),
    ],
)
def test_the_forms_of_forwarded(line: str, address: str) -> None:
    assert found(line, form=FORWARDED).address == address
    assert found("for=8.8.8.8", f"{line}, for=10.0.0.3", form=FORWARDED).address == address


@pytest.mark.parametrize("host", ["a,b", 'a\\"b,c', 'a\\"', "a\\\\", 'a\\\\\\"b,c', 'a,\\"b\\",c', "\\\\,", '\\"'])
def test_commas_and_escaped_quotes_inside_of_quotes_part_nothing(host: str) -> None:
    line = f'for=8.8.8.8, for=203.0.113.7;host="{host}", for=10.0.0.2;host="{host}"'
    assert found(line, form=FORWARDED) == Client(peer="10.0.0.1", address="203.0.113.7", hops=("10.0.0.1", "10.0.0.2"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        ";",
        "for",
        "for=",
        "=203.0.113.7",
        "203.0.113.7",
        "proto=https",
        "for =203.0.113.7",
        "for= 203.0.113.7",
        "for=203.0.113.7:80",
        "for=[2001:db8::7]",
        'for="2001:db8::7"',
        'for="2001:db8::7:443"',
        'for="[203.0.113.7]"',
        'for=""',
        'for="203.0.113.7',
        'for=203.0.113.7"',
        'for="203.0.113.7"x',
        'for="203.0.113.7" proto=https',
        'for="203.0.113.7\\"',
        "for=203.0.113.7;for=203.0.113.7",
        "for=203.0.113.7;FOR=8.8.8.8",
        "for=203.0.113.7;by=10.0.0.1;by=10.0.0.1",
        "for=203.0.113.7 proto=https",
        "for=203.0.113.7;proto",
        'for="203.0.113.7:65536"',
        'for="203.0.113.7:123456"',
        "for=010.0.0.1",
        'for="203.0.113.7:"',
        'for="[2001:db8::7]:"',
        "for='203.0.113.7'",
        "for=10.1",
        "f\xf6r=203.0.113.7",
        'for="\x00"',
        'for="１.1.1.1"',
        "for=example.com",
        'for="203.0.113.7,10.0.0.2"',
        "for=203.0.113.7,",
        "unknown",
        'host="a\\";for=203.0.113.7',
        'for=203.0.113.7;host="\u0100"',
    ],
)
def test_garbage_in_forwarded_is_refused(line: str) -> None:
    assert refused(line, form=FORWARDED) == "Garbage"


@pytest.mark.parametrize(
    "node",
    ["unknown", "UNKNOWN", '"unknown"', '"unknown:80"', "_hidden", "_a.b-c_1", '"_hidden:_port"', '"_hidden:80"'],
)
def test_a_hidden_client_is_refused_unless_it_is_left_of_the_client(node: str) -> None:
    assert refused(f"for={node}", form=FORWARDED) == "Hidden"
    assert refused(f"for=203.0.113.7, for={node}, for=10.0.0.2", form=FORWARDED) == "Hidden"
    assert found(f"for={node}, for=203.0.113.7, for=10.0.0.2", form=FORWARDED).address == "203.0.113.7"


def test_a_hidden_client_in_x_forwarded_for_is_refused_too() -> None:
    assert refused("unknown") == "Hidden"
    assert refused("203.0.113.7, unknown") == "Hidden"
    for node in ("_", "_hidden:", "_hidden:123456", "unknown:x", "_hid den", "xunknown"):
        assert refused(node) == "Garbage"


@pytest.mark.parametrize(
    "left",
    [
        'for="',
        'for="8.8.8.8',
        'for="8.8.8.8\\',
        'for=8.8.8.8;host="',
        '"',
        '\\"',
        "for=,",
        'x="\\\\',
        'for="a";host="b',
        "for=8.8.8.8;",
    ],
)
def test_nothing_that_a_client_invents_swallows_what_a_proxy_appended(left: str) -> None:
    for appended in ("for=203.0.113.7", 'for="203.0.113.7:80";host="x"', 'proto=https;for=203.0.113.7;by="_x"'):
        assert found(f"{left}, {appended}", form=FORWARDED).address == "203.0.113.7"
        assert found(left, appended, form=FORWARDED).address == "203.0.113.7"
        assert found(f"{left}, {appended}, for=10.0.0.2", form=FORWARDED).address == "203.0.113.7"


def test_what_a_refusal_says() -> None:
    said = {}
    for peer, line in (
        ("", ""),
        ("10.0.0.1", "x"),
        ("10.0.0.1", "unknown"),
        ("10.0.0.1", ", ".join(["10.0.0.2"] * 17)),
    ):
        with pytest.raises(ClientRefused) as caught:
            found(line, peer=peer)
        said[caught.value.code] = caught.value.message
    assert said == {
        "Peer": "The connection has no IP address that could be judged.",
        "Garbage": "The forwarding header holds something that is no IP address.",
        "Hidden": "A proxy hides who it acts for, so no rule can be asked about it.",
        "TooManyHops": "The request passed through more than 16 proxies.",
    }


def test_only_the_configured_form_is_read() -> None:
    assert refused("203.0.113.7", form=FORWARDED) == "Garbage"
    assert refused("for=203.0.113.7", form=XFF) == "Garbage"
    assert (XFF.value, FORWARDED.value) == ("x-forwarded-for", "forwarded")


@pytest.mark.parametrize(
    "line",
    [
        '"' * 400_000,
        '\\"' * 200_000,
        "\\" * 400_000 + '"',
        " " * 400_000 + "x",
        'for="' + "\\a" * 200_000,
        ";" * 400_000,
        "," * 400_000,
    ],
)
def test_the_work_grows_no_faster_than_a_hostile_header(line: str) -> None:
    # Anything quadratic meets the time limit of the tests.
    for form in (XFF, FORWARDED):
        with pytest.raises(ClientRefused):
            found(line, form=form)


@given(
    st.lists(st.text(alphabet='0123456789abcdef.:,;="\\[]% _forunkw\t', max_size=40), max_size=4),
    st.sampled_from(Forwarding),
)
def test_whatever_the_header_is_there_is_a_client_or_a_refusal(lines: list[str], form: Forwarding) -> None:
    try:
        client = found(*lines, form=form)
    except ClientRefused:
        return
    assert TRUSTED.judge(client.address).address == client.address
    assert client.hops == () or client.hops[0] == client.peer == "10.0.0.1"
    assert all(TRUSTED.judge(hop).trusted for hop in client.hops)


def _quoted(address: IPv4Address | IPv6Address) -> str:
    text = str(address).partition("%")[0]
    return f'"[{text}]:80"' if address.version == 6 else text


@given(st.lists(st.ip_addresses(), max_size=5), st.ip_addresses(), st.integers(0, 3), st.text(max_size=30))
def test_both_forms_find_the_client_that_the_proxies_saw(
    claimed: list[IPv4Address | IPv6Address], client: IPv4Address | IPv6Address, proxies: int, invented: str
) -> None:
    if TRUSTED.judge(str(client)).trusted:
        return
    chain = [client, *(IPv4Address(f"10.0.0.{number + 2}") for number in range(proxies))]
    expected = TRUSTED.judge(str(client)).address
    plain = found(invented, ", ".join(str(address) for address in [*claimed, *chain]))
    both = found(
        invented + "," + ", ".join(f"for={_quoted(address)};host=x" for address in [*claimed, *chain]), form=FORWARDED
    )
    assert plain.address == both.address == expected
    assert plain.hops == both.hops == ("10.0.0.1", *(str(address) for address in reversed(chain[1:])))
