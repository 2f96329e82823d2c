"""The benchmark `access`: what a decision by IP rules costs, beside pytricia's look-up, at 10 and at 100,000 networks.

Both are asked for the same addresses in the same order, as text, in one process without a network.

- `decide_us`: addresses that were seen before, since a server meets the same clients all the time.
- `fresh_us`: addresses that were not, of 1,000 networks that clients are in: the work of deciding, nothing remembered.
- `stranger_us`: addresses that were not, each of a network that nobody came from yet. At 100,000 networks this is what
  the memory of the machine costs, more than the work; how pytricia's look-up grows by it stands beside
  (`ratio_growth_stranger`, `ratio_growth_stranger_pytricia`).

Each is timed at 10 networks too (`..._10_us`), where no network is a stranger for long. Python's collector of garbage
waits meanwhile, for both sides. `fresh_six_us` and `stranger_six_us` are the same of IPv6, at networks of 48 bits.

`http_..._us` is what a whole call over TCP costs the server's process without and with each way of identifying, and
`ratio_http_...` that against the call without (`benchmarks.identified`); `call_..._us` is the same for the engine
alone, without network, database and rules (`benchmarks.proofs`).
"""

import gc
import importlib
import importlib.metadata
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from types import ModuleType
from typing import TypeVar

from benchmarks.identified import KINDS, http_costs
from benchmarks.proofs import proof_costs
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from ipfilters import (
    Effect,
    Endpoint,
    FileSource,
    Rule,
    RuleSet,
    Scope,
    Snapshot,
    TrustedProxies,
    compile_rules,
    find_client,
)

FEW, MANY = 10, 100_000
CLIENTS = 1000
FRESH = 20_000
SEED = 1

Asked = TypeVar("Asked")

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(options: Options) -> Record:
    """Time decisions at 10 and 100,000 networks, pytricia's look-ups, and compiling."""
    pytricia = _pytricia()
    rules = {count: networks_of(count) for count in (FEW, MANY)}
    clients = {count: addresses_of(rules[count], CLIENTS) for count in rules}
    # Ten networks of 256 addresses have too few that were never seen.
    wide = networks_of(FEW, length=16)
    used = networks_of(CLIENTS, among=rules[MANY])
    six = {count: networks_of_six(count) for count in (FEW, MANY)}
    used_six = networks_of(CLIENTS, among=six[MANY])
    trees_six = {count: _tree(pytricia, six[count], bits=128) for count in six}
    snapshots = {count: compile_rules(rules[count], version=1, compiled_at=_NOW) for count in rules}
    trees = {count: _tree(pytricia, rules[count]) for count in rules}
    proxies = TrustedProxies.read(["10.0.0.0/8"])
    lines = {address: [f"{address}, 10.0.0.2"] for address in clients[MANY]}
    works: dict[str, Callable[[], object]] = {
        "decide_10_us": lambda: decide_all(snapshots[FEW], clients[FEW]),
        "decide_us": lambda: decide_all(snapshots[MANY], clients[MANY]),
        "pytricia_10_us": lambda: _look_up_all(trees[FEW], clients[FEW]),
        "pytricia_us": lambda: _look_up_all(trees[MANY], clients[MANY]),
        "find_client_us": lambda: [find_client("10.0.0.1", line, trusted=proxies) for line in lines.values()],
    }
    identified = http_costs(options)
    runs: list[dict[str, str | float]] = []
    for number in range(1, options.rounds + 1):
        took: dict[str, str | float] = {"round": number}
        for name, work in works.items():
            took[name] = _seconds(work, seconds=0.05 * options.seconds) / CLIENTS * 1e6
        started = time.process_time()
        fresh = compile_rules(rules[MANY], version=1, compiled_at=_NOW)
        took["compile_s"] = time.process_time() - started
        few = compile_rules(wide, version=1, compiled_at=_NOW)
        seed = SEED + number
        few_six, many_six = (compile_rules(six[count], version=1, compiled_at=_NOW) for count in (FEW, MANY))
        for name, compiled, tree, asked in (
            ("fresh_10_us", few, _tree(pytricia, wide), wide),
            # The strangers come first: none of their networks has been asked for.
            ("stranger_us", fresh, trees[MANY], rules[MANY]),
            ("fresh_us", fresh, trees[MANY], used),
            ("fresh_six_10_us", few_six, trees_six[FEW], six[FEW]),
            ("stranger_six_us", many_six, trees_six[MANY], six[MANY]),
            ("fresh_six_us", many_six, trees_six[MANY], used_six),
        ):
            took.update(_new(name, compiled, tree, addresses_of(asked, FRESH, seed=seed)))
        took.update(proof_costs(seconds=0.05 * options.seconds))
        took.update(identified[number - 1])
        runs.append(took)
    return _record(runs)


def networks_of(count: int, *, length: int = 24, among: RuleSet | None = None) -> RuleSet:
    """Give so many allows of different networks of IPv4 with this prefix length, the same for each call.

    `among` are rules to choose from.
    """
    dice = random.Random(SEED)
    if among is not None:
        return RuleSet(rules=tuple(dice.sample(among.rules, count)))
    source = FileSource(file="benchmark", line=1)
    return RuleSet(
        rules=tuple(
            Rule(
                id=str(number),
                scope=Scope(),
                effect=Effect.ALLOW,
                network=IPv4Network((number << (32 - length), length)),
                source=source,
            )
            for number in dice.sample(range(1 << length), count)
        )
    )


