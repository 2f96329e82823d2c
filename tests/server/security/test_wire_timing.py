"""What nobody has and what somebody else has: refused in the same words, and after the same time."""

import random
import statistics
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from filtered import core_of, outcome
from test_wire_rights import known
from wire import FIRM_CODE, Received, Server, Start, envelope, order

from licensing.rights import BULK, ORDER, READ
from licensing.tickets import ALPHABET, new_ticket

SALES = "urn:opendepot:sales:1"
DEPOT = "urn:opendepot:depot:1"
MOST_APART = 0.05
"""By so much of it the medians of two refusals may differ (20,000 tries each)."""
CUSTOMER = "<customer><name>Somebody</name><customerNumber>{}</customerNumber></customer>"
PAIRS = {
    "GetTicket": "TicketUnknown",
    "GetLicenseUpdate": "LicenseUnknown",
    "RestoreLicense": "ContainerUnknown",
    "GetLicenseUpdates": "ok",
    "GetOrder": "OrderUnknown",
    "CreateOrder": "RightMissing",
}
"""What is said to both."""


@dataclass(frozen=True)
class Pair:
    """What shop A asks, given a name that nobody has (`unknown` makes one) and one that is shop B's (`foreign`)."""

    service: str
    body: Callable[[str, int], str]
    unknown: Callable[[], str]
    foreign: Callable[[], str]

    def message(self, kind: str, number: int) -> bytes:
        return envelope(self.body(self.unknown() if kind == "unknown" else self.foreign(), number))


def text_in(received: Received, name: str) -> str:
    assert outcome(received) == "ok", received.body
    return next(str(node.text) for node in received.payload.iter(f"{{{SALES}}}{name}"))


def near(ticket: str, dice: random.Random) -> str:
    """A right ticket whose first 20 symbols are those of another one."""
    number = 0
    for symbol in ticket.replace("-", "")[:24]:
        number = number * 32 + ALPHABET.index(symbol)
    return new_ticket((number ^ dice.randrange(1, 1 << 20)).to_bytes)


async def pairs(server: Server, dice: random.Random) -> dict[str, Pair]:
    """Two shops with an order each; what A asks about what is B's."""
    async with core_of(server) as core:
        await core.catalogue.set_rights(server.extra["shop"], (ORDER, READ, BULK))
    await known(server)
    as_b = {"Authorization": f"Bearer {server.other_api_key}"}
    theirs = await server.post("sales", envelope(order("b", extra=CUSTOMER.format("C-B"))), headers=as_b)
    own = text_in(await server.post("sales", envelope(order("a"))), "ticket")
    container = server.container("theirs.json")
    context = b64encode(container.context(FIRM_CODE)).decode()
    collecting = (
        f'<GetLicenseUpdate xmlns="{DEPOT}"><ticket>{{}}</ticket>{{}}<context>{{}}</context></GetLicenseUpdate>'
    )
    collected = await server.post("depot", envelope(collecting.format(text_in(theirs, "ticket"), "", context)))
    assert outcome(collected) == "ok", collected.body
    asking = b64encode(server.container("asking.json").context(FIRM_CODE)).decode()

    def other(text: str) -> str:
        return text[:-6] + "".join(dice.choice("0123456789abcdef") for _ in range(6))

    def wanted(license_id: str, _: int) -> str:
        return collecting.format(own, f"<license><licenseId>{license_id}</licenseId></license>", asking)

    def lost(serial: str, _: int) -> str:
        named = f"<ticket>{own}</ticket><serial>{serial}</serial><firmCode>{FIRM_CODE}</firmCode>"
        return f'<RestoreLicense xmlns="{DEPOT}">{named}</RestoreLicense>'

    def renewed(ticket: str, number: int) -> str:
        return order(f"n-{number}", extra=f"<originalTicket>{ticket}</originalTicket>")

    def looked_up(name: str, _: int) -> str:
        return f'<GetOrder xmlns="{SALES}"><orderId>{name}</orderId></GetOrder>'

    def depot(operation: str, element: str) -> Callable[[str, int], str]:
        return lambda name, _: f'<{operation} xmlns="{DEPOT}"><{element}>{name}</{element}></{operation}>'

    def once(name: str) -> Callable[[], str]:
        return lambda: name

    # Where B has one, nobody has one, so that both are asked for as often as the other.
    ticket, license_id, order_id = (text_in(theirs, name) for name in ("ticket", "licenseId", "orderId"))
    serial = container.serial
    nobodys, lost_serial = new_ticket(dice.randbytes), f"{serial[:-4]}{dice.randrange(10_000):04}"
    found = {
        "GetTicket": Pair(
            "depot", depot("GetTicket", "ticket"), lambda: new_ticket(dice.randbytes), lambda: near(ticket, dice)
        ),
        "GetLicenseUpdate": Pair("depot", wanted, once(other(license_id)), once(license_id)),
        "RestoreLicense": Pair("depot", lost, once(lost_serial), once(serial)),
        "GetLicenseUpdates": Pair("depot", depot("GetLicenseUpdates", "customerNumber"), once("C-A"), once("C-B")),
        "GetOrder": Pair("sales", looked_up, once(other(order_id)), once(order_id)),
        "CreateOrder": Pair("sales", renewed, once(nobodys), once(ticket)),
    }
    assert found.keys() == PAIRS.keys()
    return found


async def spent(server: Server, pair: Pair, tries: int, *, expected: str) -> dict[str, list[float]]:
    """Microseconds of each try. The two kinds take turns, and turns in being the first."""
    found: dict[str, list[float]] = {"unknown": [], "foreign": []}
    said: dict[str, set[bytes]] = {"unknown": set(), "foreign": set()}
    headers = {"Authorization": f"Bearer {server.api_key}"}
    for number in range(tries):
        for kind in ("unknown", "foreign") if number % 2 else ("foreign", "unknown"):
            message = pair.message(kind, 2 * number + (kind == "foreign"))
            began = time.perf_counter_ns()
            answer = await server.post(pair.service, message, headers=headers)
            found[kind].append((time.perf_counter_ns() - began) / 1000)
            assert outcome(answer) == expected, (kind, answer.body)
            said[kind].add(plain(answer))
    assert said["unknown"] == said["foreign"], said
    assert len(said["unknown"]) == 1
    return found


def plain(answer: Received) -> bytes:
    """An answer without what differs each time, the reference of a fault."""
    start, tag, rest = answer.body.partition(b"reference>")
    return start + tag + rest.partition(b"<")[2] if tag else answer.body


@pytest.mark.parametrize("name", PAIRS)
async def test_the_answer_about_what_is_foreign_is_that_about_what_is_unknown(server: Server, name: str) -> None:
    made = await pairs(server, random.Random(name))
    await spent(server, made[name], 2, expected=PAIRS[name])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PAIRS)
async def test_how_long_refusals_of_what_is_unknown_and_of_what_is_foreign_take(
    start: Start, request: pytest.FixtureRequest, name: str
) -> None:
    server, seed = await start(), request.config.getoption("--seed")
    made = await pairs(server, random.Random(seed))
    await spent(server, made[name], 100, expected=PAIRS[name])
    found = await spent(server, made[name], request.config.getoption("--guesses") // 5, expected=PAIRS[name])
    unknown, foreign = statistics.median(found["unknown"]), statistics.median(found["foreign"])
    apart = foreign / unknown - 1
    print(f"{name}, seed {seed}: unknown {unknown:.1f} us, foreign {foreign:.1f} us, {100 * apart:+.2f} %")
    assert abs(apart) < MOST_APART
