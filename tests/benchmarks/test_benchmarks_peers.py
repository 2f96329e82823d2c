"""The peers of the benchmark `engine`: each answers the order and refuses what it says; the fastest is taken.

They take long to install, so `make long` runs this.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from benchmarks import trials
from benchmarks.checks import ORDER, SALES, SOAP11
from benchmarks.contestants import Contestant
from benchmarks.engine import PEERS, refusals_of
from benchmarks.messages import BAD_REQUESTS, CREATE_ORDER, varied_orders
from benchmarks.peers.contract import write_contract, write_order_schema
from benchmarks.report import Options, Refused
from benchmarks.trials import Peer, best_of, trials_table
from benchmarks.turns import Run

TAKEN = {
    "gsoap": {"wrong order", "DTD"},
    # It refuses no DTD but by its parser, and an order without lines only because there is nothing to make licences of.
    "node": BAD_REQUESTS.keys() - {"no lines", "DTD"},
}


@pytest.mark.parametrize(
    ("peer", "configuration"),
    [
        pytest.param(
            peer.name,
            configuration,
            id=f"{peer.name}-{configuration.name}",
            # In one process, so that each is installed once.
            marks=[pytest.mark.long, pytest.mark.xdist_group("peers")],
        )
        for peer in PEERS.values()
        for configuration in peer.configurations
    ],
)
def test_a_peer_answers_the_order_and_refuses_what_it_validates(peer: str, configuration: Contestant) -> None:
    configuration.prepare()
    assert configuration.version()
    refused = refusals_of(configuration)
    assert {name for name, was in refused.items() if not was} == TAKEN.get(peer, set())
    assert (configuration.validates == "all of the schema") == (peer not in TAKEN)


def test_the_contract_for_generators_has_one_operation_at_one_port(tmp_path: Path) -> None:
    written = etree.fromstring(write_contract(tmp_path).read_bytes())
    named = [(etree.QName(one).localname, one.get("name")) for one in written.iter("{*}operation", "{*}port")]
    assert named == [
        ("operation", "CreateOrder"),
        ("operation", "CreateOrder"),
        ("operation", None),
        ("port", "SalesSoap11"),
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["header.xsd", "sales.wsdl", "sales.xsd"]


def test_what_the_schema_says_of_an_order_judges_as_all_of_it_does(tmp_path: Path) -> None:
    write_order_schema(tmp_path / "order.xsd")
    schema = etree.XMLSchema(etree.fromstring((tmp_path / "order.xsd").read_bytes()))

    def valid(message: bytes) -> bool:
        order = etree.fromstring(message).find(f"{{{SOAP11}}}Body/{{{SALES}}}CreateOrder")
        assert order is not None
        return schema.validate(order)

    assert all(valid(order) for order in (CREATE_ORDER, *varied_orders(50)))
    assert [name for name, message in BAD_REQUESTS.items() if valid(message)] == ["DTD"]


def configuration(name: str) -> Contestant:
    return Contestant(name=name, prepare=lambda: None, command=lambda _: [], version=lambda: "1.0")


def run_of(contestant: Contestant, rps: float) -> Run:
    values = dict.fromkeys(("p50_ms", "p99_ms", "cpu_us", "rss_mib", "server_busy"), 1.0)
    idle = dict.fromkeys(("load_busy", "server_core_others", "load_core_others"), 0.0)
    return Run(contestant=contestant.name, round=1, requests=100, rps=rps, **values, **idle)


def no_check(contestant: Contestant, port: int) -> int:
    return 0


def test_a_peer_takes_part_with_the_fastest_of_its_configurations_and_says_with_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {"php: few": 700.0, "php: many": 900.0, "php: more": 800.0}

    def run_in_turn(contestants: list[Contestant], request: object, options: Options, **_: object) -> list[Run]:
        assert options.rounds == 1
        return [run_of(one, rates[one.name]) for one in contestants]

    monkeypatch.setattr(trials, "run_in_turn", run_in_turn)
    peers = [
        Peer(name="php", configurations=[configuration(name) for name in ("few", "many", "more")]),
        Peer(name="gsoap", configurations=[configuration("the only one")]),
    ]
    best, runs = best_of(peers, ORDER, Options(), check=no_check, progress=print)
    assert {name: (one.name, one.version()) for name, one in best.items()} == {
        "php": ("php", "1.0 (many)"),
        "gsoap": ("gsoap", "1.0"),
    }
    assert [run.contestant for run in runs] == list(rates)
    assert [row[:2] for row in trials_table(runs).rows] == [(name, f"{rate:.0f}") for name, rate in rates.items()]


def test_a_configuration_that_others_kept_from_its_core_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_in_turn(contestants: list[Contestant], *_: object, **__: object) -> list[Run]:
        return [replace(run_of(one, 500.0), server_busy=0.5, server_core_others=0.4) for one in contestants]

    monkeypatch.setattr(trials, "run_in_turn", run_in_turn)
    peers = [Peer(name="php", configurations=[configuration("few"), configuration("many")])]
    with pytest.raises(Refused, match="php: few, php: many got less than 90 % of a core"):
        best_of(peers, ORDER, Options(), check=no_check, progress=print)
    best, _ = best_of(peers, ORDER, Options(tolerate_others=True), check=no_check, progress=print)
    assert best["php"].name == "php"


def test_a_peer_that_cannot_be_installed_is_no_reason_to_go_on_without_it() -> None:
    def fail() -> None:
        raise Refused("missing system packages; as root on Debian: apt-get install php-fpm")

    peers = [Peer(name="php", configurations=[replace(configuration("few"), prepare=fail)])]
    with pytest.raises(Refused, match="php cannot take part: missing system packages"):
        best_of(peers, ORDER, Options(), check=no_check, progress=print)
