"""Pages made of declarations are up to date, links lead somewhere, and the tutorial runs."""

import asyncio
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", ".git", ".cache"} & set(path.parts))


def generator() -> dict[str, object]:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.PAGES)


def test_reference_pages_are_up_to_date() -> None:
    for name, page in generator().items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page(), "run `make generate`"  # type: ignore[operator]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_of_the_repository(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_layout_in_architecture_names_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert packages == {name for name in packages if f"    {name}/" in text}


async def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / "depot"
    await asyncio.to_thread(initialise, folder)
    settings = load_settings(folder / CONFIG, port=0, admin_port=0)
    text = (ROOT / "docs" / "tutorial" / "first-order.md").read_text()
    script = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    async with serving(settings, log=io.StringIO()) as up:
        async with opened_core(settings) as core:
            await core.catalogue.add_item(
                item_number="EDITOR-1Y", firm_code=6000010, product_code=100, options=("expirationTime=add:365d",)
            )
            _, api_key = await core.catalogue.add_shop("tutorial-shop")
        environment = os.environ | {"OPENDEPOT_URL": up.url, "OPENDEPOT_API_KEY": api_key}
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert "expires" in ran.stdout
