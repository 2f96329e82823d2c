"""`opendepot ipfilter`: look at the rules about client addresses and change them."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ipfilters import (
    DatabaseSource,
    Effect,
    Mode,
    Rule,
    RuleSet,
    Scope,
    import_csv,
    import_nginx,
    parse_network,
    read_rules,
)
from ipfilters.explain import rule_values
from ipfilters.rules import default_id
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.cli.filtering import (
    Asked,
    EditorOption,
    EndpointOption,
    ReasonOption,
    ShopOption,
    YesOption,
    edit,
    plain,
    read_text,
    with_rules,
)
from server.core import utc_now
from server.filters.editing import EditRefused, FilterEditor
from server.filters.sources import merged
from storage.commands import RuleHits
from storage.records import AccessPolicy

app = typer.Typer(no_args_is_help=True, help="Who may connect: rules about client addresses.")


class Format(StrEnum):
    """What a file of rules can be written in."""

    TOML = "toml"
    CSV = "csv"
    NGINX = "nginx"


class Verb(StrEnum):
    """What a rule does."""

    ALLOW = "allow"
    DENY = "deny"


@app.command("list")
def list_(*, shop: ShopOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all rules that are in force, of the files and of the database."""
    hand = with_rules(config)
    rules = [rule for rule in hand.snapshot.rule_set.rules if shop in {None, rule.scope.shop}]
    if as_json:
        print_json([{**rule_values(rule), **_hit_values(hand.hits.get(rule.id))} for rule in rules])
        return
    for rule in rules:
        notes = ", ".join(note for note in (rule.mode.value, rule.owner, rule.comment) if note)
        until = "" if rule.expires_at is None else f", until {rule.expires_at.isoformat()}"
        typer.echo(plain(f"{rule.id}\n    {rule.source}: {notes}{until}{_hit_words(hand.hits.get(rule.id))}"))
    typer.echo(f"version {hand.snapshot.version}, {len(rules)} rules")


def _hit_values(found: RuleHits | None) -> dict[str, object]:
    return {"hits": found.hits if found else 0, "last_hit": found.last_at.isoformat() if found else None}


def _hit_words(found: RuleHits | None) -> str:
    return f", {found.hits} hits, the last at {found.last_at.isoformat(timespec='seconds')}" if found else ""


