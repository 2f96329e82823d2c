"""`opendepot ipfilter explain|test|lint|learn`: what the rules say, would say, and should say."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

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
from server.cli.common import ConfigOption, JsonOption, print_json
from server.cli.filtering import (
    Asked,
    EndpointOption,
    ReasonOption,
    ShopOption,
    YesOption,
    edit,
    events_of,
    plain,
    proxies_of,
    read_text,
    recorded_of,
    with_rules,
)
from server.core import utc_now
from server.filters.editing import EditRefused
from server.filters.sources import merged
from server.security.policies import Verdict, verdict
from storage.records import AccessPolicy

LogsOption = Annotated[list[Path], typer.Option("--replay", help="A log of the server; may be given again.")]
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
        list[Path] | None, typer.Option("--hits", help="A log of the server, to find rules that never decided.")
    ] = None,
    *,
    config: ConfigOption = None,
) -> None:
    """Find rules that never win, overlap, have expired or never decided, and too many proxies. Exit code 1: some."""
    hand = with_rules(config)
    hits: Counter[str] | None = None
    if logs:
        hits = Counter()
        for event in events_of(logs, name="filter_hits"):
            hits.update(event["rules"])
    proxies, _ = proxies_of(hand.settings)
    findings = [*lint_rules(hand.snapshot, now=utc_now(), hits=hits), *lint_proxies(proxies.networks)]
    lines = [f"{finding.severity}: {finding.message}" for finding in findings]
    policies = {shop.name: shop.access_policy for shop in hand.view.shops}
    for shop in hand.snapshot.shops():
        if shop not in policies:
            lines.append(f"warning: rules for shop {shop}, which does not exist; drop them, or mend the name")
        elif policies[shop] is AccessPolicy.CREDENTIAL and _allows(hand.snapshot.rule_set, shop):
            lines.append(f"hint: shop {shop} has the policy credential, so its allow rules do nothing")
    for line in lines:
        typer.echo(plain(line))
    typer.echo(f"{len(hand.snapshot.rule_set.rules)} rules, {len(lines)} findings")
    if lines:
        raise typer.Exit(1)


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
