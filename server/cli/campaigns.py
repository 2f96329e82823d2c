"""`opendepot campaign add|list|report|stop`."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from licensing.marketing.campaigns import campaign_of, read_campaign
from licensing.marketing.offers import Campaign
from server.cli.campaign_report import FATES, totals, write_report
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.core import Core
from server.errors import SettingsError
from storage.marketing import CampaignRow

app = typer.Typer(no_args_is_help=True, help="Offers to customers: who is offered what, and what became of it.")

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]
FileOption = Annotated[
    Path | None, typer.Option(help="A TOML file with campaigns, instead of all else.", show_default=False)
]
DaysBeforeOption = Annotated[
    int | None, typer.Option(help="Only in the last days before the licence expires.", show_default=False)
]
LanguageOption = Annotated[
    list[str] | None, typer.Option(help="Only for customers with this language; may be repeated.")
]
StartsAtOption = Annotated[
    datetime | None, typer.Option("--from", formats=TIMES, help="From when on, in UTC.", show_default=False)
]
EndsAtOption = Annotated[
    datetime | None, typer.Option("--until", formats=TIMES, help="Until just before, in UTC.", show_default=False)
]


@app.command()
def add(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Small letters, digits, hyphens.", show_default=False)
    ] = None,
    file: FileOption = None,
    offer_item: Annotated[str | None, typer.Option(help="The item that is offered.", show_default=False)] = None,
    item: Annotated[list[str] | None, typer.Option(help="Only for licences of this item; may be repeated.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Only for customers of this group; may be repeated.")] = None,
    days_before: DaysBeforeOption = None,
    language: LanguageOption = None,
    title: Annotated[str | None, typer.Option(help="The offer in a few words.", show_default=False)] = None,
    text: Annotated[str, typer.Option(help="The offer in a sentence.")] = "",
    url: Annotated[str | None, typer.Option(help="Where it leads.", show_default=False)] = None,
    text_language: Annotated[str, typer.Option(help="The language of these words.")] = "en",
    starts_at: StartsAtOption = None,
    ends_at: EndsAtOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a campaign, or those of a file. One that exists is refused, and so are all that stand behind it."""
    if (name is None) is (file is None):
        raise typer.BadParameter("give a name and the rules, or --file")
    if file is not None:
        campaigns = read_file(file)
    else:
        values: dict[str, Any] = {
            "offer_item": offer_item,
            "items": item or [],
            "customer_groups": group or [],
            "languages": language or [],
            "days_before_expiry": days_before,
            "texts": {text_language: {"title": title, "text": text, "url": url}},
            "starts_at": starts_at,
            "ends_at": ends_at,
        }
        campaigns = (read_campaign(str(name), values),)

    async def run(core: Core) -> None:
        for campaign in campaigns:
            await core.campaigns.add(campaign)
            typer.echo(f"added {campaign.name}")

    with_config(config, run)


def read_file(path: Path) -> tuple[Campaign, ...]:
    """Read campaigns, one table [campaign.NAME] each. Raises SettingsError, CampaignInvalid."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    tables = found.get("campaign")
    if set(found) != {"campaign"} or not isinstance(tables, Mapping):
        raise SettingsError(f"{path}: must hold tables [campaign.NAME] and nothing else")
    for name, values in tables.items():
        if not isinstance(values, Mapping):
            raise SettingsError(f"{path}: campaign.{name} must be a table")
    return tuple(read_campaign(name, values) for name, values in tables.items())


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """List the campaigns with their rules, stopped ones too."""
    rows = with_config(config, lambda core: core.campaigns.rows())
    if as_json:
        print_json([_described(row) for row in rows])
        return
    for row in rows:
        campaign = campaign_of(row)
        rules = [
            f"for {', '.join(campaign.items) or 'every item'}",
            *(f"group {', '.join(campaign.customer_groups)}" for _ in campaign.customer_groups[:1]),
            *([] if campaign.days_before_expiry is None else [f"{campaign.days_before_expiry} days before expiry"]),
            *(f"language {', '.join(campaign.languages)}" for _ in campaign.languages[:1]),
            *([] if campaign.ends_at is None else [f"until {campaign.ends_at:%Y-%m-%d}"]),
        ]
        stopped = "" if row.stopped_at is None else f"  stopped {row.stopped_at:%Y-%m-%d}"
        typer.echo(f"{row.name}  offers {row.offer_item}  {'; '.join(rules)}{stopped}")


@app.command()
def stop(name: NameArgument, config: ConfigOption = None) -> None:
    """End a campaign. It makes no offers any more, and its report stays."""
    with_config(config, lambda core: core.campaigns.stop(name))
    typer.echo("stopped")


@app.command()
def report(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name. Left out: all.", show_default=False)
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write the counts by day to this file.", show_default=False)
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw a plot into this file.", show_default=False)] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with the plot into this file.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what became of offers: shown in answers, mailed, taken (ordered within 90 days)."""
    counts = with_config(config, lambda core: core.campaigns.report(name))
    write_report(counts, table=table, png=png, html=html)
    sums = totals(counts)
    if as_json:
        print_json({campaign: {fate.value: fates[fate] for fate in FATES} for campaign, fates in sums.items()})
        return
    for campaign, fates in sorted(sums.items()):
        typer.echo(f"{campaign}  {', '.join(f'{fates[fate]} {fate}' for fate in FATES)}")


def _described(row: CampaignRow) -> dict[str, object]:
    campaign = campaign_of(row)
    return {
        "name": row.name,
        "offer_item": row.offer_item,
        "items": campaign.items,
        "customer_groups": campaign.customer_groups,
        "days_before_expiry": campaign.days_before_expiry,
        "languages": campaign.languages,
        "starts_at": campaign.starts_at,
        "ends_at": campaign.ends_at,
        "texts": _texts(campaign),
        "created_at": row.created_at.isoformat(),
        "stopped_at": None if row.stopped_at is None else row.stopped_at.isoformat(),
    }


def _texts(campaign: Campaign) -> dict[str, dict[str, str | None]]:
    return {
        language: {"title": each.title, "text": each.text, "url": each.url} for language, each in campaign.texts.items()
    }
