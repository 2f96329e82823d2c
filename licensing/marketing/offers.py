"""Campaigns: rules that say who is offered what, pure. `offers_for` is asked by whoever answers a customer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a customer is offered: the item, and words in one language. `campaign` names where it comes from."""

    campaign: str
    item_number: str
    title: str
    text: str
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferText:
    """The words of an offer in one language."""

    title: str
    text: str
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Campaign:
    """A rule to offers. What is left out does not matter: without `items` the campaign is for every item.

    `days_before_expiry`: only while the licence has at most so many days left. `languages`: only for customers that
    have one of these; `texts` has the words by language, and must hold one at least. It runs from `starts_at` until
    just before `ends_at`.
    """

    name: str
    offer_item: str
    texts: dict[str, OfferText]
    items: tuple[str, ...] = ()
    customer_groups: tuple[str, ...] = ()
    days_before_expiry: int | None = None
    languages: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferSubject:
    """Whom and what an offer would be about: the licence's item and expiry, the customer's group and language."""

    item_number: str
    expires_at: datetime | None = None
    customer_group: str | None = None
    language: str | None = None


def offers_for(subject: OfferSubject, campaigns: Iterable[Campaign], *, now: datetime) -> tuple[Offer, ...]:
    """Give the offers of all campaigns whose rules the subject meets, by the campaigns' names."""
    return tuple(
        _offer(campaign, subject)
        for campaign in sorted(campaigns, key=lambda campaign: campaign.name)
        if applies(campaign, subject, now=now)
    )


def applies(campaign: Campaign, subject: OfferSubject, *, now: datetime) -> bool:
    """Whether a campaign runs and is meant for the subject."""
    running = (campaign.starts_at is None or campaign.starts_at <= now) and (
        campaign.ends_at is None or now < campaign.ends_at
    )
    return (
        running
        and subject.item_number != campaign.offer_item
        and (not campaign.items or subject.item_number in campaign.items)
        and (not campaign.customer_groups or subject.customer_group in campaign.customer_groups)
        and (not campaign.languages or best_language(subject.language, campaign.languages) is not None)
        and (campaign.days_before_expiry is None or _is_near(campaign.days_before_expiry, subject.expires_at, now))
    )


def _is_near(days: int, expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and now <= expires_at <= now + timedelta(days=days)


def _offer(campaign: Campaign, subject: OfferSubject) -> Offer:
    known = tuple(campaign.texts)
    language = best_language(subject.language, known) or best_language(DEFAULT_LANGUAGE, known) or min(known)
    words = campaign.texts[language]
    return Offer(
        campaign=campaign.name, item_number=campaign.offer_item, title=words.title, text=words.text, url=words.url
    )


def best_language(wanted: str | None, known: Iterable[str]) -> str | None:
    """Give the known language that fits a tag best (lookup of RFC 4647, section 3.4): `de-AT` is served by `de`."""
    by_tag = {tag.lower(): tag for tag in known}
    tag = (wanted or "").lower().replace("_", "-")
    while tag:
        if tag in by_tag:
            return by_tag[tag]
        tag = tag.rpartition("-")[0]
    return None
