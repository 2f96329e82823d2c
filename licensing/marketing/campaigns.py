"""Campaigns as they are kept: read from TOML, added and stopped, asked for offers, and counted."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

from licensing.errors import CampaignInvalid, CampaignUnknown, NameTaken
from licensing.marketing.offers import Campaign, Offer, OfferSubject, OfferText, offers_for
from storage import Storage
from storage.marketing import (
    AddCampaign,
    CampaignRow,
    CountFates,
    CountOffers,
    CountTaken,
    Fate,
    FateCount,
    ListCampaigns,
    OfferEvent,
    StopCampaign,
)
from storage.records import AuditRow

TAKEN_WITHIN_DAYS = 90
"""An order of the item offered counts as taken for so long after the offer was made."""
MOST_WORDS = 2000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_LISTS = ("items", "customer_groups", "languages")
_TIMES = ("starts_at", "ends_at")
_KNOWN = {"offer_item", "texts", "days_before_expiry", *_LISTS, *_TIMES}


def read_campaign(name: str, values: Mapping[str, Any]) -> Campaign:
    """Read a campaign as it stands in TOML. Raises CampaignInvalid, which names the campaign and the field."""
    if not _NAME.fullmatch(name):
        raise CampaignInvalid(f"{name!r}: a name has 1 to 40 small letters, digits and hyphens", path="name")
    unknown = sorted(set(values) - _KNOWN)
    if unknown:
        _refuse(name, unknown[0], f"there is no such field; there are {', '.join(sorted(_KNOWN))}")
    days = values.get("days_before_expiry")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3650):
        _refuse(name, "days_before_expiry", "must be a number of days from 1 to 3650")
    texts = values.get("texts")
    if not isinstance(texts, Mapping) or not texts:
        _refuse(name, "texts", "must hold the words of the offer in one language at least, such as [texts.en]")
    lists = {field: _strings(name, field, values.get(field, ())) for field in _LISTS}
    times = {field: _time(name, field, values.get(field)) for field in _TIMES}
    if times["starts_at"] is not None and times["ends_at"] is not None and times["ends_at"] <= times["starts_at"]:
        _refuse(name, "ends_at", "must be later than starts_at")
    return Campaign(
        name=name,
        offer_item=_words(name, "offer_item", values.get("offer_item")),
        texts={language: _text(name, language, each) for language, each in texts.items()},
        days_before_expiry=days,
        items=lists["items"],
        customer_groups=lists["customer_groups"],
        languages=lists["languages"],
        **times,
    )


def _refuse(name: str, field: str, problem: str) -> NoReturn:
    raise CampaignInvalid(f"campaign {name}, {field}: {problem}", path=field)


def _words(name: str, field: str, value: Any, *, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= MOST_WORDS or "\0" in value:
        _refuse(name, field, f"must be a text of {least} to {MOST_WORDS} characters")
    return str(value)


def _strings(name: str, field: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        _refuse(name, field, "must be a list of texts")
    return tuple(_words(name, field, each) for each in value)


def _time(name: str, field: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        _refuse(name, field, "must be a time such as 2027-06-01T00:00:00Z")
    moment: datetime = value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(name: str, language: str, value: Any) -> OfferText:
    field = f"texts.{language}"
    if not _LANGUAGE.fullmatch(language):
        _refuse(name, field, "must be named by a language such as de or pt-BR")
    if not isinstance(value, Mapping) or set(value) - {"title", "text", "url"}:
        _refuse(name, field, "has title, text and, if you like, url")
    url = value.get("url")
    if url is not None:
        parts = urlsplit(_words(name, f"{field}.url", url))
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            _refuse(name, f"{field}.url", "must be http:// or https:// with a host")
    return OfferText(
        title=_words(name, f"{field}.title", value.get("title")),
        text=_words(name, f"{field}.text", value.get("text"), least=0),
        url=url,
    )


def _rules(campaign: Campaign) -> str:
    values: dict[str, Any] = {field: list(getattr(campaign, field)) for field in _LISTS}
    values |= {
        field: None if getattr(campaign, field) is None else getattr(campaign, field).isoformat() for field in _TIMES
    }
    values["days_before_expiry"] = campaign.days_before_expiry
    values["texts"] = {
        language: {"title": each.title, "text": each.text, "url": each.url} for language, each in campaign.texts.items()
    }
    return json.dumps(values, sort_keys=True)


def campaign_of(row: CampaignRow) -> Campaign:
    """Give a campaign as it was stored."""
    values = json.loads(row.rules)
    times = {field: None if values[field] is None else datetime.fromisoformat(values[field]) for field in _TIMES}
    return Campaign(
        name=row.name,
        offer_item=row.offer_item,
        texts={language: OfferText(**each) for language, each in values["texts"].items()},
        days_before_expiry=values["days_before_expiry"],
        items=tuple(values["items"]),
        customer_groups=tuple(values["customer_groups"]),
        languages=tuple(values["languages"]),
        **times,
    )


class Campaigns:
    """The vendor's campaigns. Each change leaves an audit row."""

    def __init__(self, *, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock

    async def add(self, campaign: Campaign, *, actor: str = "cli") -> None:
        """Add a campaign. Raises NameTaken."""
        now, rules = self._clock(), _rules(campaign)
        row = CampaignRow(name=campaign.name, rules=rules, offer_item=campaign.offer_item, created_at=now)
        audit = AuditRow(at=now, actor=actor, action="AddCampaign", subject=campaign.name, details=rules)
        if not await self._storage.execute(AddCampaign(campaign=row, audit=audit)):
            raise NameTaken(f"there is a campaign {campaign.name} already, running or stopped; take another name")

    async def stop(self, name: str, *, actor: str = "cli") -> None:
        """End a campaign: it makes no offers any more. Raises CampaignUnknown."""
        now = self._clock()
        audit = AuditRow(at=now, actor=actor, action="StopCampaign", subject=name, details="{}")
        if not await self._storage.execute(StopCampaign(name=name, at=now, audit=audit)):
            raise CampaignUnknown("no campaign of this name runs; `opendepot campaign list` shows them")

    async def rows(self) -> tuple[CampaignRow, ...]:
        """Give all campaigns, stopped ones too, by name."""
        return await self._storage.query(ListCampaigns())

    async def offers(self, subject: OfferSubject, *, now: datetime) -> tuple[Offer, ...]:
        """Give the offers of all campaigns that run and whose rules the subject meets."""
        running = [campaign_of(row) for row in await self.rows() if row.stopped_at is None]
        return offers_for(subject, running, now=now)

    async def shown(self, offers: Iterable[Offer], *, license_id: str, subject: str) -> int:
        """Count offers that an answer has shown, once for each `subject` (the extension); how many were new."""
        events = tuple(
            OfferEvent(campaign=name, fate=Fate.SHOWN, subject=subject, license_id=license_id, at=self._clock())
            for name in sorted({offer.campaign for offer in offers})
        )
        return await self._storage.execute(CountOffers(events=events)) if events else 0

    async def count_taken(self) -> int:
        """Find the orders that took up offers, and count each once; how many were new."""
        since = self._clock() - timedelta(days=2 * TAKEN_WITHIN_DAYS)
        return await self._storage.execute(CountTaken(days=TAKEN_WITHIN_DAYS, since=since))

    async def report(self, name: str | None = None) -> tuple[FateCount, ...]:
        """Give what became of offers by campaign, fate and day. Raises CampaignUnknown."""
        if name is not None and name not in {row.name for row in await self.rows()}:
            raise CampaignUnknown("there is no such campaign; `opendepot campaign list` shows them")
        await self.count_taken()
        return await self._storage.query(CountFates(campaign=name))