@app.command()
def add(
    effect: Annotated[Verb, typer.Argument(help="allow or deny.")],
    network: Annotated[str, typer.Argument(metavar="CIDR", help="A network such as 192.0.2.0/24, or an address.")],
    *,
    shop: ShopOption = None,
    endpoint: EndpointOption = None,
    exceptable: Annotated[bool, typer.Option("--exceptable", help="A longer allow sets this deny aside.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="Only tell what the rule would do.")] = False,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="Such as 2027-01-31T00:00:00Z.")
    ] = None,
    owner: Annotated[str, typer.Option(help="Who asked for it.")] = "",
    comment: Annotated[str, typer.Option(help="What it is for.")] = "",
    yes: YesOption = False,
    reason: ReasonOption = "",
    editor: EditorOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a rule to the database; one with the same scope, effect and network is replaced."""
    if exceptable and effect is Verb.ALLOW:
        raise EditRefused("only a deny is exceptable; leave --exceptable out")
    scope = Scope(endpoint=endpoint, shop=shop)
    what = Effect.ALLOW if effect is Verb.ALLOW else Effect.EXCEPTABLE_DENY if exceptable else Effect.DENY
    where = parse_network(network)
    rule = Rule(
        id=default_id(scope, what, where),
        scope=scope,
        effect=what,
        network=where,
        source=DatabaseSource(row="new", who="", at=utc_now()),
        mode=Mode.SHADOW if shadow else Mode.ENFORCE,
        expires_at=expires,
        owner=owner,
        comment=comment,
    )
    asked = Asked(config=config, yes=yes, reason=reason or f"add {rule.id}", editor=editor, shop=shop)
    document, _ = edit(asked, lambda rules: _with(rules, rule))
    typer.echo(f"version {document.version}: {rule.id}")
    if shop is not None and what is Effect.ALLOW and with_rules(config).policy(shop) is AccessPolicy.CREDENTIAL:
        typer.echo(
            f"note: shop {shop} has the policy credential, so an allow changes nothing; "
            f"see `opendepot shop policy {shop} 'ip AND credential'`"
        )


def _with(rules: RuleSet, rule: Rule) -> RuleSet:
    others = tuple(found for found in rules.rules if found.id != rule.id)
    return replace(rules, rules=(*others, rule))


@app.command()
def remove(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` gives it.")],
    *,
    yes: YesOption = False,
    reason: ReasonOption = "",
    editor: EditorOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a rule from the database."""

    def without(rules: RuleSet) -> RuleSet:
        left = tuple(rule for rule in rules.rules if rule.id != rule_id)
        if len(left) == len(rules.rules):
            raise EditRefused(f"the database has no rule {rule_id}; `list` names them, and files are edited as files")
        return replace(rules, rules=left)

    document, _ = edit(Asked(config=config, yes=yes, reason=reason or f"remove {rule_id}", editor=editor), without)
    typer.echo(f"version {document.version}: without {rule_id}")


@app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="TOML files of rules.")]) -> None:
    """Read files of rules and tell every mistake with its line; nothing is put in force."""
    for path in files:
        rules = read_rules(read_text(path), file=str(path)).rules
        typer.echo(f"{path}: {len(rules)} rules, no mistake")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TOML,
    shop: ShopOption = None,
    endpoint: EndpointOption = None,
    yes: YesOption = False,
    reason: ReasonOption = "",
    editor: EditorOption = None,
    config: ConfigOption = None,
) -> None:
    """Add the rules of a file to the database. --shop and --endpoint say where nginx's allow and deny lines apply."""
    text, scope = read_text(file), Scope(endpoint=endpoint, shop=shop)
    if form is not Format.NGINX and scope != Scope():
        raise EditRefused("--shop and --endpoint are for nginx's lines; the other formats say it themselves")

    def joined(rules: RuleSet) -> RuleSet:
        new = _imported(text, file, form, scope, rules)
        known = {(rule.scope, rule.effect, rule.network) for rule in rules.rules}
        added = RuleSet(rules=tuple(rule for rule in new if (rule.scope, rule.effect, rule.network) not in known))
        return merged((rules, added))

    asked = Asked(config=config, yes=yes, reason=reason or f"import {file.name}", editor=editor, shop=shop)
    document, made = edit(asked, joined)
    typer.echo(f"version {document.version}: {len(made.after.rules) - len(made.before.rules)} rules added")


def _imported(text: str, file: Path, form: Format, scope: Scope, rules: RuleSet) -> tuple[Rule, ...]:
    if form is Format.CSV:
        return import_csv(text, file=str(file))
    if form is Format.TOML:
        return read_rules(text, file=str(file)).rules
    default = scope.endpoint is not None and rules.defaults.allows(scope.endpoint)
    translated = import_nginx(text, file=str(file), scope=scope, default=default)
    for problem in translated.left_out:
        typer.echo(plain(f"left out: {problem}"), err=True)
    return translated.rules


@app.command()
def history(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many edits.")] = 20,
    diff: Annotated[bool, typer.Option("--diff", help="Show what each edit changed.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the edits of the rules in the database, the newest first: version, when, who, why."""
    documents = with_config(config, lambda core: FilterEditor(core.storage, clock=utc_now).history(limit=limit))
    if as_json:
        print_json(
            [
                {"version": x.version, "at": x.written_at, "author": x.author, "reason": x.comment, "diff": x.diff}
                for x in documents
            ]
        )
        return
    for document in documents:
        when = document.written_at.isoformat(timespec="seconds")
        typer.echo(plain(f"{document.version}  {when}  {document.author}  {document.comment}"))
        if diff:
            typer.echo(plain(document.diff))


@app.command()
def revert(
    version: Annotated[int, typer.Argument(min=0, help="The version to go back to; 0: no rules.")],
    *,
    yes: YesOption = False,
    reason: ReasonOption = "",
    editor: EditorOption = None,
    config: ConfigOption = None,
) -> None:
    """Put the rules of an earlier version in force again, as a new version."""
    asked = Asked(config=config, yes=yes, reason=reason or f"revert to version {version}", editor=editor)
    document, _ = edit(asked, version)
    typer.echo(f"version {document.version}: the rules of version {version}")