def networks_of_six(count: int) -> RuleSet:
    """Give so many allows of different networks of IPv6 with 48 bits, of all that are given out (2000::/3)."""
    dice = random.Random(SEED)
    source = FileSource(file="benchmark", line=1)
    return RuleSet(
        rules=tuple(
            Rule(
                id=str(number),
                scope=Scope(),
                effect=Effect.ALLOW,
                network=IPv6Network((1 << 125 | number << 80, 48)),
                source=source,
            )
            for number in dice.sample(range(1 << 45), count)
        )
    )


def addresses_of(rules: RuleSet, count: int, *, seed: int = SEED) -> list[str]:
    """Give different addresses of the networks of rules, evenly: one of each network while there are enough."""
    dice = random.Random(seed)
    networks = [rule.network for rule in rules.rules]
    each = -(-count // len(networks))
    chosen = dice.sample(networks, min(count, len(networks)))
    addresses = [
        str(network[number])
        for network in chosen
        for number in dice.sample(range(min(network.num_addresses, 1 << 32)), each)
    ]
    dice.shuffle(addresses)
    return addresses[:count]


def decide_all(snapshot: Snapshot, addresses: Sequence[str]) -> int:
    """Decide for every address, and give how many are let in."""
    decide = snapshot.decide
    return sum(decide(address, endpoint=Endpoint.SALES, now=_NOW).allowed for address in addresses)


def _look_up_all(tree: Callable[[str], object], addresses: Sequence[str]) -> int:
    return sum(tree(address) is not None for address in addresses)


def _pytricia() -> ModuleType:
    try:
        return importlib.import_module("pytricia")
    except ImportError:
        raise Refused(
            "pytricia is not installed, and there is nothing to compare with; install the group dev"
        ) from None


def _tree(pytricia: ModuleType, rules: RuleSet, *, bits: int = 32) -> Callable[[str], object]:
    tree = pytricia.PyTricia(bits)
    for rule in rules.rules:
        tree[str(rule.network)] = rule
    look_up: Callable[[str], object] = tree.get
    return look_up


def _seconds(work: Callable[[], object], *, seconds: float) -> float:
    """Time a piece of work by the processor time of this process, repeated for about so many seconds."""
    work()
    started, times = time.process_time(), 0
    while (passed := time.process_time() - started) < seconds:
        work()
        times += 1
    return passed / times


def _new(name: str, compiled: Snapshot, tree: Callable[[str], object], addresses: Sequence[str]) -> dict[str, float]:
    """Time both sides for addresses that neither was asked for before: microseconds for each, by name."""
    return {
        f"pytricia_{name}": _once(_look_up_all, tree, addresses) / len(addresses) * 1e6,
        name: _once(decide_all, compiled, addresses) / len(addresses) * 1e6,
    }


def _once(work: Callable[[Asked, Sequence[str]], object], asked: Asked, addresses: Sequence[str]) -> float:
    """Time a piece of work that can be done once, since then something is remembered."""
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        work(asked, addresses)
        return time.process_time() - started
    finally:
        gc.enable()


def _record(runs: list[dict[str, str | float]]) -> Record:
    def values(name: str) -> list[float]:
        return [float(took[name]) for took in runs]

    def ratio(upper: str, lower: str) -> list[float]:
        return [one / other for one, other in zip(values(upper), values(lower), strict=True)]

    names = [name for name in runs[0] if name != "round"]
    figures = {name: figure_of(values(name)) for name in names}
    figures["ratio_pytricia"] = figure_of(ratio("decide_us", "pytricia_us"))
    figures["ratio_pytricia_10"] = figure_of(ratio("decide_10_us", "pytricia_10_us"))
    figures["ratio_pytricia_fresh"] = figure_of(ratio("fresh_us", "pytricia_fresh_us"))
    figures["ratio_pytricia_fresh_10"] = figure_of(ratio("fresh_10_us", "pytricia_fresh_10_us"))
    figures["ratio_pytricia_stranger"] = figure_of(ratio("stranger_us", "pytricia_stranger_us"))
    figures["ratio_growth"] = figure_of(ratio("decide_us", "decide_10_us"))
    figures["ratio_growth_fresh"] = figure_of(ratio("fresh_us", "fresh_10_us"))
    figures["ratio_growth_stranger"] = figure_of(ratio("stranger_us", "fresh_10_us"))
    figures["ratio_growth_stranger_pytricia"] = figure_of(ratio("pytricia_stranger_us", "pytricia_fresh_10_us"))
    figures["ratio_growth_fresh_six"] = figure_of(ratio("fresh_six_us", "fresh_six_10_us"))
    figures["ratio_growth_stranger_six"] = figure_of(ratio("stranger_six_us", "fresh_six_10_us"))
    for name in ("fresh_six", "fresh_six_10", "stranger_six"):
        figures[f"ratio_pytricia_{name}"] = figure_of(ratio(f"{name}_us", f"pytricia_{name}_us"))
    for kind in ("digest", "signed", "rsa"):
        figures[f"ratio_call_{kind}"] = figure_of(ratio(f"call_{kind}_us", "call_bare_us"))
    for kind in KINDS[1:]:
        figures[f"ratio_http_{kind}"] = figure_of(ratio(f"http_{kind}_us", "http_bare_us"))
    return Record(
        name="access",
        machine=this_machine(),
        versions={name: importlib.metadata.version(name) for name in ("opendepot", "pytricia")},
        runs=runs,
        figures=figures,
        tables=(_table(runs, names),),
    )


def _table(runs: list[dict[str, str | float]], names: list[str]) -> Table:
    return Table(
        title="Each round: microseconds for one address, seconds for compiling",
        columns=("figure", *(str(took["round"]) for took in runs)),
        rows=tuple((name, *(f"{took[name]:.3f}" for took in runs)) for name in names),
    )
