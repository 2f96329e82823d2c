import random
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipfilters import AddressRefused, parse_address, parse_network
from ipfilters.addresses import is_mapped, read_bytes, unmapped


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", IPv4Address("192.0.2.7")),
        ("0.0.0.0", IPv4Address(0)),
        ("255.255.255.255", IPv4Address(2**32 - 1)),
        ("1.2.3.4", IPv4Address(0x01020304)),
        ("2001:DB8:0::7", IPv6Address("2001:db8::7")),
        ("::1", IPv6Address(1)),
        ("::", IPv6Address(0)),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPv6Address(2**128 - 1)),
        # IPv4-mapped addresses are the IPv4 ones, at both ends and one past.
        ("::ffff:10.0.0.1", IPv4Address("10.0.0.1")),
        ("::FFFF:a00:1", IPv4Address("10.0.0.1")),
        ("::ffff:0:0", IPv4Address(0)),
        ("::ffff:255.255.255.255", IPv4Address(2**32 - 1)),
        ("::fffe:ffff:ffff", IPv6Address("::fffe:ffff:ffff")),
        ("::1:0:0:0", IPv6Address("::1:0:0:0")),
        ("1::ffff:0:0", IPv6Address("1::ffff:0:0")),
        # IPv4-compatible, 6to4 and NAT64 stay as they stand.
        ("::10.0.0.1", IPv6Address("::a00:1")),
        ("2002:a00:1::", IPv6Address("2002:a00:1::")),
        ("64:ff9b::10.0.0.1", IPv6Address("64:ff9b::a00:1")),
        # A zone is dropped.
        ("fe80::1%eth0", IPv6Address("fe80::1")),
        ("::ffff:10.0.0.1%eth0", IPv4Address("10.0.0.1")),
    ],
)
def test_an_address_is_read(text: str, address: object) -> None:
    read = parse_address(text)
    assert read == address
    assert "%" not in str(read)
    assert read_bytes(text) == read.packed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10.1",
        "10",
        "167772161",
        "0x0a000001",
        "010.0.0.1",
        "10.0.0.01",
        "10.0.0.00",
        "0010.0.0.1",
        "10.0.0.256",
        "10.0.0.1.2",
        "10.0.0.",
        ".10.0.0.1",
        "10..0.1",
        "10.0.0.-1",
        "+10.0.0.1",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.1\n",
        "１０.0.0.1",
        "10.0.0.١",
        "10。0。0。1",
        "10.0.0.1%eth0",
        "10.0.0.1/32",
        "10.0.0.1:80",
        "localhost",
        ":::",
        ":1",
        "1::2::3",
        "12345::",
        "::g",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:10.1",
        "::ffff:010.0.0.1",
        "[::1]",
        "::1/128",
        "fe80::1%",
        "fe80::1%a%b",
        " ::1",
        "::1\n",
        "：：1",
        "unknown",
        "_hidden",
    ],
)
def test_what_two_programs_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused, match=r"is no IP address; write one like 192.0.2.7 or 2001:db8::7\Z") as refused:
        parse_address(text)
    assert refused.value.mended is None
    assert repr(text) in refused.value.message


@given(st.ip_addresses())
def test_every_address_reads_as_itself_and_its_mapped_form_as_ipv4(address: IPv4Address | IPv6Address) -> None:
    expected = (getattr(address, "ipv4_mapped", None) or address) if "%" not in str(address) else address
    assert parse_address(str(address)) == expected
    if address.version == 4:
        assert parse_address(f"::ffff:{address}") == address


@given(st.text(alphabet="0123456789abcdef.:%/ ffff٣", max_size=24))
def test_text_is_an_address_just_when_the_standard_library_says_so(text: str) -> None:
    try:
        expected = ip_address(text)
    except ValueError:
        with pytest.raises(AddressRefused):
            parse_address(text)
    else:
        mapped = getattr(expected, "ipv4_mapped", None)
        assert int(parse_address(text)) == int(mapped or expected)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.0/24", IPv4Network("192.0.2.0/24")),
        ("192.0.2.7", IPv4Network("192.0.2.7/32")),
        ("0.0.0.0/0", IPv4Network("0.0.0.0/0")),
        ("2001:DB8::/32", IPv6Network("2001:db8::/32")),
        ("::1", IPv6Network("::1/128")),
        ("::/0", IPv6Network("::/0")),
        ("64:ff9b::/96", IPv6Network("64:ff9b::/96")),
        ("::ffff:0:0/95", None),
        ("::fffe:0:0/95", IPv6Network("::fffe:0:0/95")),
    ],
)
def test_a_network_is_read(text: str, network: object) -> None:
    if network is not None:
        assert parse_network(text) == network


