"""What is done at each step of an extension: one call of a CRM or of the central each, and what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from containers import ContainerError, read_context
from licensing.extensions.central import Central, Fate, Line, NotDone
from licensing.extensions.questions import Customer, Offers, Question, Unanswered, Verdict
from licensing.extensions.rules import Rule, Silence, rule_for
from licensing.extensions.saga import Content, Outcome, Step, denied
from licensing.extensions.values import Reason, SeenLicense, Update
from licensing.marketing.offers import Offer, OfferSubject
from licensing.transfers.planning import Target
from storage.extensions import ExtensionRow


@dataclass(kw_only=True, slots=True)
class Work:
    """An extension while somebody works on it. `context` is a caller's, `update` what was collected with it."""

    row: ExtensionRow
    content: Content
    context: bytes | None = None
    update: Update | None = None
    task: "asyncio.Task[None] | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a step. `failure` names why, where it is not all well."""

    outcome: Outcome
    content: Content
    failure: str | None = None


class Steps:
    """Carries out single steps; writes nothing itself."""

    def __init__(self, *, central: Central, rules: Sequence[Rule], offers: Offers) -> None:
        self._central = central
        self._rules = tuple(rules)
        self._offers = offers

    async def take(self, work: Work, *, now: datetime) -> Taken:
        """Carry out the step that an extension is at. Raises NotDone for later, TicketUnknown, storage's errors."""
        match work.row.step:
            case Step.CHECK:
                return await self._check(work, now=now)
            case Step.PROVIDE:
                return await self._provide(work)
            case Step.WITHDRAW:
                return await self._withdraw(work)
            case Step.EXTEND:
                return await self._extend(work)
            case Step.COLLECT:
                return await self._collect(work)
        return Taken(outcome=Outcome.TOLD, content=work.content)

    async def _check(self, work: Work, *, now: datetime) -> Taken:
        content, late = work.content, work.content.bridge_order_id is not None
        failure = None
        if not content.decided:
            groups = self._groups(content)
            found = await asyncio.gather(*(self._asked(work, rule, group, now) for rule, group in groups))
            silent = [rule for (rule, _), verdict in zip(groups, found, strict=True) if _unknown(verdict)]
            if silent:
                failures = [str(verdict) for verdict in found if isinstance(verdict, Unanswered)]
                failure = failures[0] if failures else "undecided"
                bridging = _silent(work, silent[0], answered=not failures, now=now)
                if bridging is not None:
                    return Taken(
                        outcome=bridging,
                        content=replace(content, bridged=content.bridged or bridging is Outcome.BRIDGED),
                        failure=failure,
                    )
                content = denied(content, Reason.NO_ANSWER)
            else:
                verdicts = [verdict for verdict in found if isinstance(verdict, Verdict)]
                content = self._decided(content, list(zip(groups, verdicts, strict=True)))
            content = replace(content, offers=content.offers + await self._campaigns(content, now=now))
        if content.approved:
            return Taken(outcome=Outcome.APPROVED_LATE if late else Outcome.APPROVED, content=content)
        return Taken(outcome=Outcome.DENIED_LATE if late else Outcome.DENIED, content=content, failure=failure)

    def _groups(self, content: Content) -> list[tuple[Rule, tuple[SeenLicense, ...]]]:
        """Give the licences that one rule covers together, in the order of the rules' first licences."""
        groups: dict[str, tuple[Rule, list[SeenLicense]]] = {}
        for each in content.licenses:
            rule = rule_for(each.item_number, self._rules)
            if rule is not None:
                groups.setdefault(rule.name, (rule, []))[1].append(each)
        return [(rule, tuple(found)) for rule, found in groups.values()]

    async def _asked(
        self, work: Work, rule: Rule, licenses: tuple[SeenLicense, ...], now: datetime
    ) -> Verdict | Unanswered:
        content = work.content
        question = Question(
            extension_id=work.row.extension_id,
            ticket=content.ticket,
            licenses=licenses,
            customer=content.customer,
            language=content.language,
            days=content.days,
            quantity=content.quantity,
            asked_at=now,
        )
        try:
            return await rule.eligibility.ask(question)
        except Unanswered as error:
            return error

    def _decided(
        self, content: Content, found: Sequence[tuple[tuple[Rule, tuple[SeenLicense, ...]], Verdict]]
    ) -> Content:
        """Give an extension as the CRM has decided it."""
        approved: dict[str, str] = {}
        customer, text, offers = Customer(), None, ()  # type: tuple[Customer, str | None, tuple[Offer, ...]]
        wanting = False
        for (rule, licenses), verdict in found:
            customer, text = customer.over(verdict.customer), text or verdict.text
            offers += tuple(offer for offer in verdict.offers if offer not in offers)
            for each in licenses if verdict.eligible else ():
                item = rule.item_for(each.item_number, days=content.days, said=verdict.item_number)
                if item is None or not _fitting(content, each):
                    wanting = True
                else:
                    approved[each.license_id] = item
        reason = Reason.APPROVED if approved else Reason.NOT_OFFERED if wanting or not found else Reason.NOT_ELIGIBLE
        return replace(
            content,
            approved=approved,
            reason=reason,
            text=None if wanting else text,
            offers=offers,
            customer=customer.over(content.customer),
        )

    async def _campaigns(self, content: Content, *, now: datetime) -> tuple[Offer, ...]:
        """Give the offers of campaigns; nothing waits for them."""
        found: tuple[Offer, ...] = ()
        for each in content.licenses:
            subject = OfferSubject(
                item_number=each.item_number,
                expires_at=each.expires_at,
                customer_group=content.customer.group,
                language=content.language or content.customer.language,
            )
            try:
                offers = await self._offers.offers(subject, now=now)
            except Unanswered:
                continue
            found += tuple(offer for offer in offers if offer not in found and offer not in content.offers)
        return found

    async def _provide(self, work: Work) -> Taken:
        content = work.content
        lines = tuple(
            Line(item_number=rule.provisional_item, quantity=each.quantity, license_id=each.license_id)
            for rule, licenses in self._groups(content)
            for each in licenses
            if rule.provisional_item is not None
        )
        try:
            order_id = await self._order(work, "provide", lines)
        except NotDone as error:
            return _refused(error, content)
        after = await self._after(content)
        content = replace(content, bridge_order_id=order_id, reason=Reason.PROVISIONAL, after=after)
        return Taken(outcome=Outcome.ORDERED, content=content)

    async def _withdraw(self, work: Work) -> Taken:
        content = work.content
        assert content.bridge_order_id is not None  # noqa: S101  the table of transitions leads here with one only
        failure = None
        try:
            await self._central.cancel(
                order_id=content.bridge_order_id,
                transaction_id=_transaction(work, "withdraw"),
                reason="the provisional extension has ended",
            )
        except NotDone as error:
            # What was renewed since, or withdrawn, is not provisional any more.
            if error.fate is not Fate.IMPOSSIBLE:
                return _refused(error, content)
            failure = error.code
        content = replace(content, bridge_order_id=None)
        if not content.approved:
            after = await self._after(content)
            return Taken(outcome=Outcome.TAKEN_BACK, content=replace(content, after=after), failure=failure)
        return Taken(outcome=Outcome.MADE_WAY, content=content, failure=failure)

    async def _extend(self, work: Work) -> Taken:
        content, approved = work.content, work.content.approved or {}
        lines: list[Line] = []
        for each in content.licenses:
            item = approved.get(each.license_id)
            if item is None:
                continue
            lines.append(Line(item_number=item, quantity=each.quantity, license_id=each.license_id))
            if content.quantity is not None and content.quantity > each.quantity:
                lines.append(Line(item_number=item, quantity=content.quantity - each.quantity, license_id=None))
        try:
            order_id = await self._order(work, "extend", tuple(lines))
        except NotDone as error:
            if error.fate is Fate.IMPOSSIBLE:
                content = denied(content, Reason.NOT_POSSIBLE)
            return _refused(error, content)
        return Taken(outcome=Outcome.ORDERED, content=replace(content, extension_order_id=order_id))

    async def _order(self, work: Work, what: str, lines: tuple[Line, ...]) -> str:
        return await self._central.order(
            ticket=work.content.ticket, transaction_id=_transaction(work, what), lines=lines
        )

    async def _collect(self, work: Work) -> Taken:
        content = replace(work.content, after=await self._after(work.content))
        if work.context is None:
            return Taken(outcome=Outcome.LEFT, content=content)
        work.content = content
        work.update = await self.collected(content, work.context)
        return Taken(outcome=Outcome.LEFT if work.update.file is None else Outcome.COLLECTED, content=content)

    async def collected(self, content: Content, context: bytes) -> Update:
        """Collect what an extension has made longer, as far as it is of the container's firm code."""
        targets = targets_of(content, context)
        if not targets:
            return Update(state="NothingNew")
        return await self._central.collect(ticket=content.ticket, targets=targets, context=context)

    async def _after(self, content: Content) -> tuple[SeenLicense, ...]:
        """Give the licences of an extension as they are now, and those that came with wished pieces."""
        seen = await self._central.look(content.ticket)
        known = {each.license_id for each in content.licenses}
        fresh = content.extension_order_id is not None and content.quantity is not None
        before = set(content.others)
        return tuple(
            each for each in seen.licenses if each.license_id in known or (fresh and each.license_id not in before)
        )


