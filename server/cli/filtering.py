"""What the verbs of `opendepot ipfilter` share: the rules at hand, questions before a dangerous edit, the log."""

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ipfilters import (
    Endpoint,
    Forwarding,
    Recorded,
    RuleSet,
    Snapshot,
    TrustedProxies,
    Warned,
    compile_rules,
)
from server.cli.common import with_core
from server.core import Core, utc_now
from server.errors import SettingsError
from server.filters.editing import Edit, EditRefused, FilterEditor
from server.filters.sources import load_files, merged, rules_of
from server.security.lockouts import PROOFS_OF, lockouts
from server.settings import Settings, load_settings
from storage.commands import FiltersView, LoadFilters, LoadHits, RuleHits
from storage.records import AccessPolicy, FilterDocument

ShopOption = Annotated[str | None, typer.Option("--shop", help="Only for this shop.", show_default=False)]
EndpointOption = Annotated[
    Endpoint | None, typer.Option("--endpoint", help="Only at this interface.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask, whatever the edit would do.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the history.")]
EditorOption = Annotated[
    str | None,
    typer.Option(
        "--editor",
        help="Your own address, to be asked before you lock yourself out. An SSH session's is known by itself.",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class AtHand:
    """What is in force, or would be: the rules of the files, what the database has, all of it compiled."""

    settings: Settings
    of_files: tuple[RuleSet, ...]
    view: FiltersView
    rules: RuleSet
    snapshot: Snapshot
    hits: Mapping[str, RuleHits]

    def policy(self, shop: str | None) -> AccessPolicy | None:
        """Give the policy of a shop, None for no shop. Raises EditRefused for one that does not exist."""
        if shop is None:
            return None
        for found in self.view.shops:
            if found.name == shop:
                return found.access_policy
        raise EditRefused(f"there is no shop {shop}; `opendepot shop add` makes one")


async def at_hand(core: Core, settings: Settings) -> AtHand:
    """Read all rules. Raises RulesRefused, SettingsError."""
    of_files = files_of(settings)
    view = await core.storage.query(LoadFilters())
    version = 0 if view.document is None else view.document.version
    rules = merged((*of_files, rules_of(view.document)))
    return AtHand(
        settings=settings,
        of_files=of_files,
        view=view,
        rules=rules,
        snapshot=compile_rules(rules, version=version, compiled_at=utc_now()),
        hits=await core.storage.query(LoadHits()),
    )


def with_rules(config: Path | None) -> AtHand:
    """Read what is in force."""
    settings = load_settings(config)
    return with_core(settings, lambda core: at_hand(core, settings))


def files_of(settings: Settings) -> tuple[RuleSet, ...]:
    """Read the rule files of the settings. Raises RulesRefused, SettingsError."""
    try:
        return load_files(settings.filter_files)
    except OSError as error:
        raise SettingsError(f"filter_files: cannot read {error.filename}: {error.strerror}") from None


def plain(text: str) -> str:
    """Give a text that others have a part in as it may be printed: nothing in it is obeyed by a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def read_text(path: Path) -> str:
    """Read a file. Raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; save it as UTF-8") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How an edit was asked for."""

    config: Path | None
    yes: bool
    reason: str
    editor: str | None
    shop: str | None = None


def edit(asked: Asked, change: Callable[[RuleSet], RuleSet] | int) -> tuple[FilterDocument, Edit]:
    """Make an edit, or go back to a version, after asking about what is dangerous. Raises EditRefused."""
    settings = load_settings(asked.config)
    editor = asked.editor or os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or None

    async def work(core: Core) -> tuple[FilterDocument, Edit]:
        hand = await at_hand(core, settings)
        hand.policy(asked.shop)
        filters = FilterEditor(core.storage, clock=utc_now, of_files=hand.of_files)
        thought = await (filters.revert(change) if isinstance(change, int) else filters.prepare(change))
        confirm(filters.warnings(thought, editor=editor, admin_policy=settings.admin_policy), yes=asked.yes)
        return await filters.store(thought, author=getpass.getuser(), comment=asked.reason), thought

    return with_core(settings, work)


def confirm(warnings: Sequence[Warned], *, yes: bool) -> None:
    """Ask about dangers. Raises EditRefused where nobody can be asked."""
    confirm_all([warned.message for warned in warnings], yes=yes)


def confirm_all(dangers: Sequence[str], *, yes: bool) -> None:
    """Ask about dangers in these words. Raises EditRefused where nobody can be asked."""
    if not dangers:
        return
    for danger in dangers:
        typer.echo(plain(f"careful: {danger}"), err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise EditRefused("nobody can be asked, since this is no terminal; nothing was changed; add --yes to do it")
    typer.confirm("Do it all the same?", abort=True)


def confirm_policy(shop: str, policy: AccessPolicy, *, endpoint: Endpoint, yes: bool, config: Path | None) -> None:
    """Ask before a policy that would let a shop in no more. Raises EditRefused where nobody can be asked."""
    settings, now = load_settings(config), utc_now()

    async def found(core: Core) -> tuple[str, ...]:
        hand = await at_hand(core, settings)
        credentials = (await core.credentials.show(shop)).credentials
        kinds = {kind for one in credentials if one.holds(now) for kind in PROOFS_OF.get(one.kind, ())}
        return lockouts(policy, shop=shop, endpoint=endpoint, rules=hand.rules, kinds=kinds, now=now)

    confirm_all(with_core(settings, found), yes=yes)


def proxies_of(settings: Settings) -> tuple[TrustedProxies, Forwarding]:
    """Give whose header is believed, and how it is read."""
    form = Forwarding.FORWARDED if settings.forwarded_header == Forwarding.FORWARDED else Forwarding.X_FORWARDED_FOR
    return TrustedProxies.read(settings.trusted_proxies), form


def events_of(logs: Iterable[Path], *, name: str) -> Iterator[dict[str, Any]]:
    """Give the events of this name in logs; lines that are no JSON objects are skipped."""
    for path in logs:
        for line in read_text(path).splitlines():
            if not line.startswith("{"):
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") == name:
                yield event


def recorded_of(event: dict[str, Any]) -> Recorded | None:
    """Give the decision that an `exchange` event tells of, None where none was taken."""
    if event.get("address_allowed") is None:
        return None
    return Recorded(
        address=event["client"],
        endpoint=Endpoint(event["service"]),
        shop=event.get("shop"),
        allowed=event["address_allowed"],
    )
