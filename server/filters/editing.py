"""Edits of the rules in the database: each makes a new document that says who, when, why and what has changed."""

import asyncio
import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ipfilters import Danger, RuleSet, Warned, check_edit, compile_rules, write_rules
from server.errors import SettingsError
from server.filters.sources import merged, rules_of
from storage import Storage
from storage.commands import FindFilters, ListFilters, LoadFilters, Moved, SetAccessPolicy, StoreFilters
from storage.records import AccessPolicy, AuditRow, FilterDocument

NEWEST = 2**62


class EditRefused(SettingsError):
    """An edit of the rules that cannot be made. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """An edit that was thought out and not yet stored: the rules before and after, and what would differ."""

    before: RuleSet
    after: RuleSet
    version: int
    diff: str


class FilterEditor:
    """Reads and stores documents of rules."""

    def __init__(self, storage: Storage, *, clock: Callable[[], datetime], of_files: tuple[RuleSet, ...] = ()) -> None:
        self._storage = storage
        self._clock = clock
        self._of_files = of_files

    async def prepare(self, change: Callable[[RuleSet], RuleSet]) -> Edit:
        """Think out an edit of the newest rules. Raises EditRefused when it would change nothing, RulesRefused."""
        document = (await self._storage.query(LoadFilters())).document
        # A hundred thousand rules take seconds to read.
        return await asyncio.to_thread(_thought_out, document, change)

    async def revert(self, version: int) -> Edit:
        """Think out an edit that brings back the rules of a version. Raises EditRefused."""
        document = await self._storage.query(FindFilters(version=version))
        if document is None and version != 0:
            raise EditRefused(f"there is no version {version} of the rules; `opendepot ipfilter history` lists them")
        return await self.prepare(lambda _: rules_of(document))

    def warnings(
        self, edit: Edit, *, editor: str | None, admin_policy: AccessPolicy = AccessPolicy.CREDENTIAL
    ) -> tuple[Warned, ...]:
        """Give what should be asked about before an edit is stored. Raises AddressRefused for the editor's address."""
        now = self._clock()
        before, after = (
            compile_rules(
                _as_asked(merged((*self._of_files, rules)), admin_policy),
                version=0,
                compiled_at=now,
            )
            for rules in (edit.before, edit.after)
        )
        # Loopback stands in for an editor whose address is not known; that it is denied locks out nobody.
        found = check_edit(before, after, editor=editor or "127.0.0.1", now=now)
        return found if editor else tuple(warned for warned in found if warned.danger is not Danger.LOCKS_OUT)

    async def store(
        self, edit: Edit, *, author: str, comment: str, policy: tuple[str, AccessPolicy] | None = None
    ) -> FilterDocument:
        """Put an edit in force, with the policy of a shop in the same transaction where one is given.

        Raises EditRefused when somebody else was faster, StorageError.
        """
        now = self._clock()
        document = FilterDocument(
            version=edit.version + 1,
            rules=await asyncio.to_thread(write_rules, edit.after),
            author=author,
            written_at=now,
            comment=comment,
            diff=edit.diff,
        )
        audit = AuditRow(
            at=now,
            actor=author,
            action="StoreFilters",
            subject=f"version {document.version}",
            details=json.dumps({"comment": comment}),
        )
        command = StoreFilters(document=document, audit=audit, policy=policy and _policy_of(*policy, audit))
        if isinstance(await self._storage.execute(command), Moved):
            raise EditRefused("somebody else has changed the rules meanwhile; look at them and do it again")
        return document

    async def history(self, *, limit: int) -> tuple[FilterDocument, ...]:
        """Give the newest documents, the newest first."""
        return await self._storage.query(ListFilters(before=NEWEST, limit=limit))


def _thought_out(document: FilterDocument | None, change: Callable[[RuleSet], RuleSet]) -> Edit:
    before = rules_of(document)
    after = change(before)
    old, new = write_rules(before) if document is None else document.rules, write_rules(after)
    diff = "\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "after", lineterm=""))
    if not diff:
        raise EditRefused("the rules are so already; nothing was changed")
    return Edit(before=before, after=after, version=0 if document is None else document.version, diff=diff)


def _policy_of(shop: str, policy: AccessPolicy, audit: AuditRow) -> SetAccessPolicy:
    details = json.dumps({"policy": policy.value})
    return SetAccessPolicy(
        name=shop, policy=policy, audit=replace(audit, action="SetAccessPolicy", subject=shop, details=details)
    )


def _as_asked(rules: RuleSet, admin_policy: AccessPolicy) -> RuleSet:
    """Give the rules as the Admin interface asks them: under `credential` its default has no say."""
    if admin_policy is AccessPolicy.CREDENTIAL:
        return replace(rules, defaults=replace(rules.defaults, admin=True))
    return rules