def _unknown(verdict: Verdict | Unanswered) -> bool:
    return isinstance(verdict, Unanswered) or verdict.eligible is None


def _silent(work: Work, rule: Rule, *, answered: bool, now: datetime) -> Outcome | None:
    """Give what follows while a rule's sources are silent; None when all patience has ended."""
    if now >= work.row.created_at + timedelta(hours=rule.give_up_hours):
        return None
    if rule.when_silent is Silence.REFUSE and not answered:
        return None
    if rule.when_silent is Silence.PROVISIONAL and not work.content.bridged and rule.provisional_item is not None:
        return Outcome.BRIDGED
    return Outcome.SILENT


def _fitting(content: Content, license_: SeenLicense) -> bool:
    """Whether a wish for pieces can be met: a licence is renewed whole, and more are a licence of their own."""
    wished = content.quantity
    return wished is None or (len(content.licenses) == 1 and wished >= license_.quantity)


def _transaction(work: Work, what: str) -> str:
    return f"ozomm-{work.row.extension_id}-{what}"


def _refused(error: NotDone, content: Content) -> Taken:
    """Give what a refusal means for a step. Raises it again where it is for later."""
    if error.fate is Fate.LATER:
        raise error
    outcome = Outcome.IMPOSSIBLE if error.fate is Fate.IMPOSSIBLE else Outcome.BROKEN
    return Taken(outcome=outcome, content=content, failure=error.code)


def targets_of(content: Content, context: bytes) -> tuple[Target, ...]:
    """Give what a container shall hold after an extension.

    What is there stays there, in its number. A container that holds none of the licences gets what is free of them, as
    by a collection. Pieces that were wished for go into the container that asks.
    """
    known = {
        each.license_id for each in content.licenses if not content.approved or each.license_id in content.approved
    }
    fresh = {each.license_id for each in content.after} - {each.license_id for each in content.licenses}
    try:
        read = read_context(context)
    except ContainerError:
        # The Depot says what is wrong with it.
        return tuple(Target(license_id=each) for each in sorted(known))
    here = [each for each in content.after if each.firm_code == read.firm_code]
    held = {entry.license_id for entry in read.listing} & known
    targets = [
        Target(license_id=each.license_id, quantity=1 if held else None)
        for each in here
        if each.license_id in (held or known)
    ]
    return tuple(targets + [Target(license_id=each.license_id) for each in here if each.license_id in fresh])
