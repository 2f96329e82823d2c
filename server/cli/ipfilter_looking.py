"""`opendepot ipfilter explain|test|lint|learn`: what the rules say, would say, and should say."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from ipfilters import (
    ClientRefused,
    DatabaseSource,
    Effect,
    Endpoint,
    Mode,
    Rule,
    RuleSet,
    Scope,
    Severity,
    compile_rules,
    explain,
    find_client,
    learn,
    lint_proxies,
    lint_rules,
    read_rules,
    replay,
)
from ipfilters.rules import default_id
from server.cli.common import ConfigOption, JsonOption, print_json, with_core
from server.cli.filtering import (
    Asked,
    AtHand,
    EndpointOption,
    ReasonOption,
    ShopOption,
    YesOption,
    at_hand,
    edit,
    events_of,
    plain,
    proxies_of,
    read_text,
    recorded_of,
    with_rules,
)
from server.core import Core, utc_now
from server.filters.editing import EditRefused
from server.filters.sources import merged, rules_of
from server.filters.unhit import counted_since, find_unhit, known_before
from server.security.policies import Verdict, verdict
from server.settings import load_settings
from storage.commands import FiltersAt
from storage.records import AccessPolicy

LogsOption = Annotated[list[Path], typer.Option("--replay", help="A log of the server; may be given again.")]
MOST_DAYS = 3_650
_SAID = {
    Verdict.PROVEN: "let in by the address",
    Verdict.CREDENTIAL: "let in with a right credential",
    Verdict.DENIED: "refused",
}


def explain_(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The other end of the connection.")],
    *,
    shop: ShopOption = None,
    endpoint: Annotated[Endpoint, typer.Option(help="What is asked for.")] = Endpoint.SALES,
    forwarded: Annotated[
        list[str] | None, typer.Option(help="A line of the forwarding header; may be given again.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who the client is, every rule that matches, the winner and why."""
    hand = with_rules(config)
    policy = hand.policy(shop)
    if shop is None:
        policy = {Endpoint.SALES: None, Endpoint.ADMIN: hand.settings.admin_policy}.get(endpoint, AccessPolicy.IP)
    proxies, form = proxies_of(hand.settings)
    try:
        client = find_client(address, tuple(forwarded or ()), trusted=proxies, form=form)
    except ClientRefused as refused:
        raise EditRefused(f"the answer is ClientUnknown, status 400: {refused.message}") from None
    found = explain(hand.snapshot, client, endpoint=endpoint, shop=shop, now=utc_now())
    said = None if policy is None else _SAID[verdict(policy, found.decision)]
    if as_json:
        print_json({**found.as_values(), "policy": policy, "verdict": said})
        return
    typer.echo(plain(str(found)))
    if said is not None and policy is not None:
        typer.echo(f"policy    {policy}: {said}")


def try_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file of rules, in place of the database's.")],
    *,
    logs: LogsOption,
    config: ConfigOption = None,
) -> None:
    """Tell which recorded requests would be decided otherwise by the rules of a file; nothing is put in force."""
    hand = with_rules(config)
    rules = merged((*hand.of_files, read_rules(read_text(file), file=str(file))))
    counted = Counter(found for event in events_of(logs, name="exchange") if (found := recorded_of(event)) is not None)
    records = [replace(found, count=count) for found, count in counted.items()]
    now = utc_now()
    typer.echo(plain(str(replay(records, compile_rules(rules, version=0, compiled_at=now), now=now))))


