"""Vault, ids, options, placements, catalogue: each rule and each refusal."""

import json
import random
import uuid
from datetime import UTC, datetime

import pytest
from rules import World

from containers import Options
from licensing.errors import NameInvalid, NameTaken, OptionInvalid, VaultError
from licensing.ids import Ids
from licensing.options import licence_options, parse_options, resolve
from licensing.placements import license_state, placement_state
from licensing.vault import Vault
from storage.records import Placement

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def vault(pepper: int = 1, sealing_key: int = 2) -> Vault:
    return Vault(pepper=bytes([pepper]) * 32, sealing_key=bytes([sealing_key]) * 32, random=random.Random(1).randbytes)


def test_sealed_text_opens_with_its_key_and_purpose_only() -> None:
    sealed = vault().seal("ticket", b"text")
    assert vault().open("ticket", sealed) == b"text"
    assert b"text" not in sealed
    for wrong in (lambda: vault(sealing_key=3).open("ticket", sealed), lambda: vault().open("answer", sealed)):
        with pytest.raises(VaultError):
            wrong()
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(VaultError):
            vault().open("ticket", bytes(changed))
    for short in (b"", sealed[:5], sealed[:20]):
        with pytest.raises(VaultError):
            vault().open("ticket", short)


def test_keyed_hashes_depend_on_pepper_purpose_and_text() -> None:
    hashes = {
        vault().index("a", "x"),
        vault().index("b", "x"),
        vault().index("a", "y"),
        vault(pepper=9).index("a", "x"),
        vault().index("a", "\udcff"),
    }
    assert len(hashes) == 5
    assert vault().index("a", "x") == vault(sealing_key=9).index("a", "x")
    assert len({vault().fingerprint(), vault(pepper=9).fingerprint(), vault(sealing_key=9).fingerprint()}) == 3
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(pepper=b"short", sealing_key=bytes(32), random=bytes)


def test_ids_are_version_7_and_rise_even_when_the_clock_stands_or_goes_back() -> None:
    times = [NOW, NOW, NOW, datetime(2025, 1, 1, tzinfo=UTC)]
    ids = Ids(clock=lambda: times.pop(0), random=random.Random(1).randbytes)
    made = [ids.new() for _ in range(4)]
    assert made == sorted(set(made))
    assert all((uuid.UUID(text).version, uuid.UUID(text).variant) == (7, uuid.RFC_4122) for text in made)


@pytest.mark.parametrize("ends", ["fffffffffffe", "fffffffffffd", "ffffffffffff", "000000000000", "7ffffffffffe"])
def test_ids_made_together_follow_each_other_through_every_carry(ends: str) -> None:
    chosen = bytes.fromhex("00ffff" + "ff" + ends)
    made = Ids(clock=lambda: NOW, random=lambda _: chosen).several(4)
    numbers = [uuid.UUID(text) for text in made]
    assert all((number.version, number.variant) == (7, uuid.RFC_4122) for number in numbers)
    counted = [(each.int >> 80 << 74) | (each.int >> 64 & 0xFFF) << 62 | each.int & ((1 << 62) - 1) for each in numbers]
    assert counted == list(range(counted[0], counted[0] + 4))
    assert made[0].endswith(ends)
    assert made == [str(number) for number in numbers]


