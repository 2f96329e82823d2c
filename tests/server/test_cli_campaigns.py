"""The verbs of campaigns: added by hand or from a file, listed, stopped, reported with CSV and plots."""

import asyncio
import json
import sys

import pytest
from typer.testing import CliRunner

from licensing.errors import CampaignInvalid, CampaignUnknown
from licensing.marketing.offers import Offer
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import opened_core
from server.errors import SettingsError
from server.settings import load_settings

FILE = """
[campaign.spring]
offer_item = "PRO"
items = ["EDITOR"]
days_before_expiry = 30
ends_at = 2097-06-01T00:00:00Z

[campaign.spring.texts.en]
title = "Pro"
text = "At half the price."
url = "https://example.com/pro"

[campaign.autumn]
offer_item = "PLUGIN"
languages = ["de"]
customer_groups = ["edu"]
texts.de = { title = "Zusatz", text = "" }
"""


@pytest.fixture
def config(folder):
    return folder / CONFIG


def run(config, *arguments):
    return CliRunner().invoke(app, ["campaign", *map(str, arguments), "--config", str(config)])


def test_campaigns_are_added_listed_and_stopped(config, tmp_path):
    file = tmp_path / "campaigns.toml"
    file.write_text(FILE)
    assert run(config, "add", "--file", file).output == "added spring\nadded autumn\n"
    added = run(
        config, "add", "by-hand", "--offer-item", "PRO", "--item", "A", "--item", "B", "--days-before", 14,
        "--title", "Pro", "--text-language", "de", "--until", "2097-01-01", "--group", "gov",
    )  # fmt: skip
    assert added.output == "added by-hand\n"
    assert run(config, "list").output.splitlines() == [
        "autumn  offers PLUGIN  for every item; group edu; language de",
        "by-hand  offers PRO  for A, B; group gov; 14 days before expiry; until 2097-01-01",
        "spring  offers PRO  for EDITOR; 30 days before expiry; until 2097-06-01",
    ]
    assert run(config, "stop", "spring").output == "stopped\n"
    assert isinstance(run(config, "stop", "spring").exception, CampaignUnknown)
    listed = {row["name"]: row for row in json.loads(run(config, "list", "--json").output)}
    assert listed["spring"]["stopped_at"] is not None
    assert listed["autumn"]["texts"] == {"de": {"title": "Zusatz", "text": "", "url": None}}
    assert "stopped" in run(config, "list").output


@pytest.mark.parametrize("text", ["x = ", "x = 1", "campaign = 1", "[campaign]\nspring = 1", FILE + "\n[other]\n"])
def test_a_file_that_holds_no_campaigns_is_refused(config, tmp_path, text):
    file = tmp_path / "campaigns.toml"
    file.write_text(text)
    assert isinstance(run(config, "add", "--file", file).exception, SettingsError)
    assert isinstance(run(config, "add", "--file", tmp_path / "none").exception, SettingsError)


def test_a_campaign_without_words_and_a_verb_without_a_name_are_refused(config):
    assert isinstance(run(config, "add", "x", "--offer-item", "A").exception, CampaignInvalid)
    assert run(config, "add").exit_code == 2


async def counted(config):
    offer = Offer(campaign="spring", item_number="PRO", title="Pro", text="")
    async with opened_core(load_settings(config)) as core:
        for number in range(3):
            await core.campaigns.shown([offer], license_id="l", subject=f"extension-{number}")
        await core.campaigns.shown(
            [Offer(campaign="a$b_c", item_number="X", title="", text="")], license_id="l", subject="s"
        )


@pytest.mark.slow
async def test_a_report_counts_and_draws(config, tmp_path):
    file = tmp_path / "campaigns.toml"
    file.write_text(FILE)
    await asyncio.to_thread(run, config, "add", "--file", file)
    nothing = await asyncio.to_thread(run, config, "report", "--png", tmp_path / "no.png")
    assert "nothing to plot" in str(nothing.exception)
    await counted(config)
    files = [tmp_path / name for name in ("r.csv", "r.png", "r.html")]
    made = await asyncio.to_thread(run, config, "report", "--csv", files[0], "--png", files[1], "--html", files[2])
    assert made.output == "a$b_c  1 shown, 0 mailed, 0 taken\nspring  3 shown, 0 mailed, 0 taken\n"
    lines = files[0].read_bytes().decode().split("\r\n")
    assert lines[0] == "campaign,day,shown,mailed,taken"
    assert lines[2].startswith("spring,20")
    assert lines[2].endswith(",3,0,0")
    assert files[1].read_bytes().startswith(b"\x89PNG")
    page = files[2].read_text()
    assert "<svg" in page
    assert "<td>spring</td><td>3</td><td>0</td><td>0</td>" in page
    one = await asyncio.to_thread(run, config, "report", "spring", "--json")
    assert json.loads(one.output) == {"spring": {"shown": 3, "mailed": 0, "taken": 0}}
    unknown = await asyncio.to_thread(run, config, "report", "none")
    assert isinstance(unknown.exception, CampaignUnknown)
    unwritable = await asyncio.to_thread(run, config, "report", "--csv", tmp_path / "no" / "r.csv")
    assert "cannot write" in str(unwritable.exception)


async def test_without_matplotlib_the_way_out_is_told_and_csv_still_works(config, tmp_path, monkeypatch):
    await counted(config)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused = await asyncio.to_thread(run, config, "report", "--png", tmp_path / "r.png")
    assert isinstance(refused.exception, SettingsError)
    assert "pip install 'opendepot[plots]'" in str(refused.exception)
    assert (await asyncio.to_thread(run, config, "report", "--csv", tmp_path / "r.csv")).exit_code == 0