def lint(
    logs: Annotated[
        list[Path] | None,
        typer.Option("--hits", help="A log of the server, asked in place of the database who never decided."),
    ] = None,
    unhit_for: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_DAYS, metavar="DAYS", help="Rules without a decision for so many days are told of."
        ),
    ] = 30,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find rules that never win, overlap, have expired or decide no more, and too many proxies. Exit code 1: some."""
    now = utc_now()
    since = now - timedelta(days=unhit_for)
    hand, stood = _with_rules_then(config, since)
    hits = None if not logs else _hits_of(logs)
    proxies, _ = proxies_of(hand.settings)
    found = [*lint_rules(hand.snapshot, now=now, hits=hits), *lint_proxies(proxies.networks)]
    notes = []
    if not logs:
        rules = hand.snapshot.rule_set.rules
        found += find_unhit(rules, hits=hand.hits, known=stood, since=since, now=now)
        began = counted_since(hand.hits)
        if rules and (began is None or began >= since):
            notes.append(
                f"nothing is said about rules that decide no more, since decisions are not yet counted for {unhit_for} "
                "days; --unhit-for asks for fewer"
            )
    findings = [
        *(_Told(each.code, each.severity, each.message, None if each.rule is None else each.rule.id) for each in found),
        *_about_shops(hand),
    ]
    _tell(hand, findings, notes, as_json=as_json)
    if findings:
        raise typer.Exit(1)


class _Told(NamedTuple):
    code: str
    severity: Severity
    message: str
    rule: str | None


def _with_rules_then(config: Path | None, since: datetime) -> tuple[AtHand, set[str]]:
    """Read what is in force, and the ids of the rules that were so at an instant already."""
    settings = load_settings(config)

    async def work(core: Core) -> tuple[AtHand, set[str]]:
        hand = await at_hand(core, settings)
        document = rules_of(await core.storage.query(FiltersAt(at=since)))
        return hand, known_before(since, of_files=hand.of_files, document=document, files=settings.filter_files)

    return with_core(settings, work)


def _hits_of(logs: Sequence[Path]) -> Counter[str]:
    hits: Counter[str] = Counter()
    for event in events_of(logs, name="filter_hits"):
        hits.update(event["rules"])
    return hits


def _about_shops(hand: AtHand) -> Iterator[_Told]:
    policies = {shop.name: shop.access_policy for shop in hand.view.shops}
    for shop in hand.snapshot.shops():
        if shop not in policies:
            message = f"rules for shop {shop}, which does not exist; drop them, or mend the name"
            yield _Told("shop-unknown", Severity.WARNING, message, None)
        elif policies[shop] is AccessPolicy.CREDENTIAL and _allows(hand.snapshot.rule_set, shop):
            message = f"shop {shop} has the policy credential, so its allow rules do nothing"
            yield _Told("shop-allows-nothing", Severity.HINT, message, None)


def _tell(hand: AtHand, findings: Sequence[_Told], notes: Sequence[str], *, as_json: bool) -> None:
    rules = len(hand.snapshot.rule_set.rules)
    if as_json:
        values = [told._asdict() for told in findings]
        print_json({"version": hand.snapshot.version, "rules": rules, "findings": values, "notes": notes})
        return
    for told in findings:
        typer.echo(plain(f"{told.severity}: {told.message}"))
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{rules} rules, {len(findings)} findings")


def _allows(rules: RuleSet, shop: str) -> bool:
    return any(rule.scope.shop == shop and rule.effect is Effect.ALLOW for rule in rules.rules)


def learn_(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Logs of the server.")],
    shop: Annotated[str, typer.Option("--shop", help="The shop.")],
    endpoint: EndpointOption = None,
    most: Annotated[int, typer.Option(min=1, help="Most networks.")] = 8,
    *,
    store: Annotated[bool, typer.Option("--add", help="Add them as shadow rules.")] = False,
    yes: YesOption = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Propose networks for a shop, from where its successful requests came."""
    seen = Counter(
        event["client"]
        for event in events_of(logs, name="exchange")
        if event.get("shop") == shop and event.get("outcome") == "ok" and event.get("client")
    )
    if not seen:
        raise EditRefused(f"these logs have no successful request of shop {shop}")
    proposal = learn(seen, most=most)
    for found in proposal.networks:
        typer.echo(f"allow {found.network}  {found.requests} requests from {found.addresses} addresses")
    for found in proposal.left_out:
        typer.echo(f"left out {found.network}  {found.requests} requests; more networks by --most")
    if not store:
        return
    scope = Scope(shop=shop, endpoint=endpoint)
    rules = tuple(
        Rule(
            id=default_id(scope, Effect.ALLOW, found.network),
            scope=scope,
            effect=Effect.ALLOW,
            network=found.network,
            source=DatabaseSource(row="new", who="", at=utc_now()),
            mode=Mode.SHADOW,
            comment="learned",
        )
        for found in proposal.networks
    )

    def joined(before: RuleSet) -> RuleSet:
        known = {rule.id for rule in before.rules}
        return replace(before, rules=(*before.rules, *(rule for rule in rules if rule.id not in known)))

    document, _ = edit(
        Asked(config=config, yes=yes, reason=reason or f"learned for {shop}", editor=None, shop=shop), joined
    )
    typer.echo(f"version {document.version}: in shadow mode")


def add_to(app: typer.Typer) -> None:
    """Add these verbs."""
    for name, verb in (("explain", explain_), ("test", try_file), ("lint", lint), ("learn", learn_)):
        app.command(name)(verb)