@pytest.mark.parametrize(
    ("text", "mended", "why"),
    [
        ("10.0.0.1/24", "10.0.0.0/24", "has host bits set"),
        ("2001:db8::1/32", "2001:db8::/32", "has host bits set"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8", "mask or leading zeros where the prefix length"),
        ("10.0.0.0/0.255.255.255", "10.0.0.0/8", "mask or leading zeros where the prefix length"),
        ("10.0.0.0/08", "10.0.0.0/8", "mask or leading zeros where the prefix length"),
        ("0.0.0.0/00", "0.0.0.0/0", "mask or leading zeros where the prefix length"),
        ("010.0.0.0/8", "10.0.0.0/8", "leading zeros, which some programs read as octal;"),
        ("10.00.0.007", "10.0.0.7/32", "leading zeros, which some programs read as octal;"),
        ("000.0.0.0/0", "0.0.0.0/0", "leading zeros, which some programs read as octal;"),
        ("１０.0.0.0/8", "10.0.0.0/8", "spaces or characters that are not ASCII"),
        (" 10.0.0.0 / 8", "10.0.0.0/8", "spaces or characters that are not ASCII"),
        ("fe80::%eth0/64", "fe80::/64", "has a zone"),
        ("fe80::1%eth0", "fe80::1/128", "has a zone"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "is IPv4 written as IPv6"),
        ("::ffff:0:0/96", "0.0.0.0/0", "is IPv4 written as IPv6"),
        ("::ffff:10.0.0.7", "10.0.0.7/32", "is IPv4 written as IPv6"),
        ("::ffff:10.0.0.7/104", "10.0.0.0/8", "is IPv4 written as IPv6"),
        ("::ffff:010.0.0.7", "10.0.0.7/32", "leading zeros"),
    ],
)
def test_a_network_that_is_not_quite_one_is_refused_with_what_to_write(text: str, mended: str, why: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_network(text)
    assert refused.value.mended == mended
    assert why in refused.value.message
    assert refused.value.message.startswith(f"{text} ")
    assert refused.value.message.endswith(f"; write {mended}")
    assert str(parse_network(mended)) == mended


@pytest.mark.parametrize(
    "text", ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.1/16", "10.0.0.0/-1", "all", "10.0.0.0/8/8"]
)
def test_what_is_no_network_at_all_is_refused_without_a_guess(text: str) -> None:
    with pytest.raises(AddressRefused, match=r"is no network; write one like 192.0.2.0/24") as refused:
        parse_network(text)
    assert refused.value.mended is None


@given(st.ip_addresses(), st.integers(0, 128))
def test_every_network_reads_as_itself_and_every_mend_can_be_read(
    address: IPv4Address | IPv6Address, length: int
) -> None:
    length = min(length, address.max_prefixlen)
    network = ip_network(f"{str(address).partition('%')[0]}/{length}", strict=False)
    if is_mapped(network):
        with pytest.raises(AddressRefused) as refused:
            parse_network(str(network))
        assert refused.value.mended == str(unmapped(network))
    else:
        assert parse_network(str(network)) == network
    text = f"{address}/{length}"
    if str(network) != text or is_mapped(network):
        with pytest.raises(AddressRefused) as refused:
            parse_network(text)
        assert refused.value.mended == str(unmapped(network))


def test_unmapping_leaves_other_networks_alone() -> None:
    for text in ("10.0.0.0/8", "2001:db8::/32", "::/0", "::fffe:0:0/95"):
        network = ip_network(text)
        assert unmapped(network) is network
    assert unmapped(ip_network("::ffff:10.0.0.0/104")) == ip_network("10.0.0.0/8")


def test_random_texts_are_read_as_the_standard_library_reads_them(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    dice = random.Random(f"texts {seed}")
    read = 0
    for _ in range(6000):
        if dice.random() < 0.5:
            text = str(IPv4Address(dice.getrandbits(32)))
        else:
            text = dice.choice((str, lambda address: address.exploded))(
                IPv6Address(dice.getrandbits(128) & dice.choice((2**128 - 1, 2**33, 2**64 - 1)))
            )
        for _ in range(dice.choice((0, 0, 1, 2))):
            at = dice.randrange(len(text) + 1)
            text = text[:at] + dice.choice("0019:.::%fg /\x00\n١") + text[at + dice.randint(0, 1) :]
        try:
            expected = ip_address(text)
        except ValueError:
            with pytest.raises(AddressRefused):
                parse_address(text)
            continue
        read += 1
        number = int(expected)
        mapped = expected.version == 6 and number >> 32 == 0xFFFF
        assert parse_address(text) == (IPv4Address(number & 0xFFFFFFFF) if mapped else type(expected)(number)), text
    assert read > 1000