def test_every_option_is_read_and_resolved() -> None:
    text = parse_options(
        [
            "activationTime=2026-02-01",
            "expirationTime=add:P30D",
            "usagePeriod=90d",
            "maintenanceStart=set:2026-01-01T00:00:00+02:00",
            "maintenanceEnd=add:365d",
            "featureMap=0xff",
            "unitCounter=100",
            "text=a = b",
            "customerInformation=ü",
        ]
    )
    assert licence_options(resolve(text, ordered_at=NOW)) == Options(
        activation_time=datetime(2026, 2, 1, tzinfo=UTC),
        expiration_time=datetime(2026, 1, 31, 12, tzinfo=UTC),
        usage_days=90,
        maintenance_start=datetime(2025, 12, 31, 22, tzinfo=UTC),
        maintenance_end=datetime(2027, 1, 1, 12, tzinfo=UTC),
        feature_map=255,
        unit_counter=100,
        text="a = b",
        customer_information="ü",
    )
    assert licence_options(resolve(parse_options([]), ordered_at=NOW)) == Options()


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("colour=red", "the names are"),
        ("featureMap", "name=value"),
        ("featureMap=x", "featureMap must be a whole number"),
        ("featureMap=4294967296", "4294967295"),
        ("unitCounter=-1", "from 0"),
        ("expirationTime=tomorrow", "expirationTime must be a date"),
        ("expirationTime=add:0d", "1 to 36500 days"),
        ("expirationTime=add:1w", "1 to 36500 days"),
        ("usagePeriod=99999d", "1 to 36500 days"),
        (f"text={'ü' * 129}", "256 bytes"),
        ("text=a\x00b", "control"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(pair: str, said: str) -> None:
    with pytest.raises(OptionInvalid, match=said):
        parse_options([pair])


def test_an_option_is_given_once() -> None:
    with pytest.raises(OptionInvalid, match="twice"):
        parse_options(["text=a", "text=b"])


@pytest.mark.parametrize(
    ("wanted", "occupied", "confirmed", "state"),
    [
        (0, 0, 0, "Returned"),
        (1, 1, 0, "Collected"),
        (2, 2, 1, "Collected"),
        (2, 2, 2, "Confirmed"),
        (1, 2, 2, "ReturnPending"),
        (0, 1, 1, "ReturnPending"),
    ],
)
def test_the_table_of_placement_states(wanted: int, occupied: int, confirmed: int, state: str) -> None:
    placement = Placement(license_id="l", serial="s", wanted=wanted, occupied=occupied, confirmed=confirmed)
    assert placement_state(placement) == state


def test_the_states_of_licences() -> None:
    assert [license_state(2, wanted) for wanted in (0, 1, 2, 3)] == [
        "NotCollected",
        "PartlyCollected",
        "WhollyCollected",
        "WhollyCollected",
    ]


async def test_what_the_catalogue_refuses(world: World) -> None:
    catalogue = world.catalogue()
    with pytest.raises(NameTaken):
        await catalogue.add_item(item_number="A", firm_code=1, product_code=1)
    with pytest.raises(NameTaken):
        await catalogue.add_shop("shop")
    for name in ("", " a", "a\n", "x" * 65):
        with pytest.raises(NameInvalid):
            await catalogue.add_item(item_number=name, firm_code=1, product_code=1)
    for name in ("a:b", "ü"):
        with pytest.raises(NameInvalid, match="ASCII"):
            await catalogue.add_shop(name)
    for codes in ({"firm_code": 0, "product_code": 1}, {"firm_code": 1, "product_code": 2**32}):
        with pytest.raises(OptionInvalid):
            await catalogue.add_item(item_number="Z", **codes)


async def test_an_api_key_finds_its_shop_and_no_other(world: World) -> None:
    catalogue = world.catalogue()
    shop, api_key = await catalogue.add_shop("third")
    assert len(api_key) == 3 + 43, "256 bits"
    assert await catalogue.find_shop(api_key, None) == shop
    assert await catalogue.find_shop(api_key, "third") == shop
    assert await catalogue.find_shop(api_key, "shop") is None
    assert await catalogue.find_shop(api_key + "x", None) is None
    world.sql("UPDATE shops SET active = 0")
    world.sql("UPDATE server SET data_version = data_version + 1")
    await world.storage.look()
    assert await catalogue.find_shop(api_key, None) is None


async def test_every_change_has_its_audit_row_without_secrets(world: World) -> None:
    receipt = await world.order(1)
    rows = world.sql("SELECT action, details FROM audit")
    assert [action for action, _ in rows] == ["AddItem"] * 3 + ["AddShop"] * 2 + ["CreateOrder"]
    assert json.loads(str(rows[-1][1])) == {"ticket": receipt.ticket[-5:], "lines": 1, "new_ticket": True}
